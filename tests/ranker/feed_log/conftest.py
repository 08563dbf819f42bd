"""A feed log on disk."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.config.columns import Keys
from ranker.feed_log.columns import LogColumns, columns_of
from tests.small_feed_log import EVAL_DAY, FEATURES, OBJECTIVES, TRAIN_DAYS, day_table

WriteDay = Callable[..., Path]


@pytest.fixture
def columns() -> LogColumns:
    return columns_of(OBJECTIVES, FEATURES, Keys())


@pytest.fixture
def write_day(tmp_path: Path) -> WriteDay:
    """Writes one Parquet file of a day, counted back from the eval day, and returns its path."""

    def write(days_back: int, table: pa.Table, name: str = "part-0.parquet", row_group_size: int | None = None) -> Path:
        path = tmp_path / "log" / f"day-{EVAL_DAY - timedelta(days=days_back)}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, row_group_size=row_group_size)
        return path

    return write


@pytest.fixture
def feed_log(tmp_path: Path, write_day: WriteDay) -> Path:
    """The eval day and the three days before it, 40 to 70 rows each."""
    for days_back in range(TRAIN_DAYS + 1):
        write_day(days_back, day_table(40 + 10 * days_back, days_back, EVAL_DAY - timedelta(days=days_back)))
    return tmp_path / "log"
