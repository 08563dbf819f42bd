"""Columns of a feed log as lists of the three types that a tf.Example knows: floats, bytes and int64s."""

import pyarrow as pa
import pyarrow.types as pt

from ranker.features.log_column import LogColumn
from ranker.features.registry import column_kind


def to_lists(column: LogColumn, values: pa.Array) -> pa.ListArray:
    """A column as lists, one per row.

    Args:
        column: what the column is.
        values: [rows], of a type that `check_schema` accepts for it.

    Returns:
        [rows] lists of float32, int64 or binary, null where a row has no value; see the column's kind.

    Raises:
        BadValueError: a value that the column's kind does not allow.
    """
    if pt.is_dictionary(values.type):
        values = values.dictionary_decode()
    return column_kind(column.kind).to_lists(column, values)
