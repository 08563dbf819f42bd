from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from datasets.kuairand.conversion import feed_log_days
from datasets.kuairand.files import find_raw_files
from datasets.kuairand.raw import OBJECTIVES, read_raw
from pipeline_config import KUAIRAND
from tests.datasets.kuairand.handmade import LOG, write_raw

STRENGTH = 2.0

Days = dict[date, pa.Table]


@pytest.fixture
def convert(tmp_path: Path) -> Callable[..., Days]:
    """Converts a log with the hand-made users and videos."""

    def run(log: Iterable[Mapping[str, Any]] = LOG, suffix: str = "") -> Days:
        files = find_raw_files(write_raw(tmp_path / f"raw{suffix}", log, suffix))
        return dict(feed_log_days(read_raw(files), STRENGTH))

    return run


def column(days: Days, day: int, name: str) -> Any:
    """A column of one day of April, rounded to float32 precision."""
    values = days[date(2022, 4, day)][name].to_pylist()
    return [round(value, 6) if isinstance(value, float) else value for value in values]


def test_one_row_per_impression_in_the_order_of_time(convert: Callable[..., Days]) -> None:
    days = convert()
    assert [len(rows) for rows in days.values()] == [3, 2, 4]
    assert column(days, 27, "viewer_id") == [1, 1, 1, 3]
    assert column(days, 27, "item_id") == [10, 11, 11, 12]
    assert column(days, 27, "timestamp") == [row["time_ms"] for row in LOG[5:]]
    assert column(days, 27, "session_id") == ["1-20220427-1", "1-20220427-1", "1-20220427-2", "3-20220427-1"]
    assert {name: column(days, 27, name) for name in OBJECTIVES} == {
        "click": [1, 0, 0, 0],
        "long_view": [0, 0, 0, 0],
        "profile_enter": [0, 0, 1, 0],
        "like": [0, 0, 0, 0],
        "comment": [0, 0, 1, 0],
        "follow": [0, 0, 0, 0],
        "forward": [0, 0, 1, 0],
        "hate": [0, 0, 1, 0],
    }


def test_context_user_and_video_features(convert: Callable[..., Days]) -> None:
    days = convert()
    # 27 April 2022 was a Wednesday; user 3 and video 12 have no row of features.
    expected = {
        "tab": [4, 1, 1, 1],
        "hour": [8, 8, 8, 12],
        "day_of_week": [2, 2, 2, 2],
        "session_position": [0, 1, 0, 0],
        "hours_since_previous_session": [23.0, 23.0, round(31 / 60, 6), None],
        "user_active_degree": ["full_active", "full_active", "full_active", None],
        "follow_user_num": [10, 10, 10, None],
        "onehot_feat11": [11, 11, 11, None],
        "duration_s": [10, 10, 10, 10],
        "video_age_days": [7, 7, 7, None],
        "video_aspect": [round(16 / 9, 6)] * 3 + [None],
        "upload_type": ["Web", "Web", "Web", None],
        "music_type": [9, 9, 9, None],
        "tags": [["3"], ["3", "62"], ["3", "62"], None],
    }
    assert {name: column(days, 27, name) for name in expected} == expected
    assert column(days, 26, "onehot_feat17") == [1, None]


def test_the_first_day_has_zero_counts_and_no_rates(convert: Callable[..., Days]) -> None:
    days = convert()
    assert column(days, 25, "user_impressions") == [0, 0, 0]
    assert column(days, 25, "user_click_rate") == [None, None, None]
    assert column(days, 25, "video_mean_play_ratio") == [None, None, None]
    assert column(days, 25, "author_days_since_seen") == [None, None, None]


def test_histories_of_the_second_day(convert: Callable[..., Days]) -> None:
    days = convert()
    # Of three impressions on the 25th two were clicked; user 1 clicked both of two, user 2 none of one.
    assert column(days, 26, "user_impressions") == [2, 1]
    assert column(days, 26, "user_click_rate") == [round((2 + 2 * 2 / 3) / 4, 6), round((0 + 2 * 2 / 3) / 3, 6)]
    # Video 10 was shown twice and clicked once, video 11 shown and clicked once.
    assert column(days, 26, "video_impressions") == [2, 1]
    assert column(days, 26, "video_click_rate") == [round((1 + 2 * 2 / 3) / 4, 6), round((1 + 2 * 2 / 3) / 3, 6)]
    # Play ratios were 1.5, 0.5 and 0.
    assert column(days, 26, "user_mean_play_ratio") == [round((2 + 2 * 2 / 3) / 4, 6), round((0 + 2 * 2 / 3) / 3, 6)]
    assert column(days, 26, "author_like_rate") == [round((1 + 2 / 3) / 5, 6)] * 2


def test_histories_of_the_third_day(convert: Callable[..., Days]) -> None:
    days = convert()
    # Two earlier days: five impressions, three clicks; play ratios 1.5, 0.5, 0, 2 (9 cut to 2) and 0.
    assert column(days, 27, "user_impressions") == [3, 3, 3, 0]
    assert column(days, 27, "user_click_rate") == [0.64, 0.64, 0.64, 0.6]
    assert column(days, 27, "user_mean_play_ratio") == [1.12, 1.12, 1.12, 0.8]
    assert column(days, 27, "user_days_since_seen") == [1, 1, 1, None]
    assert column(days, 27, "video_follow_rate") == [0.28, 0.1, 0.1, 0.2]
    # The author and the tags of video 12 are not known.
    assert column(days, 27, "author_impressions") == [5, 5, 5, None]
    assert column(days, 27, "author_click_rate") == [0.6, 0.6, 0.6, None]
    assert column(days, 27, "tag_impressions") == [3, 2, 2, None]


def test_gzip_makes_no_difference(convert: Callable[..., Days]) -> None:
    assert convert(suffix=".gz") == convert()


@pytest.mark.parametrize("day", [25, 26, 27])
def test_outcomes_of_a_day_do_not_leak_into_features_of_that_day_or_before(
    convert: Callable[..., Days], day: int
) -> None:
    before = convert()
    turned = [
        row | {name: 1 - row[name] for name in OBJECTIVES.values()} | {"play_time_ms": 7_000, "comment_stay_time": 9}
        if row["date"] == f"202204{day}"
        else row
        for row in LOG
    ]
    after = convert(turned)
    for upto in range(25, day + 1):
        features = [name for name in before[date(2022, 4, upto)].column_names if name not in OBJECTIVES]
        assert before[date(2022, 4, upto)].select(features) == after[date(2022, 4, upto)].select(features)
    assert column(before, day, "click") != column(after, day, "click")
    if day < 27:
        assert column(before, day + 1, "user_click_rate") != column(after, day + 1, "user_click_rate")


def test_the_config_names_every_column_and_nothing_that_comes_after_the_impression(
    convert: Callable[..., Days],
) -> None:
    keys = KUAIRAND.keys
    named = {*KUAIRAND.features.names, *KUAIRAND.features.exposure_names, *KUAIRAND.objective_names}
    # An id column, for a config that has random effects of authors.
    named |= {keys.session, keys.viewer, keys.item, keys.timestamp, "author_id"}
    for rows in convert().values():
        assert set(rows.column_names) == named
    afterwards = {
        "play_time_ms",
        "profile_stay_time",
        "comment_stay_time",
        *OBJECTIVES.values(),
        "session_position",
    }
    assert not set(KUAIRAND.features.names) & afterwards
