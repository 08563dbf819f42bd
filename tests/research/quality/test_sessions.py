"""Every held-out row finds its session, wherever the day's files hold it."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from ranker.config.columns import Features, Keys
from ranker.config.objectives import Objective
from ranker.config.pipeline import PipelineConfig
from ranker.evaluation.session_rows import NO_SESSION, Hashes
from ranker.feed_log.writing import day_folder
from research.quality.rows import HeldOutDay, Rows
from research.quality.sessions import sessions_of

DAY = date(2026, 1, 2)
CONFIG = PipelineConfig(
    name="tiny",
    objectives=(Objective("click", "passive"),),
    features=Features(numeric=("age", "likes")),
    schema="schemas/tiny.pbtxt",
    keys=Keys(session="visit"),
)


def held_out(features: np.ndarray, day: date = DAY) -> HeldOutDay:
    rows = Rows(features, {}, np.zeros((len(features), 1), np.float32), np.zeros(len(features), np.int64))
    return HeldOutDay(CONFIG, day, Path("tiny"), rows, rows)


def write(log: Path, sessions: list[object], features: np.ndarray, day: date = DAY, files: int = 1) -> None:
    folder = day_folder(log, day)
    folder.mkdir()
    columns = {"visit": sessions, "age": features[:, 0], "likes": features[:, 1]}
    table = pa.table(columns)
    size = -(-len(table) // files)
    for file in range(files):
        parquet.write_table(table.slice(file * size, size), folder / f"part-{file}.parquet")


def equal(found: Hashes) -> np.ndarray:
    return np.asarray(found[:, None] == found[None])


@pytest.mark.parametrize("as_text", [True, False])
def test_a_session_over_several_files_is_one_and_the_order_of_the_rows_does_not_matter(
    as_text: bool, tmp_path: Path
) -> None:
    random = np.random.default_rng(1)
    numbers = random.integers(0, 40, 500)
    features = random.standard_normal((500, 2)).astype(np.float32)
    features[::7, 1] = np.nan
    write(tmp_path, [f"s{n}" if as_text else int(n) for n in numbers], features, files=3)
    # Transform may drop rows, and writes them in another order, and with additional columns behind the numeric ones.
    kept = random.permutation(500)[:450]
    found = sessions_of(tmp_path, held_out(np.append(features[kept], np.ones((450, 1), np.float32), axis=1)))
    np.testing.assert_array_equal(equal(found), numbers[kept][:, None] == numbers[kept][None])
    assert NO_SESSION not in found


def test_equal_rows_of_one_session_are_its_own_and_those_of_two_are_refused(tmp_path: Path) -> None:
    features = np.array([[1, 2], [1, 2], [3, 4]], np.float32)
    write(tmp_path, ["a", "a", "b"], features)
    assert equal(sessions_of(tmp_path, held_out(features))).tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    other = date(2026, 1, 3)
    write(tmp_path, ["a", "b", "b"], features, other)
    with pytest.raises(ValueError, match="day-2026-01-03: 1 of 3 rows have the features of a row of another session"):
        sessions_of(tmp_path, held_out(features, other))


def test_the_same_id_on_another_day_is_another_session_and_a_missing_one_is_none(tmp_path: Path) -> None:
    features = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    days = DAY, date(2026, 1, 3)
    for day in days:
        write(tmp_path, ["a", None, ""], features, day)
    first, second = (sessions_of(tmp_path, held_out(features, day)).tolist() for day in days)
    assert first[0] != second[0]
    assert first[1:] == second[1:] == [NO_SESSION, NO_SESSION]


def test_rows_of_another_log_are_refused(tmp_path: Path) -> None:
    features = np.array([[1, 2], [3, 4]], np.float32)
    write(tmp_path, ["a", "b"], features)
    with pytest.raises(ValueError, match=r"tiny: has rows that are not in .*day-2026-01-02: 1 of 2 rows"):
        sessions_of(tmp_path, held_out(features + np.array([[0, 0], [0, 1]], np.float32)))
