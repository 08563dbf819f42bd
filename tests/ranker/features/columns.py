"""A column of each kind as FeedLogGen converts it."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.features.arrow import BadValueError
from ranker.features.log_column import LogColumn
from ranker.features.registry import column_kind
from ranker.feed_log.conversion import to_lists

NAN, INF = float("nan"), float("inf")
_TYPES = {schema_pb2.FLOAT: pa.float32(), schema_pb2.INT: pa.int64(), schema_pb2.BYTES: pa.binary()}


def converted(kind: str, values: pa.Array, size: int = 1) -> list[Any]:
    """The lists that a column is converted to, checked to have the Arrow type of its kind's schema type."""
    lists = to_lists(LogColumn("x", kind, size), values)
    assert lists.type == pa.list_(_TYPES[column_kind(kind).schema_type])
    return lists.to_pylist()


def assert_accepts(kind: str, good: Sequence[pa.DataType], bad: Sequence[pa.DataType]) -> None:
    """Checks which Arrow types a kind accepts."""
    assert [column_kind(kind).accepts(arrow_type) for arrow_type in (*good, *bad)] == [True] * len(good) + [
        False
    ] * len(bad)


def assert_refused(kind: str, values: pa.Array, row: int, problem: str, size: int = 1) -> None:
    """Checks that a column is refused because of one row, and the description of the problem."""
    with pytest.raises(BadValueError) as raised:
        to_lists(LogColumn("x", kind, size), values)
    assert raised.value.row == row
    assert raised.value.problem.startswith(problem)
