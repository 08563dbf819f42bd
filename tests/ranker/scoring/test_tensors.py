"""Columns of a log as the inputs of a signature."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from ranker.scoring.tensors import most_cells, request_tensors

SPECS = {
    "age": tf.TensorSpec([None], tf.float32),
    "device": tf.TensorSpec([None], tf.string),
    "topics": tf.TensorSpec([None, None], tf.string),
    "photo": tf.TensorSpec([None, 2], tf.float32),
    "read": tf.TensorSpec([None, None], tf.int64),
    "author_country": tf.TensorSpec([None], tf.string),
}


def _batch(**columns: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns)


def test_every_kind_of_input() -> None:
    texts, floats = pa.list_(pa.binary()), pa.list_(pa.float32())
    made = request_tensors(
        _batch(
            age=pa.array([[1.5], None, [-2.0]], floats),
            device=pa.array([[b"phone"], [], [b"t\xc3\xbcr"]], texts),
            topics=pa.array([[b"a", b"b"], None, [b"b"]], texts),
            photo=pa.array([[1.0, 2.0], None, [3.0, 4.0]], floats),
            read=pa.array([[7, 8, 2**40], [], [1]], pa.list_(pa.int64())),
            **{"author-country": pa.array([[b"de"], [b"fr"], None], texts)},
            unknown=pa.array([[b"x"], [b"y"], None], texts),
        ),
        SPECS,
    )
    assert made.keys() == SPECS.keys()
    for name, spec in SPECS.items():
        assert spec.is_compatible_with(made[name])
    np.testing.assert_array_equal(made["age"], [1.5, np.nan, -2.0])
    assert made["device"].numpy().tolist() == [b"phone", b"", b"t\xc3\xbcr"]
    assert made["topics"].numpy().tolist() == [[b"a", b"b"], [b"", b""], [b"b", b""]]
    np.testing.assert_array_equal(made["photo"], [[1, 2], [0, 0], [3, 4]])
    np.testing.assert_array_equal(made["read"], [[7, 8, 2**40], [0, 0, 0], [1, 0, 0]])
    assert made["author_country"].numpy().tolist() == [b"de", b"fr", b""]


def test_a_slice_has_the_values_of_its_rows() -> None:
    column = pa.array([[b"a"], [b"b", b"c"], None, [b"d"]], pa.list_(pa.binary()))
    made = request_tensors(_batch(topics=column).slice(1, 2), SPECS)
    assert made["topics"].numpy().tolist() == [[b"b", b"c"], [b"", b""]]


def test_without_a_value_there_is_one_column_of_padding() -> None:
    made = request_tensors(_batch(topics=pa.array([None, []], pa.list_(pa.binary()))), SPECS)
    assert made["topics"].numpy().tolist() == [[b""], [b""]]


def test_no_row() -> None:
    made = request_tensors(
        _batch(age=pa.array([], pa.list_(pa.float32())), topics=pa.array([], pa.list_(pa.binary()))), SPECS
    )
    assert made["age"].shape == [0]
    assert made["topics"].shape == [0, 1]


def test_more_values_than_the_input_takes() -> None:
    with pytest.raises(ValueError, match="column 'age': a row has 2 values, and its input takes 1"):
        request_tensors(_batch(age=pa.array([[1.0], [1.0, 2.0]], pa.list_(pa.float32()))), SPECS)


def test_a_long_list_makes_many_cells() -> None:
    texts, floats = pa.list_(pa.binary()), pa.list_(pa.float32())
    batch = _batch(
        topics=pa.array([[b"a"] * 500, None, [b"b"]], texts),
        photo=pa.array([[1.0, 2.0]] * 3, floats),
        unknown=pa.array([[b"a"] * 900, None, [b"b"]], texts),
    )
    assert most_cells(batch, SPECS) == 1500
    assert most_cells(batch.slice(1), SPECS) == 2
    assert most_cells(batch.slice(1, 0), SPECS) == 0
    assert most_cells(batch.select(["photo"]), SPECS) == 0
