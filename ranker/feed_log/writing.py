"""Writes a feed log: `<root>/day-YYYY-MM-DD/*.parquet`, one row per impression.

A day is written atomically: to a temporary folder, which readers ignore, and renamed when it is complete.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ranker.feed_log.layout import day_folder_name
from ranker.files import atomic_folder

ROWS_PER_FILE = 1_000_000
ROWS_PER_GROUP = 65_536


def day_folder(root: Path, day: date) -> Path:
    """The folder of one day of the feed log at `root`."""
    return root / day_folder_name(day)


def write_day(
    root: Path,
    day: date,
    rows: pa.Table | Iterable[pa.RecordBatch],
    *,
    overwrite: bool = False,
    rows_per_file: int = ROWS_PER_FILE,
) -> int:
    """Writes one day of impressions and returns the number of rows; `day_writer` takes the same arguments.

    Args:
        rows: a table, or record batches, which are written one at a time, so that a day need not fit into memory.
    """
    batches = rows.to_batches(max_chunksize=ROWS_PER_GROUP) if isinstance(rows, pa.Table) else rows
    with day_writer(root, day, overwrite=overwrite, rows_per_file=rows_per_file) as writer:
        for batch in batches:
            writer.write(batch)
    return writer.rows


@contextmanager
def day_writer(
    root: Path, day: date, *, overwrite: bool = False, rows_per_file: int = ROWS_PER_FILE
) -> Iterator["DayWriter"]:
    """A writer whose rows become the day's folder when the block ends; when it raises, the day stays unchanged.

    Args:
        root: the feed log; created if it does not exist.
        day: the day, which names the folder.
        overwrite: replace an existing day.
        rows_per_file: rows after which the day's next Parquet file begins; batches are not split.

    Raises:
        FileExistsError: the day exists and `overwrite` is false.
        ValueError: there are no rows, or a batch has another schema than the first one.
    """
    target = day_folder(root, day)
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} already exists; pass overwrite to replace it")
    with atomic_folder(target, replace=overwrite) as folder:
        writer = DayWriter(folder, target, rows_per_file)
        try:
            yield writer
        finally:
            writer.close()
        if not writer.rows:
            raise ValueError(f"{target}: a day needs at least one row, got none")


class DayWriter:
    """Writes record batches to `part-*.parquet` files, one row group per batch. `day_writer` creates it.

    Attributes:
        rows: rows written so far.
    """

    def __init__(self, folder: Path, target: Path, rows_per_file: int) -> None:
        self.rows = 0
        self._folder = folder
        self._target = target
        self._rows_per_file = rows_per_file
        self._schema: pa.Schema | None = None
        self._file: pq.ParquetWriter | None = None
        self._files = 0
        self._rows_in_file = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Appends the rows of a batch; raises ValueError if its schema differs from that of the first batch."""
        self._schema = self._schema or batch.schema
        if batch.schema != self._schema:
            differing = sorted({field.name for field in {*self._schema} ^ {*batch.schema}}) or self._schema.names
            raise ValueError(f"{self._target}: every batch needs the schema of the first; they differ in {differing}")
        if self._file is None or self._rows_in_file >= self._rows_per_file:
            self._file = self._next_file(batch.schema)
        self._file.write_batch(batch)
        self.rows += batch.num_rows
        self._rows_in_file += batch.num_rows

    def close(self) -> None:
        """Closes the file that is being written."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _next_file(self, schema: pa.Schema) -> pq.ParquetWriter:
        self.close()
        path = self._folder / f"part-{self._files:05d}.parquet"
        self._files += 1
        self._rows_in_file = 0
        # Dictionary encoding pays off for strings; for floats the writer would build a dictionary and discard it.
        strings = [column for field in schema if (column := _string_column(field))]
        return pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=strings)


def _string_column(field: pa.Field) -> str | None:
    """The Parquet path of a column of strings or of lists of strings; None for any other column."""
    if pa.types.is_list(field.type) and pa.types.is_string(field.type.value_type):
        return f"{field.name}.list.element"
    return field.name if pa.types.is_string(field.type) or pa.types.is_dictionary(field.type) else None
