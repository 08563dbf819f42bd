"""Conditions and weights of rows, as all readers of the feed log see them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ranker.config.columns import Keys
from ranker.config.rows import Rows
from ranker.feed_log.columns import LogColumns, columns_of
from ranker.feed_log.layout import FeedLogError
from ranker.feed_log.planning import plan_day, plan_window
from ranker.feed_log.reading import read_unit
from ranker.feed_log.row_filter import check_filter, kept_rows
from ranker.keys import ROW_WEIGHT
from tests.ranker.feed_log.conftest import WriteDay
from tests.small_feed_log import EVAL_DAY, FEATURES, OBJECTIVES, TRAIN_DAYS, day_table, replaced


def columns(**rows: Any) -> LogColumns:
    return columns_of(OBJECTIVES, FEATURES, Keys(), rows=Rows(**rows))


def with_bots(rows: int, seed: int = 0, back: int = 0) -> pa.Table:
    """Every third row is a bot's."""
    table = day_table(rows, seed, EVAL_DAY - timedelta(days=back))
    return table.append_column("is bot", pa.array(np.arange(rows) % 3 == 0))


def test_only_rows_that_meet_the_conditions_are_read(tmp_path: Path, write_day: WriteDay) -> None:
    for back in range(TRAIN_DAYS + 1):
        write_day(back, with_bots(60, back, back), row_group_size=25)
    plan = plan_window(tmp_path / "log", EVAL_DAY, TRAIN_DAYS, columns(where=[("is bot", "==", False)]), reference=3)
    assert set(plan.rows_per_day.values()) == {40}
    assert (plan.rows("train"), plan.rows("eval"), plan.usual_rows) == (120, 40, 40)
    assert plan.warnings == (
        "rows.where leaves out 80 of the 240 rows that were read (33.3 %): kept are rows with is bot == False",
    )
    for unit in plan.units:
        read = [item for batch in read_unit(unit, columns().columns, 7) for item in batch.column("item_id").to_pylist()]
        assert len(read) == unit.rows
        assert all(int(item[0][1:]) % 3 for item in read)


def test_the_row_of_an_error_is_that_of_the_file_and_rows_left_out_may_hold_anything(
    tmp_path: Path, write_day: WriteDay
) -> None:
    likes, times = [0] * 60, day_table(60)["timestamp"].to_pylist()
    likes[44], likes[3] = 7, 9
    times[6] = datetime(1999, 1, 1, tzinfo=UTC)
    table = replaced(replaced(with_bots(60), "like", pa.array(likes)), "timestamp", pa.array(times, pa.timestamp("us")))
    path = write_day(0, table, row_group_size=25)
    asked = replace(columns(where=[("is bot", "!=", True)]), timestamps=replace(columns().timestamps, max_outside=0.0))
    units = plan_day(tmp_path / "log", EVAL_DAY, asked)
    with pytest.raises(FeedLogError, match=rf"^{path}: objective column 'like', row 44: 7"):
        [batch for unit in units for batch in read_unit(unit, asked.columns)]
    with pytest.raises(FeedLogError, match="outside of 2024-03-04, the first in row 6"):
        plan_day(tmp_path / "log", EVAL_DAY, replace(asked, rows=Rows()))


def test_a_filter_that_fits_no_file_is_named(tmp_path: Path, write_day: WriteDay) -> None:
    write_day(0, with_bots(30))
    write_day(1, with_bots(30, 1, 1))
    for where, message in (
        (
            [("is bot", "in", [True]), ("cohort", ">", 99)],
            r"day-2024-03-03: no row .* is bot in \(True,\) and cohort > 99",
        ),
        ([("is_bot", "==", False)], r"no column 'is_bot' \(did you mean 'is bot'\?\)"),
        ([("cohort", ">", "3")], "rows.where: 'cohort' > '3': the column is int32, which cannot be compared"),
        ([("cohort", "<", 2**70)], f"rows.where: 'cohort' < {2**70}: the column is int32, which cannot be compared"),
    ):
        with pytest.raises(FeedLogError, match=message):
            plan_window(tmp_path / "log", EVAL_DAY, 1, columns(where=where))


def test_conditions_on_times_and_missing_values() -> None:
    moments = pa.array([datetime(2026, 1, 5, 3), datetime(2026, 1, 6), None], pa.timestamp("us"))
    days = pa.array([datetime(2026, 1, 5), datetime(2026, 1, 6), None], pa.date32())
    rows = pa.record_batch(
        {
            "naive": moments,
            "utc": moments.cast(pa.timestamp("ms", "UTC")),
            "day": days,
            "text": ["a", None, "b"],
            "nothing": pa.nulls(3),
            "price": pa.array([Decimal("4.99"), Decimal(5), None], pa.decimal128(10, 2)),
            "wide": pa.array([Decimal(10**37), Decimal(5), None], pa.decimal128(38, 0)),
            "market": pa.array(["us", None, "de"]).dictionary_encode(),
        }
    )
    for where, kept in (
        ([("naive", ">=", "2026-01-06")], [1]),
        ([("utc", "<", "2026-01-05T03:20:00+00:30")], []),
        ([("utc", "<", datetime(2026, 1, 5, 4))], [0]),
        ([("utc", ">=", "2026-01-06")], [1]),
        ([("day", "not in", ["2026-01-05"])], [1, 2]),
        ([("text", "!=", "a")], [2]),
        ([("nothing", "==", "a")], []),
        ([("nothing", "in", ["a", 1.5])], []),
        ([("nothing", "not in", ["a"])], [0, 1, 2]),
        ([("price", "<", 5)], [0]),
        ([("price", ">=", 5)], [1]),
        ([("price", "==", 4.99)], [0]),
        ([("price", ">", 4.999)], [1]),
        ([("price", "<", 1e300)], [0, 1]),
        ([("price", ">", -12345)], [0, 1]),
        ([("price", "not in", [5])], [0, 2]),
        ([("price", "in", [4.99, 4.999, 7])], [0]),
        ([("wide", ">", 10**30)], [0]),
        ([("market", "==", "us")], [0]),
        ([("market", "not in", ["us"])], [1, 2]),
        ([[("text", "==", "a")], [("naive", "==", "2026-01-06")]], [0, 1]),
        ((), [0, 1, 2]),
    ):
        check_filter("a.parquet", Rows(where=where).where, rows.schema)
        assert kept_rows(rows, Rows(where=where).where).tolist() == kept


def test_weights_are_those_of_the_column_times_recency(tmp_path: Path, write_day: WriteDay) -> None:
    for back in range(3):
        table = day_table(30, back, EVAL_DAY - timedelta(days=back))
        write_day(back, table.append_column("w (kg)", pa.array(np.arange(30) % 4)))
    for asked, own in (
        (columns(weight="w (kg)"), np.arange(30) % 4),
        (columns(weight="w (kg)", half_life_days=1.0), np.arange(30) % 4),
        (columns(half_life_days=1.0), np.ones(30)),
    ):
        plan = plan_window(tmp_path / "log", EVAL_DAY, 2, asked)
        for unit in plan.units:
            factor = 0.5 if asked.rows.half_life_days and (EVAL_DAY - unit.day).days == 2 else 1.0
            [batch] = read_unit(unit, asked.columns)
            assert batch.schema.names == [column.name for column in asked.columns]
            assert batch.column(ROW_WEIGHT).to_pylist() == [[factor * weight] for weight in own]
    write_day(0, day_table(2).append_column("w (kg)", pa.array([1.0, -2.0])))
    [unit] = plan_day(tmp_path / "log", EVAL_DAY, columns(weight="w (kg)"))
    with pytest.raises(FeedLogError, match=r"weight column 'w \(kg\)', row 1: -2.0; a weight is a number of 0 or more"):
        list(read_unit(unit, columns(weight="w (kg)").columns))
