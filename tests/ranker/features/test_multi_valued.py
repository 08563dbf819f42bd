"""Multi-valued columns: conversion, schema and serving."""

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.config.columns import MultiValued
from ranker.features.drafting import Seen
from ranker.features.log_column import LogColumn
from ranker.features.multi_valued import MultiValuedKind
from tests.ranker.features.columns import INF, NAN, assert_accepts, assert_refused, converted

STRINGS = pa.dictionary(pa.int32(), pa.string())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([["b", "a"], None, [], ["", None, "c"], [None]]), [[b"b", b"a"], None, None, [b"c"], None]),
        (pa.array([[1, 2], [3]], pa.large_list(pa.int64())), [[b"1", b"2"], [b"3"]]),
        (pa.array([["a", "b"], None, ["c", "d"]], pa.list_(pa.string(), 2)), [[b"a", b"b"], None, [b"c", b"d"]]),
        (pa.array([["a"], ["b", "a"]], pa.list_(pa.dictionary(pa.int8(), pa.string()))), [[b"a"], [b"b", b"a"]]),
        (pa.nulls(2), [None, None]),
        (pa.array([[1.0, None, -0.0], None, [NAN], [7.0]]), [[b"1", b"0"], None, None, [b"7"]]),
        (pa.array([[True, False], [None]]), [[b"1", b"0"], None]),
        (pa.array([[Decimal("3.0")], []]), [[b"3"], None]),
        (pa.array([[None, NAN], []], pa.list_(pa.float64())), [None, None]),
        (pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2)), [[b"1", b"2"], None]),
        (pa.array([["z"], ["a"], ["b"]])[1:], [[b"a"], [b"b"]]),
    ],
)
def test_values_become_lists_of_bytes(values: pa.Array, expected: list[Any]) -> None:
    assert converted("multi_valued", values) == expected


@pytest.mark.parametrize(
    ("values", "row", "problem"),
    [
        (pa.array([[1.0], None, [], [2.0, 0.5]]), 3, "0.5; a category is a text or a whole number"),
        (pa.array([[0.5], [1.0]]), 0, "0.5; a category is a text or a whole number"),
        (pa.array([[1.0, 2.0], None, [3.0, INF]], pa.list_(pa.float64(), 2)), 2, "inf; a category is a text or"),
        (pa.array([[1.5], [1.0], [2.0**53]])[1:], 1, "9007199254740992.0; double holds whole numbers exactly only"),
    ],
)
def test_fractions_are_refused_with_their_row(values: pa.Array, row: int, problem: str) -> None:
    assert_refused("multi_valued", values, row, problem)


def test_accepted_types() -> None:
    assert_accepts(
        "multi_valued",
        good=[
            *(pa.list_(pa.string()), pa.large_list(pa.int64()), pa.list_(STRINGS), pa.list_(pa.int8(), 2)),
            *(pa.list_(pa.float32()), pa.list_(pa.decimal128(3, 1)), pa.null(), pa.list_(pa.null())),
        ],
        bad=[pa.string(), pa.list_(pa.date32()), pa.list_(pa.list_(pa.string()))],
    )


def test_a_draft_is_optional_strings_of_any_number() -> None:
    drafted = MultiValuedKind.draft(LogColumn("topics", "multi_valued"), Seen(present=0.5, varies=True, domain=["a"]))
    assert (drafted.type, drafted.value_count.min) == (schema_pb2.BYTES, 1)
    assert not drafted.value_count.HasField("max")
    assert list(drafted.string_domain.value) == ["a"]


def test_a_request_is_sparse_without_empty_strings() -> None:
    kind = MultiValuedKind(MultiValued("topics"))
    assert kind.tensor_spec("topics") == tf.TensorSpec([None, None], tf.string, name="topics")
    column = kind.from_dense(tf.constant([["", "a", ""], ["b", "", "c"], [""] * 3]), tf.io.VarLenFeature(tf.string))
    np.testing.assert_array_equal(tf.sparse.to_dense(column), [[b"a", b""], [b"b", b"c"], [b"", b""]])


def test_the_forest_reads_a_count_and_one_input_per_value_kept() -> None:
    assert MultiValued("topics", vocabulary_size=2).forest_names == ("topics.count", "topics.0", "topics.1")
