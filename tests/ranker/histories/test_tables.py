"""A day that is read as it is on disk is checked as a day of the pipeline is."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.config.columns import Keys
from ranker.feed_log.columns import columns_of
from ranker.feed_log.layout import FeedLogError
from ranker.histories.tables import day_tables
from tests.small_feed_log import EVAL_DAY, FEATURES, OBJECTIVES, day_table, replaced

COLUMNS = columns_of(OBJECTIVES, FEATURES, Keys())


def _in_seconds(file: Path) -> None:
    rows = pq.read_table(file)
    seconds = pa.array([int(time.timestamp()) for time in rows["timestamp"].to_pylist()])
    pq.write_table(replaced(rows, "timestamp", seconds), file)


def _of_another_day(file: Path) -> None:
    pq.write_table(day_table(50, day=EVAL_DAY - timedelta(days=2)), file)


def _copied(file: Path) -> None:
    shutil.copy(file, file.with_name("part-1.parquet"))


def _damaged(file: Path) -> None:
    # The timestamps stay readable; the last column is damaged.
    chunk = pq.read_metadata(file).row_group(0).column(pq.read_metadata(file).num_columns - 1)
    end = chunk.dictionary_page_offset + chunk.total_compressed_size
    content = bytearray(file.read_bytes())
    content[end - 40 : end] = b"\xff" * 40
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_in_seconds, "timestamp column 'timestamp': all 50 rows of the day are outside of 2024-03-04.*seconds since"),
        (_of_another_day, "timestamp column 'timestamp': all 50 rows of the day are outside of 2024-03-04"),
        (_copied, "part-1.parquet: a copy of .*part-0.parquet, byte for byte"),
        (_damaged, "part-0.parquet: cannot be read beyond row 0: "),
    ],
)
def test_a_day_that_cannot_be_used_is_refused(tmp_path: Path, change: Callable[[Path], None], said: str) -> None:
    folder = tmp_path / f"day-{EVAL_DAY}"
    folder.mkdir()
    pq.write_table(day_table(50), folder / "part-0.parquet")
    [read] = day_tables(tmp_path, EVAL_DAY, COLUMNS, 100)
    assert read.place == f"{folder / 'part-0.parquet'}: rows 0 to 49"
    change(folder / "part-0.parquet")
    with pytest.raises(FeedLogError, match=said):
        list(day_tables(tmp_path, EVAL_DAY, COLUMNS, 100))
