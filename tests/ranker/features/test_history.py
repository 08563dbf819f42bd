"""Histories of values: conversion, the numbers that a model reads, schema, profile and serving."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.config.columns import History
from ranker.features.drafting import Seen
from ranker.features.history import PRIOR, HistoryKind
from ranker.features.history_items import ACTION_BITS, value_hashes
from ranker.features.joined import RequestColumns
from ranker.features.log_column import LogColumn
from ranker.features.tensors import RawColumns
from ranker.features.vocabularies import Vocabularies
from tests.ranker.features.columns import assert_accepts, assert_refused, converted

AUTHORS = History("authors", of="author_id", actions=("click", "like"))
NO_VOCABULARIES = Vocabularies({}, lambda: None)


def item(author: str, click: int, like: int) -> int:
    return int(value_hashes(tf.constant(author)).numpy()) << ACTION_BITS | click | like << 1


def test_items_become_lists_of_int64() -> None:
    assert converted("history", pa.array([[1, 2**62], [], None], pa.list_(pa.int64()))) == [[1, 2**62], None, None]
    assert converted("history", pa.array([[5], [6]], pa.large_list(pa.uint64()))) == [[5], [6]]
    assert converted("history", pa.nulls(2)) == [None, None]


@pytest.mark.parametrize(
    ("values", "row", "problem"),
    [
        (pa.array([[1], [2, -3]]), 1, "-3; an item of a history is a positive int64"),
        (pa.array([None, [4, None]], pa.list_(pa.int64())), 1, "null; an item of a history"),
    ],
)
def test_bad_items_are_refused_with_their_row(values: pa.Array, row: int, problem: str) -> None:
    assert_refused("history", values, row, problem)


def test_accepted_types() -> None:
    assert_accepts(
        "history",
        good=[pa.list_(pa.int64()), pa.large_list(pa.int32()), pa.null(), pa.list_(pa.null())],
        bad=[pa.int64(), pa.list_(pa.string()), pa.list_(pa.float64())],
    )


def test_the_numbers_tell_what_the_viewer_did_with_the_candidates_author() -> None:
    items = [
        [item("x", 1, 0), item("x", 1, 1), item("y", 0, 0), item("z", 0, 0)],
        [item("y", 1, 0), 0, 0, 0],  # 0 is padding
        [0, 0, 0, 0],
        [item("x", 1, 1), 0, 0, 0],
    ]
    inputs = {"authors": tf.constant(items, tf.int64), "author_id": tf.constant(["x", "x", "x", ""])}
    columns = RequestColumns(inputs, tf.constant(4, tf.int64))
    found = HistoryKind.transform([AUTHORS], columns, NO_VOCABULARIES)
    expected: list[list[float]] = [
        [4, 2, 2 / 4, (2 - 2 * 2 / 4) / (2 + PRIOR), 1 / 4, (1 - 2 * 1 / 4) / (2 + PRIOR)],
        [1, 0, 1, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [1, 0, 1, 0, 1, 0],
    ]
    numbers = np.asarray(found.forest)
    np.testing.assert_allclose(numbers, expected, rtol=1e-6)
    np.testing.assert_array_equal(found.dense["authors"], numbers)
    assert AUTHORS.forest_names == tuple(
        f"authors.{part}" for part in ("impressions", "same", "click", "click.same", "like", "like.same")
    )
    # Examples of different lengths give the same.
    ragged = {name: tf.RaggedTensor.from_tensor(tensor) for name, tensor in inputs.items() if tensor.shape.rank == 2}
    parsed = RequestColumns({**inputs, **ragged}, tf.constant(4, tf.int64))
    np.testing.assert_array_equal(HistoryKind.transform([AUTHORS], parsed, NO_VOCABULARIES).dense["authors"], numbers)
    sparse = RawColumns(
        {
            "authors": tf.sparse.from_dense(inputs["authors"]),
            "author_id": tf.sparse.from_dense(inputs["author_id"][:, tf.newaxis]),
        },
        "authors",
    )
    np.testing.assert_array_equal(HistoryKind.transform([AUTHORS], sparse, NO_VOCABULARIES).dense["authors"], numbers)


def test_of_a_longer_list_the_newest_items_count() -> None:
    short = History("authors", of="author_id", actions=("click", "like"), length=2)
    items = [
        [item("y", 0, 0), item("x", 1, 0), item("x", 1, 1), item("x", 1, 1)],
        [item("x", 1, 1), 0, 0, 0],
        [0, 0, 0, 0],
    ]
    authors = tf.constant(["x", "x", "x"])
    expected: list[list[float]] = [[2, 1, 1 / 2, 1 / 2 / (1 + PRIOR), 0, 0], [1, 1, 1, 0, 1, 0], [0, 0, 0, 0, 0, 0]]
    for given in (tf.constant(items, tf.int64), tf.RaggedTensor.from_tensor(tf.constant(items, tf.int64), padding=0)):
        columns = RequestColumns({"authors": given, "author_id": authors}, tf.constant(3, tf.int64))
        numbers = HistoryKind.transform([short], columns, NO_VOCABULARIES).dense["authors"]
        np.testing.assert_allclose(numbers, expected, rtol=1e-6)


def test_a_schema_without_the_candidates_column_is_named() -> None:
    columns = RawColumns({"authors": tf.sparse.from_dense(tf.constant([[1]], tf.int64))}, "authors")
    with pytest.raises(ValueError, match="schema: the column 'author_id' is missing"):
        HistoryKind.transform([AUTHORS], columns, NO_VOCABULARIES)


def test_a_draft_may_be_missing() -> None:
    drafted = HistoryKind.draft(LogColumn("authors", "history"), Seen(0.9))
    assert (drafted.type, drafted.value_count.min) == (schema_pb2.INT, 1)
    assert not drafted.HasField("presence")


def test_a_request_may_leave_it_out() -> None:
    kind = HistoryKind(AUTHORS)
    assert kind.computed
    assert kind.tensor_spec("authors") == tf.TensorSpec([None, None], tf.int64, name="authors")
    assert kind.empty().numpy().tolist() == [[0]]
    sparse = kind.from_dense(tf.constant([[3, 0], [0, 0]], tf.int64), tf.io.VarLenFeature(tf.int64))
    assert sparse.values.numpy().tolist() == [3]


def test_the_monitor_counts_actions() -> None:
    values = np.array([item("x", 1, 1), item("x", 0, 1), item("y", 0, 0)], np.int64)
    assert HistoryKind.profiled(values, rows=2).tolist() == [2.0, 1.0, 0.0]
    assert HistoryKind.profiled(values, rows=2).dtype == np.float32
