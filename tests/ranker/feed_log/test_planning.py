import logging
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from ranker.feed_log import planning
from ranker.feed_log.columns import LogColumns
from ranker.feed_log.layout import FeedLogError
from ranker.feed_log.planning import plan_day, plan_window
from tests.ranker.feed_log.conftest import WriteDay
from tests.small_feed_log import EVAL_DAY, TRAIN_DAYS, day_table, replaced


def test_days_are_split_and_counted(feed_log: Path, columns: LogColumns) -> None:
    plan = plan_window(feed_log, EVAL_DAY, TRAIN_DAYS, columns)
    assert plan.rows_per_day == {
        date(2024, 3, 1): 70,
        date(2024, 3, 2): 60,
        date(2024, 3, 3): 50,
        date(2024, 3, 4): 40,
    }
    assert (plan.rows("train"), plan.rows("eval")) == (180, 40)
    assert plan.missing_days == ()
    assert plan == plan_window(feed_log, EVAL_DAY, TRAIN_DAYS, columns)


def test_a_shorter_window_reads_fewer_days(feed_log: Path, columns: LogColumns) -> None:
    plan = plan_window(feed_log, EVAL_DAY - timedelta(days=1), 1, columns)
    assert plan.rows_per_day == {date(2024, 3, 2): 60, date(2024, 3, 3): 50}


def test_days_before_the_train_days_can_be_replayed(feed_log: Path, columns: LogColumns) -> None:
    plan = plan_window(feed_log, EVAL_DAY, 1, columns, replay_days=2)
    assert plan.splits == ("replay", "train", "eval")
    assert (plan.rows("replay"), plan.rows("train"), plan.rows("eval")) == (130, 50, 40)
    assert [Path(u.path).parent.name for u in plan.units if u.split == "replay"] == ["day-2024-03-01", "day-2024-03-02"]
    assert list(plan.rows_per_day.items()) == [
        (date(2024, 3, 1), 70),
        (date(2024, 3, 2), 60),
        (date(2024, 3, 3), 50),
        (date(2024, 3, 4), 40),
    ]


def test_a_usual_day_is_the_median_of_all_days_before_whatever_the_training_reads(
    feed_log: Path, columns: LogColumns
) -> None:
    assert plan_window(feed_log, EVAL_DAY, TRAIN_DAYS, columns).usual_rows == 60
    assert plan_window(feed_log, EVAL_DAY, 1, columns).usual_rows == 50
    assert plan_window(feed_log, EVAL_DAY, 1, columns, replay_days=1).usual_rows == 55
    assert plan_window(feed_log, EVAL_DAY, 1, columns, reference=TRAIN_DAYS).usual_rows == 60


def test_missing_replay_days_are_skipped(feed_log: Path, columns: LogColumns, caplog: pytest.LogCaptureFixture) -> None:
    (feed_log / "day-2024-03-01" / "part-0.parquet").unlink()
    with caplog.at_level(logging.WARNING):
        plan = plan_window(feed_log, EVAL_DAY, 1, columns, replay_days=4)
        alone = plan_window(feed_log, date(2024, 3, 3), 1, columns, replay_days=4)
    assert (plan.rows("replay"), plan.missing_days) == (60, ())
    assert alone.splits == ("train", "eval")
    assert "missing" not in caplog.text


def test_a_train_day_that_is_a_copy_of_a_replayed_one_is_refused(feed_log: Path, columns: LogColumns) -> None:
    copied = (feed_log / "day-2024-03-02" / "part-0.parquet").read_bytes()
    (feed_log / "day-2024-03-03" / "part-0.parquet").write_bytes(copied)
    with pytest.raises(FeedLogError, match="a copy of"):
        plan_window(feed_log, EVAL_DAY, 1, columns, replay_days=1)


def test_rows_and_row_groups_are_divided_into_shards(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, write_day: WriteDay, columns: LogColumns
) -> None:
    monkeypatch.setattr(planning, "MIN_SHARD_ROWS", 10)
    monkeypatch.setattr(planning, "MAX_SHARD_ROWS", 25)
    write_day(1, day_table(100, day=EVAL_DAY - timedelta(days=1)), row_group_size=10)
    write_day(0, day_table(90), row_group_size=60)
    plan = plan_window(tmp_path / "log", EVAL_DAY, 1, columns)
    described = [
        (u.split, u.row_groups, u.first_row, u.rows, u.first_shard, u.shards, u.shards_in_split) for u in plan.units
    ]
    assert described == [
        ("train", (0, 1), 0, 20, 0, 1, 5),
        ("train", (2, 3), 20, 20, 1, 1, 5),
        ("train", (4, 5), 40, 20, 2, 1, 5),
        ("train", (6, 7), 60, 20, 3, 1, 5),
        ("train", (8, 9), 80, 20, 4, 1, 5),
        ("eval", (0,), 0, 60, 0, 3, 5),
        ("eval", (1,), 60, 30, 3, 2, 5),
    ]


def test_one_day_alone(feed_log: Path, columns: LogColumns) -> None:
    units = plan_day(feed_log, EVAL_DAY, columns)
    assert [(u.split, u.rows) for u in units] == [("eval", 40)]
    with pytest.raises(FeedLogError, match="no folder day-2020-01-01; days there: 2024-03-01, 2024-03-02, 2024-03-03"):
        plan_day(feed_log, date(2020, 1, 1), columns)


def test_a_missing_train_day_is_a_warning(
    feed_log: Path, columns: LogColumns, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        plan = plan_window(feed_log, EVAL_DAY, 5, columns)
    assert plan.missing_days == (date(2024, 2, 28), date(2024, 2, 29))
    assert "continuing without the missing days 2024-02-28, 2024-02-29" in caplog.text


def test_a_missing_eval_day_is_an_error(feed_log: Path, columns: LogColumns) -> None:
    with pytest.raises(FeedLogError) as raised:
        plan_window(feed_log, EVAL_DAY + timedelta(days=1), TRAIN_DAYS, columns)
    assert str(raised.value) == (
        f"feed log {feed_log}: the eval day 2024-03-05 has no folder day-2024-03-05; "
        "days there: 2024-03-01, 2024-03-02, 2024-03-03, 2024-03-04"
    )


def test_no_train_day_at_all_is_an_error(feed_log: Path, columns: LogColumns) -> None:
    with pytest.raises(FeedLogError, match=r"none of the 2 train days before 2024-03-01 \(2024-02-28, 2024-02-29\)"):
        plan_window(feed_log, date(2024, 3, 1), 2, columns)


@pytest.mark.parametrize("days_back", [0, 2])
@pytest.mark.parametrize("with_file", [True, False])
def test_a_day_without_rows_is_an_error(
    feed_log: Path, write_day: WriteDay, columns: LogColumns, days_back: int, with_file: bool
) -> None:
    path = write_day(days_back, day_table(0))
    if not with_file:
        path.unlink()
    with pytest.raises(FeedLogError, match=f"{path.parent.name}: a day's folder needs Parquet files with at least one"):
        plan_window(feed_log, EVAL_DAY, TRAIN_DAYS, columns)


def test_every_file_is_checked(feed_log: Path, write_day: WriteDay, columns: LogColumns) -> None:
    write_day(1, day_table(5).drop_columns(["device"]), "part-1.parquet")
    with pytest.raises(FeedLogError, match=r"day-2024-03-03/part-1\.parquet: no column 'device'; it has session_id, "):
        plan_window(feed_log, EVAL_DAY, TRAIN_DAYS, columns)
    write_day(1, replaced(day_table(5), "click", pa.array(["no"] * 5)), "part-1.parquet")
    with pytest.raises(
        FeedLogError, match=r"part-1\.parquet: objective column 'click' is string; accepted are bool and"
    ):
        plan_window(feed_log, EVAL_DAY, TRAIN_DAYS, columns)
    (feed_log / "day-2024-03-03" / "part-1.parquet").write_text("click\n1\n")
    with pytest.raises(FeedLogError, match=r"part-1\.parquet: not a Parquet file, or an incomplete one"):
        plan_window(feed_log, EVAL_DAY, TRAIN_DAYS, columns)


def test_an_empty_file_among_others_is_accepted(feed_log: Path, write_day: WriteDay, columns: LogColumns) -> None:
    write_day(1, pa.table({"session_id": pa.nulls(0)}), "part-1.parquet")
    assert plan_window(feed_log, EVAL_DAY, TRAIN_DAYS, columns).rows("train") == 180
