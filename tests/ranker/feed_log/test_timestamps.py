"""Timestamps in the wrong unit and rows of other days, in whatever type a log has them."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ranker.config.timestamps import Timestamps
from ranker.feed_log.columns import LogColumns
from ranker.feed_log.layout import FeedLogError
from ranker.feed_log.planning import plan_day, plan_window
from tests.ranker.feed_log.conftest import WriteDay
from tests.small_feed_log import EVAL_DAY, day_table, replaced

MIDNIGHT_MS = 1_709_510_400_000  # 2024-03-04T00:00 UTC
HOUR_MS = 3_600_000
ROWS = 240


def day_ms(hours_later: float = 0.0, rows: int = ROWS) -> Any:
    """Times spread evenly over the eval day, or over the 24 hours that begin some hours later."""
    return MIDNIGHT_MS + round(hours_later * HOUR_MS) + np.arange(rows) * (24 * HOUR_MS // rows)


@pytest.fixture
def plan(tmp_path: Path, write_day: WriteDay, columns: LogColumns) -> Callable[..., list[str]]:
    """Plans an eval day with these timestamps; returns the warnings."""

    def run(values: pa.Array, **limits: float) -> list[str]:
        write_day(0, replaced(day_table(len(values)), "timestamp", values), row_group_size=100)
        warnings: list[str] = []
        plan_day(tmp_path / "log", EVAL_DAY, replace(columns, timestamps=Timestamps(**limits)), warnings.append)
        return warnings

    return run


@pytest.mark.parametrize("hours", [-14, -5.75, 0, 8, 12, 14])
@pytest.mark.parametrize(
    "convert",
    [
        lambda ms: pa.array(ms),
        lambda ms: pa.array(ms).cast(pa.uint64()),
        lambda ms: pa.array(ms // 1000, pa.timestamp("s")),
        lambda ms: pa.array(ms * 1000, pa.timestamp("us", "Asia/Tokyo")),
        lambda ms: pa.array(ms * 10**6, pa.timestamp("ns", "UTC")),
    ],
)
def test_the_day_of_every_time_zone_passes_in_every_type(
    plan: Callable[..., list[str]], convert: Callable[[Any], pa.Array], hours: float
) -> None:
    assert plan(convert(day_ms(hours))) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (pa.array(day_ms() // 1000), "1709510400, which looks like seconds since 1970"),
        (pa.array(day_ms() // 1000, pa.int32()), "1709510400, which looks like seconds since 1970"),
        (pa.array(day_ms() * 1000), "1709510400000000, which looks like microseconds since 1970"),
        (pa.array(day_ms() * 10**6), "1709510400000000000, which looks like nanoseconds since 1970"),
        (pa.array(day_ms(48)), "1709683200000, which is 2024-03-06T00:00:00 UTC"),
        (
            pa.array(day_ms(48) // 1000),
            "1709683200, which looks like seconds since 1970, 2024-03-06T00:00:00 UTC",
        ),
        (pa.array(np.arange(ROWS)), "0, which is no time of this century in any unit"),
        (
            pa.array(day_ms(), pa.timestamp("us")),
            "1970-01-20T18:51:50.400000, too small by a factor of 1000, which looks like a conversion from the wrong "
            "unit",
        ),
        (
            pa.array(day_ms(), pa.timestamp("ns")),
            "1970-01-01T00:28:29.510400000, too small by a factor of 1000000, which looks like a conversion from the "
            "wrong unit",
        ),
        (
            pa.array(day_ms(), pa.timestamp("s")),
            "56142-03-25T00:00:00.000, too large by a factor of 1000, which looks like a conversion from the wrong "
            "unit",
        ),
        (pa.array(day_ms(72), pa.timestamp("ms", "UTC")), "2024-03-07T00:00:00.000, another time"),
        (pa.array([date(2024, 3, 5)] * ROWS), "2024-03-05, another day"),
        (pa.array([date(2024, 3, 3)] * ROWS, pa.date64()), "2024-03-03, another day"),
    ],
)
def test_a_wrong_unit_or_day_is_an_error_with_an_example(
    plan: Callable[..., list[str]], tmp_path: Path, values: pa.Array, said: str
) -> None:
    with pytest.raises(FeedLogError) as raised:
        plan(values)
    unit = "milliseconds since 1970" if pa.types.is_integer(values.type) else "times"
    assert str(raised.value) == (
        f"{tmp_path}/log/day-2024-03-04/part-0.parquet: timestamp column 'timestamp': all 240 rows of the day are "
        f"outside of 2024-03-04, the first in row 0: {said}; expected are {unit} from 2024-03-03T10:00 to "
        "2024-03-05T14:00 UTC, that is 14 hours before to 14 hours after the day, for time zones"
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (pa.array(day_ms() / 1000), r"is double in all 240 rows, such as 1709510400\.0, which looks like seconds"),
        (pa.array(day_ms().astype(float)), r"is double .*, which looks like milliseconds since 1970; accepted are "),
        (
            pa.array([None] * 5 + ["1709510400"] * 5),
            "is string .*, such as '1709510400', which looks like seconds .*text",
        ),
        (
            pa.array(["2024-03-04T08:00:00Z"] * 9),
            "is string .*, such as '2024-03-04T08:00:00Z', which looks like a time",
        ),
        (pa.array(["1/0"] * 9), "is string in all 9 rows, such as '1/0'; accepted are"),
        (pa.array(["1e999999999"] * 9), "is string in all 9 rows, such as '1e999999999'; accepted are"),
        (pa.array([b"\xff"] * 9).view(pa.string()), r"is string in all 9 rows, such as b'\\xff'; accepted are"),
        (pa.array(["monday"] * 9), "is string in all 9 rows, such as 'monday'; accepted are timestamp, date"),
        (pa.array([0.5, float("nan"), float("inf")] * 3), r"is double in all 9 rows, such as 0\.5; accepted are"),
        (pa.nulls(9), "is null in all 9 rows; accepted are"),
    ],
)
def test_other_types_are_refused_with_what_they_look_like(
    plan: Callable[..., list[str]], values: pa.Array, said: str
) -> None:
    with pytest.raises(FeedLogError, match=f"day-2024-03-04/part-0.parquet: timestamp column 'timestamp' {said}"):
        plan(values)


def test_few_rows_outside_are_a_warning_and_many_an_error(plan: Callable[..., list[str]]) -> None:
    late = day_ms()
    late[[100, 200]] += 72 * HOUR_MS
    (warning,) = plan(pa.array(late))
    assert (
        "part-0.parquet: timestamp column 'timestamp': 2 of the 240 rows of the day are outside of 2024-03-04"
        in warning
    )
    assert "the first in row 100: 1709805600000, which is 2024-03-07T10:00:00 UTC" in warning
    with pytest.raises(FeedLogError, match="2 of the 240 rows"):
        plan(pa.array(late), max_outside=0.001)
    late[[101, 102, 103]] += 72 * HOUR_MS
    with pytest.raises(FeedLogError, match="5 of the 240 rows"):
        plan(pa.array(late))
    assert len(plan(pa.array(late), max_outside=1.0)) == 1


def test_the_slack_is_a_setting(plan: Callable[..., list[str]]) -> None:
    with pytest.raises(FeedLogError, match=r"80 of the 240 rows .* from 2024-03-04T00:00 to 2024-03-05T00:00 UTC"):
        plan(pa.array(day_ms(8)), hours_before=0, hours_after=0)
    assert plan(pa.array(day_ms()), hours_before=0, hours_after=0) == []
    assert plan(pa.array([date(2024, 3, 5)] * ROWS), hours_after=24) == []


def test_a_null_is_named_with_its_row(plan: Callable[..., list[str]]) -> None:
    mask = np.arange(ROWS) == 137
    with pytest.raises(
        FeedLogError, match=r"timestamp column 'timestamp', row 137: null; every impression needs a time"
    ):
        plan(pa.array(day_ms(), mask=mask))


@pytest.fixture
def window(tmp_path: Path, write_day: WriteDay, columns: LogColumns) -> Callable[..., tuple[str, ...]]:
    """Plans a window of a train day and the eval day with these timestamps; returns the warnings."""

    def run(train: Any, held_out: Any) -> tuple[str, ...]:
        for days_back, values in ((1, train), (0, held_out)):
            table = day_table(len(values), seed=days_back)
            write_day(days_back, replaced(table, "timestamp", pa.array(values)))
        return plan_window(tmp_path / "log", EVAL_DAY, 1, columns).warnings

    return run


@pytest.mark.parametrize("hours", [-14, 0, 9, 12])
def test_days_of_any_time_zone_do_not_overlap(window: Callable[..., tuple[str, ...]], hours: float) -> None:
    assert window(day_ms(hours - 24), day_ms(hours)) == ()


def test_a_day_of_25_hours_and_one_of_23_do_not_overlap(window: Callable[..., tuple[str, ...]]) -> None:
    hours = np.arange(-25, 23) * HOUR_MS
    assert window(MIDNIGHT_MS + hours[:25], MIDNIGHT_MS + hours[25:]) == ()


@pytest.mark.parametrize("share", [0.03, 0.1, 0.5])
def test_rows_of_the_evaluated_day_among_the_train_days_are_an_error(
    window: Callable[..., tuple[str, ...]], share: float
) -> None:
    """The morning of the eval day is within the slack of the day before it."""
    morning = day_ms()[:140]
    leaked = np.random.default_rng(0).choice(morning, round(share * ROWS))
    train = np.concatenate([day_ms(-24, ROWS - len(leaked)), leaked])
    with pytest.raises(FeedLogError) as raised:
        window(train, day_ms())
    text = str(raised.value)
    assert "day-2024-03-03/part-0.parquet: timestamp column 'timestamp': " in text
    assert "rows of the day are of the time of 2024-03-04, the first in row " in text
    assert "by most rows, 2024-03-04 begins at about 2024-03-0" in text
    assert "the days of a log must not overlap" in text


def test_a_train_day_with_nothing_but_rows_of_the_eval_day_is_an_error(window: Callable[..., tuple[str, ...]]) -> None:
    with pytest.raises(FeedLogError, match=r"rows of the day are of the time of 2024-03-0[34]"):
        window(np.random.default_rng(0).choice(day_ms()[:140], ROWS), day_ms())


def test_rows_of_the_same_hour_may_be_mixed(window: Callable[..., tuple[str, ...]]) -> None:
    """A session that begins before midnight ends after it, and clocks differ."""
    train, held_out = day_ms(-24), day_ms()
    train[-8:] += round(0.9 * HOUR_MS)
    held_out[:8] -= round(0.9 * HOUR_MS)
    assert window(train, held_out) == ()


def test_many_days_are_one_warning(tmp_path: Path, write_day: WriteDay, columns: LogColumns) -> None:
    for days_back in range(3):
        moved = day_ms(-24 * days_back)
        moved[5] -= 96 * HOUR_MS
        write_day(days_back, replaced(day_table(ROWS, seed=days_back), "timestamp", pa.array(moved)))
    (warning,) = plan_window(tmp_path / "log", EVAL_DAY, 2, columns).warnings
    assert (
        "day-2024-03-02/part-0.parquet: timestamp column 'timestamp': 1 of the 240 rows of the day is outside"
        in warning
    )
    assert warning.endswith("for time zones (and 2 more such days)")


def test_a_few_late_rows_are_a_warning(
    window: Callable[..., tuple[str, ...]], caplog: pytest.LogCaptureFixture
) -> None:
    train = day_ms(-24)
    train[[7, 9]] += 30 * HOUR_MS
    with caplog.at_level(logging.WARNING):
        (warning,) = window(train, day_ms())
    assert "2 of the 240 rows of the day are of the time of 2024-03-04" in warning
    assert "the first in row 7: " in warning
    assert "by most rows, 2024-03-04 begins at about 2024-03-0" in warning
    assert warning in caplog.text


def test_days_with_a_gap_between_them_are_compared_as_well(
    tmp_path: Path, write_day: WriteDay, columns: LogColumns
) -> None:
    for days_back in (3, 1, 0):
        moved = day_ms(-24 * days_back)
        write_day(days_back, replaced(day_table(ROWS, seed=days_back), "timestamp", pa.array(moved)))
    assert plan_window(tmp_path / "log", EVAL_DAY, 3, columns).warnings == ()
    assert plan_window(tmp_path / "log", EVAL_DAY, 3, columns).rows_per_day == {
        EVAL_DAY - timedelta(days=back): ROWS for back in (3, 1, 0)
    }
