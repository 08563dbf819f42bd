"""Numeric columns: conversion, schema, Transform and serving."""

import decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.config.columns import Numeric
from ranker.features.drafting import Seen
from ranker.features.log_column import LogColumn
from ranker.features.numeric import NumericKind
from tests.ranker.features.columns import INF, NAN, assert_accepts, converted


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1.5, None, NAN, -INF]), [[1.5], None, None, [-INF]]),
        (pa.array([1, None, -3], pa.int8()), [[1.0], None, [-3.0]]),
        (pa.array([2**53 + 1, 2**63 - 1], pa.int64()), [[2.0**53], [2.0**63]]),
        (pa.array([2**64 - 1], pa.uint64()), [[2.0**64]]),
        (pa.array([True, False, None]), [[1.0], [0.0], None]),
        (pa.array([np.float16(0.5), None, np.float16(NAN)], pa.float16()), [[0.5], None, None]),
        (pa.array([decimal.Decimal("1.25"), None]), [[1.25], None]),
        (pa.array([7.0, None, 7.0]).dictionary_encode(), [[7.0], None, [7.0]]),
        (pa.nulls(2), [None, None]),
        (pa.array([], pa.float64()), []),
    ],
)
def test_numbers_become_float32(values: pa.Array, expected: list[Any]) -> None:
    assert converted("numeric", values) == expected


def test_accepted_types() -> None:
    assert_accepts(
        "numeric",
        good=[pa.float16(), pa.uint8(), pa.bool_(), pa.null()],
        bad=[pa.string(), pa.timestamp("ms")],
    )


def test_a_draft_is_an_optional_number_with_a_drift_threshold_where_it_varies() -> None:
    column = LogColumn("age", "numeric")
    drafted = NumericKind.draft(column, Seen(present=0.9, varies=True))
    assert (drafted.type, drafted.value_count.min, drafted.value_count.max) == (schema_pb2.FLOAT, 1, 1)
    assert drafted.presence.min_fraction == pytest.approx(0.45)
    assert drafted.drift_comparator.jensen_shannon_divergence.threshold == pytest.approx(0.3)
    assert not NumericKind.draft(column, Seen(present=0.9)).HasField("drift_comparator")
    assert not NumericKind.draft(column, Seen()).presence.HasField("min_fraction")


def test_a_request_and_an_example_are_read_alike() -> None:
    kind = NumericKind(Numeric("age"))
    assert kind.tensor_spec("age") == tf.TensorSpec([None], tf.float32, name="age")
    examples = [_example([2.5]), _example([]), tf.train.Example().SerializeToString()]
    parsed = tf.io.parse_example(examples, {"age": kind.parse_spec(None)})["age"]
    tensor = kind.parsed(parsed, tf.constant(3, tf.int64))
    np.testing.assert_array_equal(tensor, [[2.5], [NAN], [NAN]])
    np.testing.assert_array_equal(kind.from_dense(tf.constant([2.5, NAN, NAN]), None), tensor)


def _example(values: list[float]) -> bytes:
    feature = tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Example(features=tf.train.Features(feature={"age": feature})).SerializeToString()
