"""Rows of a feed log as record batches of lists, ready to become tf.Examples."""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from ranker.features.arrow import BadValueError
from ranker.features.log_column import LogColumn
from ranker.feed_log.conversion import to_lists
from ranker.feed_log.layout import FeedLogError, open_parquet
from ranker.feed_log.planning import WorkUnit

BATCH_ROWS = 8192


def read_unit(unit: WorkUnit, columns: Sequence[LogColumn], batch_rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
    """The rows of a unit in order; no more than one row group is in memory.

    Returns:
        Batches of up to `batch_rows` rows, each column as `conversion.to_lists` gives it.

    Raises:
        FeedLogError: a value that its column may not hold, with file, column and row, or a damaged file.
    """
    sources = list(dict.fromkeys(column.source for column in columns))
    row = unit.first_row
    try:
        for batch in parquet_batches(unit.path, sources, batch_rows, unit.row_groups):
            yield as_lists(unit.path, row, columns, batch)
            row += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise FeedLogError(f"{unit.path}: cannot be read beyond row {row}: {error}") from error


def parquet_batches(
    path: str, names: Sequence[str], batch_rows: int = BATCH_ROWS, row_groups: Sequence[int] | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows of a file's row groups, of all of them by default, as they are in the file.

    Arrow cannot read some valid columns in the Arrow types that their writer noted: a fixed-size list that is null
    somewhere, and lists of a dictionary-encoded type in several row groups. From such a column on, the rows are read in
    the file's Parquet types.
    """
    done = 0
    for arrow_types in (True, False):
        skip = done
        try:
            with open_parquet(path, arrow_types) as file:
                for batch in file.iter_batches(batch_rows, row_groups=row_groups, columns=list(names)):
                    if skip < batch.num_rows:
                        yield batch.slice(skip)
                        done += batch.num_rows - skip
                    skip = max(0, skip - batch.num_rows)
            return
        except pa.ArrowException:
            if not arrow_types:
                raise


def as_lists(path: str, first_row: int, columns: Sequence[LogColumn], rows: pa.RecordBatch) -> pa.RecordBatch:
    """The columns of some rows as lists, by the columns' names.

    Args:
        path: of the file, for messages.
        first_row: index of the first of these rows in the file.
        columns: what to convert.
        rows: with the columns' sources, as they are in the file.

    Raises:
        FeedLogError: as `converted`.
    """
    lists = [converted(path, first_row, column, rows.column(column.source)) for column in columns]
    return pa.RecordBatch.from_arrays(lists, [column.name for column in columns])


def converted(path: str, first_row: int, column: LogColumn, values: pa.Array) -> pa.ListArray:
    """A column as lists, one per row.

    Args:
        path: of the file, for the message.
        first_row: index of the first of these rows in the file.
        column: what the column is.
        values: [rows].

    Raises:
        FeedLogError: a value that the column may not hold; the message names file, column and row.
    """
    try:
        return to_lists(column, values)
    except BadValueError as error:
        where = f"{path}: {column.kind} column {column.source!r}, row {first_row + error.row}"
        raise FeedLogError(f"{where}: {error.problem}") from error
    except pa.ArrowException as error:
        where = f"{path}: {column.kind} column {column.source!r}, rows {first_row} to {first_row + len(values) - 1}"
        raise FeedLogError(f"{where}: {error}") from error
