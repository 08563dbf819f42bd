"""Tables of pyarrow or pandas as arguments, and results of the same kind."""

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import pyarrow as pa

from ranker.feed_log.layout import FeedLogError

if TYPE_CHECKING:
    import pandas as pd

    AnyTable: TypeAlias = pa.Table | pa.RecordBatch | pd.DataFrame

T = TypeVar("T", bound="AnyTable")

TABLE = "the table"
"""What messages call a table in memory."""


def to_arrow(table: "AnyTable", columns: Iterable[str], where: str = TABLE) -> pa.Table:
    """Those of the columns that the table has, as a pyarrow table.

    Columns that nothing reads are not converted, as pandas may hold values there that Arrow has no type for. Messages
    call the table `where`.

    Raises:
        FeedLogError: a column of a data frame has values of several types, or a column stands there twice.
        TypeError: it is no table.
    """
    if not (is_frame(table) or isinstance(table, (pa.Table, pa.RecordBatch))):
        raise TypeError(f"a pyarrow table or a pandas data frame is expected, got {type(table).__name__}")
    names = column_names(table)
    read = [name for name in columns if name in names]
    if twice := sorted(name for name in read if names.count(name) > 1):
        raise FeedLogError(f"{where}: column {twice[0]!r} stands there more than once")
    if isinstance(table, pa.RecordBatch):
        table = pa.Table.from_batches([table])
    if isinstance(table, pa.Table):
        return table.select(read)
    frame: Any = table
    arrays = []
    for name in read:
        try:
            arrays.append(pa.Array.from_pandas(frame[name]))
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise FeedLogError(f"{where}: column {name!r} has values of several types: {error}") from None
    return pa.table([_chunked(array) for array in arrays], names=read)


def column_names(table: "AnyTable") -> list[str]:
    """The names of a table's columns."""
    return [str(name) for name in table.columns] if is_frame(table) else list(table.schema.names)


def like(result: pa.Table, given: T, rows: Sequence[int] | None = None) -> T:
    """A result in the kind of the given table.

    Args:
        result: a row per row of `rows`.
        given: the table that it was computed from. A data frame's index is kept.
        rows: the row of `given` that each row of the result belongs to; None for the same rows in the same order.
    """
    made: Any = result
    if is_frame(given):
        frame: Any = given
        made = result.to_pandas()
        made.index = frame.index if rows is None else frame.index.take(rows)
    elif isinstance(given, pa.RecordBatch):
        batches = result.combine_chunks().to_batches()
        made = batches[0] if batches else pa.RecordBatch.from_pylist([], schema=result.schema)
    return made


def is_frame(table: object) -> bool:
    """Whether it is a data frame of pandas; pandas is not imported for that."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(table, pandas.DataFrame)


def _chunked(array: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
