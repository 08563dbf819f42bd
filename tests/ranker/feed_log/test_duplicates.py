"""Duplicated data, and data that only looks duplicated."""

import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.feed_log.columns import LogColumns
from ranker.feed_log.duplicates import refuse_copies
from ranker.feed_log.layout import FeedLogError, LogFile, open_all
from ranker.feed_log.planning import plan_day, plan_window
from tests.small_feed_log import EVAL_DAY, TRAIN_DAYS


def day_folder(feed_log: Path, days_back: int) -> Path:
    return feed_log / f"day-{EVAL_DAY - timedelta(days=days_back)}"


def test_yesterdays_files_under_todays_name_are_found(feed_log: Path, columns: LogColumns) -> None:
    shutil.rmtree(day_folder(feed_log, 0))
    shutil.copytree(day_folder(feed_log, 1), day_folder(feed_log, 0))
    with pytest.raises(FeedLogError, match=r"day-2024-03-04/.*: a copy of .*day-2024-03-03/.* its 50 rows would count"):
        plan_window(feed_log, EVAL_DAY, TRAIN_DAYS, columns)


def test_a_part_written_twice_by_a_retried_job_is_found(feed_log: Path, columns: LogColumns) -> None:
    part = next(day_folder(feed_log, 2).glob("*.parquet"))
    shutil.copy(part, part.with_name("part-attempt-2.parquet"))
    with pytest.raises(FeedLogError, match=r"day-2024-03-02/.*: a copy of .*day-2024-03-02/"):
        plan_window(feed_log, EVAL_DAY, TRAIN_DAYS, columns)
    with pytest.raises(FeedLogError, match=r"day-2024-03-02/.*: a copy of .*day-2024-03-02/"):
        plan_day(feed_log, EVAL_DAY - timedelta(days=2), columns)


def test_files_that_only_look_alike_are_not_copies(tmp_path: Path) -> None:
    """Without statistics, the footers of two different columns of floats are equal."""
    files = []
    for i in range(3):
        path = tmp_path / f"{i}.parquet"
        table = pa.table({"x": pa.array(np.random.default_rng(i).random(100))})
        pq.write_table(table, path, write_statistics=False, compression="none", use_dictionary=False)
        files.append(LogFile(EVAL_DAY, str(path), path.stat().st_size))
    footers = dict(zip(files, open_all(files), strict=True))
    assert len({(file.size, footer.serialized_size) for file, footer in footers.items()}) == 1
    refuse_copies(footers)


def test_empty_files_may_repeat(tmp_path: Path) -> None:
    files = []
    for i in range(2):
        path = tmp_path / f"{i}.parquet"
        pq.write_table(pa.table({"x": pa.array([], pa.float64())}), path)
        files.append(LogFile(EVAL_DAY, str(path), path.stat().st_size))
    refuse_copies(dict(zip(files, open_all(files), strict=True)))
