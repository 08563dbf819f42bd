"""Dense embeddings: conversion, schema, profile and serving."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.config.columns import DenseEmbedding
from ranker.features.dense import DenseKind
from ranker.features.drafting import Seen
from ranker.features.log_column import LogColumn
from tests.ranker.features.columns import INF, assert_accepts, assert_refused, converted


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[0.5, 1.0], [2.0, 3.0]]),
        pa.array([[0.5, 1.0], [2.0, 3.0]], pa.large_list(pa.float32())),
        pa.array([[9.0, 9.0], [0.5, 1.0], [2.0, 3.0]], pa.list_(pa.float32(), 2))[1:],
    ],
)
def test_vectors_become_lists_of_float32(values: pa.Array) -> None:
    assert converted("dense", values, size=2) == [[0.5, 1.0], [2.0, 3.0]]


@pytest.mark.parametrize(
    ("values", "row", "problem"),
    [
        (pa.array([[1.0, 2.0], None]), 1, "null; every impression needs an embedding of 2 numbers"),
        (pa.array([[1.0, 2.0], [1.0]]), 1, "an embedding of 1 numbers; the config says 2"),
        (pa.array([[1.0] * 3], pa.list_(pa.float32(), 3)), 0, "an embedding of 3 numbers; the config says 2"),
        (pa.array([[1.0, 2.0], [1.0, None]]), 1, "null at position 1; an embedding's numbers must be finite"),
        (pa.array([[INF, 2.0]]), 0, "inf at position 0; an embedding's numbers must be finite"),
        (pa.array([[2.0, 1e300]]), 0, "1e+300 at position 1; an embedding's numbers must be finite float32"),
    ],
)
def test_bad_vectors_are_refused_with_their_row(values: pa.Array, row: int, problem: str) -> None:
    assert_refused("dense", values, row, problem, size=2)


def test_accepted_types() -> None:
    assert_accepts(
        "dense",
        good=[pa.list_(pa.float32()), pa.list_(pa.float64(), 3), pa.large_list(pa.float16())],
        bad=[pa.float32(), pa.list_(pa.string())],
    )


def test_a_draft_is_a_vector_in_every_example() -> None:
    drafted = DenseKind.draft(LogColumn("content", "dense", 3), Seen())
    assert (drafted.type, [dim.size for dim in drafted.shape.dim]) == (schema_pb2.FLOAT, [3])
    assert (drafted.presence.min_fraction, drafted.presence.min_count) == (1.0, 1)


def test_a_request_is_read_as_the_schema_says() -> None:
    kind = DenseKind(DenseEmbedding("content", size=2))
    assert kind.log_column == LogColumn("content", "dense", 2)
    assert kind.tensor_spec("content") == tf.TensorSpec([None, 2], tf.float32, name="content")
    vectors = tf.constant([[1.0, 2.0], [0.0, 0.0]])
    np.testing.assert_array_equal(kind.from_dense(vectors, tf.io.FixedLenFeature([2], tf.float32)), vectors)
    sparse = kind.from_dense(vectors, tf.io.VarLenFeature(tf.float32))
    np.testing.assert_array_equal(tf.sparse.to_dense(sparse), vectors)


def test_the_monitor_counts_lengths() -> None:
    values = np.array([3.0, 4.0, 0.0, 2.0], np.float32)
    np.testing.assert_allclose(DenseKind.profiled(values, rows=2), [5.0, 2.0])
    assert len(DenseKind.profiled(values[:0], rows=0)) == 0


def test_the_length_of_a_huge_vector_is_right_or_infinite(recwarn: pytest.WarningsRecorder) -> None:
    lengths = DenseKind.profiled(np.array([3e30, 4e30, 3e38, -3e38], np.float32), rows=2)
    np.testing.assert_allclose(lengths, [5e30, np.inf], rtol=1e-6)
    assert lengths.dtype == np.float32
    assert not [warning for warning in recwarn if warning.category is RuntimeWarning]
