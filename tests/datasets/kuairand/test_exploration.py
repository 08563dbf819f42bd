"""Random impressions of KuaiRand become rows of the feed log that say so, with their chances."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from datasets.kuairand.conversion import feed_log_days
from datasets.kuairand.files import RawDataError, find_raw_files
from datasets.kuairand.raw import read_raw
from ranker.evaluation.random_sessions import random_sessions
from tests.datasets.kuairand.handmade import impression, write_csv

RANDOM_LOG = "log_random_4_22_to_5_08_pure.csv"
# Between impressions of user 1's first session on the 27th, and one of a user without other impressions.
RANDOM = [
    impression(1, 11, "2022-04-27 08:10", is_rand=1, is_click=1),
    impression(1, 12, "2022-04-27 08:30", is_rand=1),
    impression(3, 10, "2022-04-26 10:00", is_rand=1),
]


def converted(folder: Path) -> dict[date, pa.Table]:
    return dict(feed_log_days(read_raw(find_raw_files(folder)), 2.0))


@pytest.fixture
def days(raw_folder: Path) -> dict[date, pa.Table]:
    write_csv(raw_folder / RANDOM_LOG, RANDOM)
    return converted(raw_folder)


def test_random_rows_stand_among_the_others_by_time(days: dict[date, pa.Table]) -> None:
    assert [len(rows) for rows in days.values()] == [3, 3, 6]
    rows = days[date(2022, 4, 27)]
    assert rows["item_id"].to_pylist() == [10, 11, 11, 12, 11, 12]
    assert rows["session_id"].to_pylist()[:4] == ["1-20220427-1"] * 4
    assert rows["session_position"].to_pylist() == [0, 1, 2, 3, 4, 0]
    assert rows["is_randomised"].to_pylist() == [0, 1, 0, 1, 0, 0]
    assert rows["click"].to_pylist() == [1, 1, 0, 0, 0, 0]


def test_the_chance_is_one_over_the_random_videos_of_the_session(days: dict[date, pa.Table]) -> None:
    assert days[date(2022, 4, 27)]["propensity"].to_pylist() == [None, 0.5, None, 0.5, None, None]
    assert days[date(2022, 4, 26)]["propensity"].to_pylist() == [None, 1.0, None]
    assert days[date(2022, 4, 25)]["propensity"].to_pylist() == [None] * 3
    assert days[date(2022, 4, 25)]["propensity"].type == pa.float32()


def test_random_impressions_enter_the_histories(days: dict[date, pa.Table]) -> None:
    assert days[date(2022, 4, 27)]["user_impressions"].to_pylist() == [3, 3, 3, 3, 3, 1]


def test_replay_finds_the_random_part(days: dict[date, pa.Table]) -> None:
    rows = days[date(2022, 4, 27)]
    names = ("session_id", "viewer_id", "session_position", "is_randomised", "propensity")
    found = random_sessions(*(rows[name].to_numpy() for name in names))
    assert found.rows.tolist() == [1, 3]
    assert found.position.tolist() == [1, 2]
    assert np.array_equal(found.propensity, [0.5, 0.5])


def test_without_a_random_log_the_columns_are_absent(raw_folder: Path) -> None:
    for rows in converted(raw_folder).values():
        assert not {"is_randomised", "propensity"} & set(rows.column_names)


def test_a_random_log_needs_its_flag(raw_folder: Path) -> None:
    write_csv(raw_folder / RANDOM_LOG, [{name: v for name, v in row.items() if name != "is_rand"} for row in RANDOM])
    with pytest.raises(RawDataError, match=rf"{RANDOM_LOG}: the column is_rand is missing"):
        converted(raw_folder)
    write_csv(raw_folder / RANDOM_LOG, [RANDOM[0], RANDOM[1] | {"is_rand": 2}])
    with pytest.raises(RawDataError, match=rf"{RANDOM_LOG}: column is_rand, line 3: expected 0 or 1, got 2"):
        converted(raw_folder)


def test_a_row_of_the_random_log_that_is_not_random_is_none(raw_folder: Path) -> None:
    write_csv(raw_folder / RANDOM_LOG, [impression(2, 11, "2022-04-25 10:00", is_rand=0)])
    assert converted(raw_folder)[date(2022, 4, 25)]["is_randomised"].to_pylist() == [0] * 4
