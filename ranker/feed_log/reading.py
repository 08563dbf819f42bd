"""Rows of a feed log as record batches of lists, ready to become tf.Examples."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ranker.features.arrow import BadValueError, singles
from ranker.features.log_column import LogColumn
from ranker.features.registry import column_kind
from ranker.features.row_weight import WeightKind
from ranker.feed_log.conversion import to_lists
from ranker.feed_log.layout import FeedLogError, open_parquet
from ranker.feed_log.planning import WorkUnit
from ranker.feed_log.row_filter import kept_rows

BATCH_ROWS = 8192

Numbers = int | npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LocatedRows:
    """Some rows of a file.

    Attributes:
        path: of the file, a path or URI.
        numbers: index of each row in the file, [rows].
        rows: a column of the file per column, as it is there or as lists.
    """

    path: str
    numbers: npt.NDArray[np.int64]
    rows: pa.RecordBatch

    @property
    def place(self) -> str:
        """The file, and the first and the last of the rows; for messages."""
        return place_of(self.path, self.numbers, len(self.numbers))

    def filter(self, kept: npt.NDArray[np.bool_]) -> "LocatedRows":
        """Some of the rows."""
        return LocatedRows(self.path, self.numbers[kept], self.rows.filter(pa.array(kept)))


def place_of(path: str, first_row: Numbers, rows: int) -> str:
    """A file, and the first and the last of some of its rows; for messages.

    Args:
        path: of the file.
        first_row: index of the first of these rows in the file, or the index of each.
        rows: number of rows.

    Example:
        >>> place_of("part-0.parquet", np.array([4, 7, 9]), 3)
        'part-0.parquet: rows 4 to 9'
    """
    numbers = _numbers(first_row, rows)
    if rows < 2:
        return f"{path}: row {numbers[0]}" if rows else path
    return f"{path}: rows {numbers[0]} to {numbers[-1]}"


def _numbers(first_row: Numbers, rows: int) -> npt.NDArray[np.int64]:
    """The index of each of some rows."""
    return first_row + np.arange(rows) if isinstance(first_row, int) else first_row


class ComputedColumns(Protocol):
    """Columns that a file lacks, computed from earlier days; see `ranker.histories`.

    Attributes:
        reads: the columns of a row that they are computed for.
    """

    @property
    def reads(self) -> Sequence[LogColumn]: ...

    def __call__(self, day: date, rows: pa.RecordBatch, names: Sequence[str]) -> Mapping[str, pa.ListArray]:
        """The columns with these names, as lists, for rows of a day with the columns `reads` as lists."""


def read_unit(
    unit: WorkUnit,
    columns: Sequence[LogColumn],
    batch_rows: int = BATCH_ROWS,
    computed: ComputedColumns | None = None,
) -> Iterator[pa.RecordBatch]:
    """The rows of a unit in order; no more than one row group is in memory.

    Args:
        unit: from `planning`.
        columns: to read.
        batch_rows: the largest number of rows of a batch.
        computed: gives columns that the file lacks.

    Returns:
        Batches of up to `batch_rows` rows that meet the unit's conditions, each column as `conversion.to_lists` gives
        it.

    Raises:
        FeedLogError: a value that its column may not hold, with file, column and row, or a damaged file.
        ValueError: the file lacks a column that is computed from earlier days, but nothing computes it.
    """
    for found in located_rows(unit, columns, batch_rows, computed):
        yield found.rows


def located_rows(
    unit: WorkUnit,
    columns: Sequence[LogColumn],
    batch_rows: int = BATCH_ROWS,
    computed: ComputedColumns | None = None,
) -> Iterator[LocatedRows]:
    """The rows of `read_unit`, with the file and the numbers of the rows of each batch."""
    absent = _absent(unit.path, columns)
    if absent and computed is None:
        raise ValueError(f"{unit.path}: {absent} are computed from earlier days, which this command does not read")
    further = computed.reads if computed is not None and absent else ()
    there = [column for column in dict.fromkeys((*columns, *further)) if column.name not in absent]
    read = [column for column in there if column_kind(column.kind).is_stored]
    conditions = [column for alternative in unit.where for column, _, _ in alternative]
    sources = list(dict.fromkeys([*(column.source for column in read), *conditions]))
    row = unit.first_row
    for batch in parquet_batches(unit.path, sources, batch_rows, unit.row_groups, unit.first_row):
        kept = kept_rows(batch, unit.where)
        if len(kept):
            rows = batch if len(kept) == batch.num_rows else batch.take(pa.array(kept))
            lists = _weighted(unit, there, as_lists(unit.path, row + kept, read, rows))
            if computed is not None and absent:
                lists = _with(computed(unit.day, lists, absent), lists, columns)
            yield LocatedRows(unit.path, row + kept, lists)
        row += batch.num_rows


def _absent(path: str, columns: Sequence[LogColumn]) -> list[str]:
    """The columns that are computed from earlier days, as the file lacks them."""
    optional = [column for column in columns if column_kind(column.kind).computed]
    if not optional:
        return []
    with open_parquet(path) as file:
        there = set(file.schema_arrow.names)
    return [column.name for column in optional if column.source not in there]


def _with(computed: Mapping[str, pa.ListArray], lists: pa.RecordBatch, columns: Sequence[LogColumn]) -> pa.RecordBatch:
    names = [column.name for column in columns]
    arrays = [computed[name] if name in computed else lists.column(name) for name in names]
    return pa.RecordBatch.from_arrays(arrays, names)


def parquet_batches(
    path: str,
    names: Sequence[str],
    batch_rows: int = BATCH_ROWS,
    row_groups: Sequence[int] | None = None,
    first_row: int = 0,
) -> Iterator[pa.RecordBatch]:
    """The rows of a file's row groups, of all of them by default, as they are in the file.

    Arrow cannot read some valid columns in the Arrow types that their writer noted: a fixed-size list that is null
    somewhere, and lists of a dictionary-encoded type in several row groups. From such a column on, the rows are read in
    the file's Parquet types.

    Args:
        path: path or URI.
        names: of the columns to read.
        batch_rows: the largest number of rows of a batch.
        row_groups: which ones.
        first_row: index of their first row in the file, for the message.

    Raises:
        FeedLogError: the file is damaged, or cannot be read any more; the message says from which row on.
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
        except (pa.ArrowException, OSError) as error:
            if not arrow_types or not isinstance(error, pa.ArrowException):
                raise FeedLogError(f"{path}: cannot be read beyond row {first_row + done}: {error}") from error


def _weighted(unit: WorkUnit, columns: Sequence[LogColumn], lists: pa.RecordBatch) -> pa.RecordBatch:
    """The columns in their order, with weights that fall with the age of the day."""
    if all(column_kind(column.kind).is_stored for column in columns) and unit.recency == 1.0:
        return lists
    arrays = []
    for column in columns:
        if not issubclass(column_kind(column.kind), WeightKind):
            arrays.append(lists.column(column.name))
            continue
        stored = lists.schema.get_field_index(column.name) >= 0
        weights = lists.column(column.name).flatten().to_numpy() if stored else np.ones(lists.num_rows, np.float32)
        recent = pa.array((weights * unit.recency).astype(np.float32))
        arrays.append(singles(recent, np.ones(lists.num_rows, bool)))
    return pa.RecordBatch.from_arrays(arrays, [column.name for column in columns])


def as_lists(path: str, first_row: Numbers, columns: Sequence[LogColumn], rows: pa.RecordBatch) -> pa.RecordBatch:
    """The columns of some rows as lists, by the columns' names.

    Args:
        path: of the file, for messages.
        first_row: index of the first of these rows in the file, or the index of each.
        columns: what to convert.
        rows: with the columns' sources, as they are in the file.

    Raises:
        FeedLogError: as `converted`.
    """
    lists = [converted(path, first_row, column, rows.column(column.source)) for column in columns]
    return pa.RecordBatch.from_arrays(lists, [column.name for column in columns])


def converted(path: str, first_row: Numbers, column: LogColumn, values: pa.Array) -> pa.ListArray:
    """A column as lists, one per row.

    Args:
        path: of the file, for the message.
        first_row: index of the first of these rows in the file, or the index of each.
        column: what the column is.
        values: [rows].

    Raises:
        FeedLogError: a value that the column may not hold; the message names file, column and row.
    """
    numbers = _numbers(first_row, len(values))
    try:
        return to_lists(column, values)
    except BadValueError as error:
        where = f"{path}: {column.kind} column {column.source!r}, row {numbers[error.row]}"
        raise FeedLogError(f"{where}: {error.problem}") from error
    except pa.ArrowException as error:
        where = f"{path}: {column.kind} column {column.source!r}, rows {numbers[0]} to {numbers[-1]}"
        raise FeedLogError(f"{where}: {error}") from error
