"""Histories of embeddings: conversion, the numbers that a model reads, schema, profile and serving."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.config.columns import EmbeddingHistory
from ranker.features.drafting import Seen
from ranker.features.embedding_history import EmbeddingHistoryKind
from ranker.features.history import PRIOR
from ranker.features.joined import RequestColumns
from ranker.features.log_column import LogColumn
from ranker.features.vocabularies import Vocabularies
from tests.ranker.features.columns import assert_accepts, assert_refused, converted

CONTENTS = EmbeddingHistory("contents", of="content", actions=("click",), size=2)
NAME = "embedding history"


def test_numbers_become_lists_of_float32() -> None:
    values = pa.array([[3.0, 0.5], None, [], [1.0, 2.0]])
    assert converted(NAME, values, size=2) == [[3.0, 0.5], None, None, [1.0, 2.0]]
    assert converted(NAME, pa.nulls(2), size=2) == [None, None]


def test_bad_numbers_are_refused_with_their_row() -> None:
    assert_refused(NAME, pa.array([None, [1.0, 2.0], [1.0]]), 2, "an embedding of 1 numbers", size=2)
    assert_refused(NAME, pa.array([None, [1.0, None]]), 1, "null at position 1", size=2)


def test_accepted_types() -> None:
    assert_accepts(NAME, good=[pa.list_(pa.float32()), pa.null()], bad=[pa.float32(), pa.list_(pa.string())])


@pytest.mark.parametrize("ragged", [False, True])
def test_the_numbers_tell_how_similar_the_candidate_is(ragged: bool) -> None:
    history = tf.constant([[4, 0.6, 0.0, 1, 0.0, 1.0], [2, 0.5, 0.5, 0, 0.0, 0.0], [0.0] * 6], tf.float32)
    content = tf.constant([[3.0, 4.0], [0.0, 2.0], [1.0, 0.0]])
    inputs = {"contents": tf.RaggedTensor.from_tensor(history) if ragged else history, "content": content}
    columns = RequestColumns(inputs, tf.constant(3, tf.int64))
    found = EmbeddingHistoryKind.transform([CONTENTS], columns, Vocabularies({}, lambda: None))
    expected: list[list[float]] = [[4, 0.36, (0.8 - 0.36) / (1 + PRIOR)], [2, 0.5, 0], [0, 0, 0]]
    np.testing.assert_allclose(np.asarray(found.forest), expected, rtol=1e-6)
    np.testing.assert_array_equal(found.dense["contents"], np.asarray(found.forest))


def test_a_draft_may_be_missing() -> None:
    drafted = EmbeddingHistoryKind.draft(LogColumn("contents", NAME, 6), Seen(0.9))
    assert (drafted.type, drafted.value_count.min, drafted.value_count.max) == (schema_pb2.FLOAT, 6, 6)
    assert not drafted.HasField("presence")


def test_a_request_may_leave_it_out() -> None:
    kind = EmbeddingHistoryKind(CONTENTS)
    assert kind.computed
    assert kind.log_column == LogColumn("contents", NAME, 6)
    assert kind.tensor_spec("contents") == tf.TensorSpec([None, 6], tf.float32, name="contents")
    assert kind.empty().numpy().tolist() == [[0.0] * 6]
    sparse = kind.from_dense(tf.ones([2, 6]), tf.io.VarLenFeature(tf.float32))
    np.testing.assert_array_equal(tf.sparse.to_dense(sparse), np.ones([2, 6]))


def test_the_monitor_counts_impressions() -> None:
    values = np.array([4, 0.6, 0.0, 1, 0.0, 1.0, 2, 0.5, 0.5, 0, 0.0, 0.0], np.float32)
    assert EmbeddingHistoryKind.profiled(values, rows=2).tolist() == [4.0, 2.0]
