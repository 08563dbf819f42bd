"""Odd values in a request: the error names input, candidate and what is expected. And arrays as TensorProtos."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from feed_ranker_client import InvalidRequestError
from feed_ranker_client.messages import TensorProto
from feed_ranker_client.tensor_types import type_of_array
from feed_ranker_client.tensors import array_of, as_array, fill_tensor
from feed_ranker_client.validation import TensorForm

FLOAT, STRING = type_of_array(np.dtype("float32")), type_of_array(np.dtype(object))
NUMBER, VECTOR = TensorForm(FLOAT, (None,)), TensorForm(FLOAT, (None, 3))
TEXT, TEXTS = TensorForm(STRING, (None,)), TensorForm(STRING, (None, None))


@pytest.mark.parametrize(
    ("form", "values", "said"),
    [
        (VECTOR, [[1, 2, 3], [1, None, 3]], "candidate 1 has None at position 1, which is not a number"),
        (VECTOR, [[1.0, 2.0, 3.0], None], "candidate 1 is None, which is not a list"),
        (VECTOR, [[1.0, 2.0, 3.0], [1.0, 2.0]], "candidate 1 has 2 values, but 3 are expected"),
        (VECTOR, [[1.0, 2.0, 3.0], []], "candidate 1 has 0 values, but 3 are expected"),
        (VECTOR, [[1.0, 2.0, 3.0], ["1", "2", "3"]], "candidate 1 has '1' at position 0, which is not a number"),
        (VECTOR, [{"a": 1.0}], "candidate 0 is {'a': 1.0}, which is not a list"),
        (VECTOR, np.array([[1.0, 2.0, 3.0], None], object), "candidate 1 is None, which is not a list"),
        (NUMBER, [1.0, None], "candidate 1 is None, which is not a number; a missing value is NaN"),
        (NUMBER, [1.0, "x" * 1000], f"candidate 1 is '{'x' * 79}, which is not a number"),
        (TEXT, ["a", None], 'candidate 1 is None, which is not text; a missing value is ""'),
        (TEXT, ["a", ["b"]], "candidate 1 is ['b'], which is not text"),
        (TEXTS, [["a"], None], "candidate 1 is None, which is not a list; without a value it is []"),
        (TEXTS, [["a"], ["b", None]], "candidate 1 has None at position 1, which is not text"),
        (TEXTS, [["a"], [["b"]]], "candidate 1 has ['b'] at position 0, which is not text"),
        (TEXTS, [["a"], "bc"], "candidate 1 is 'bc', which is not a list"),
        (TEXTS, [["a"], {"b": 1}], "candidate 1 is {'b': 1}, which is not a list"),
        (TEXTS, ["ab", "cd"], "candidate 0 is 'ab', which is not a list"),
    ],
)
def test_an_odd_value_is_named_with_its_candidate(form: TensorForm, values: Any, said: str) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        as_array("x", values, form)
    assert str(raised.value).startswith(f"x: must be {form}: {said}")


def test_lists_of_texts_are_padded() -> None:
    assert as_array("x", [["a"], [], ("b", b"c")], TEXTS).tolist() == [[b"a", b""], [b"", b""], [b"b", b"c"]]


@pytest.mark.parametrize(
    "values",
    [
        ["a", "b", ""],
        [b"a", b"b", b""],
        ["a", b"b", ""],
        [np.str_("a"), np.bytes_(b"b"), ""],
        np.array(["a", "b", ""]),
        np.array([b"a", b"b", b""]),
        np.array([b"a", "b", ""], object),
    ],
    ids=str,
)
def test_texts_of_any_type_become_bytes(values: Any) -> None:
    found = as_array("device", values, TEXT)
    assert found.dtype == object
    assert found.tolist() == [b"a", b"b", b""]


NUMBERS = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
ARRAYS = [
    *(np.array([[1, 2, 3], [4, 5, 6]], dtype) for dtype in NUMBERS),
    np.array([True, False]),
    np.array([1 + 2j, -1j], "complex64"),
    np.array([1 + 2j, -1j], "complex128"),
    np.array([b"a", b"", "ä".encode()], object),
    np.float32(0.25).reshape(()),
    np.zeros((0, 3), np.float32),
    np.zeros(0, object),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_an_array_is_read_as_tensorflow_reads_it(array: np.ndarray) -> None:
    proto = TensorProto()
    fill_tensor(proto, array)
    read = tf.make_ndarray(tensor_pb2.TensorProto.FromString(proto.SerializeToString()))
    for found in (read, array_of(proto)):
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_values_that_tensorflow_lists_one_by_one_are_read(array: np.ndarray) -> None:
    """TensorFlow leaves out values at the end that equal the last one."""
    with tf.Graph().as_default():
        listed = tf.make_tensor_proto(array)
    proto = TensorProto.FromString(listed.SerializeToString())
    np.testing.assert_array_equal(array_of(proto), array)


def test_a_short_list_repeats_its_last_value() -> None:
    proto = TensorProto(dtype=3, int_val=[7, 8])
    proto.tensor_shape.dim.add(size=4)
    assert array_of(proto).tolist() == [7, 8, 8, 8]
    proto.int_val.extend([9, 9, 9])
    with pytest.raises(ValueError, match="5 values"):
        array_of(proto)


@pytest.mark.parametrize(
    "proto",
    [
        TensorProto(dtype=4, int_val=[300]),
        TensorProto(dtype=19, half_val=[70_000]),
        TensorProto(dtype=8, scomplex_val=[1.0]),
        TensorProto(dtype=1, tensor_content=b"123"),
        TensorProto(dtype=1, tensor_content=b"12345678"),
        TensorProto(dtype=7, tensor_content=b"a"),
        TensorProto(dtype=0),
        TensorProto(dtype=20),
    ],
    ids=str,
)
def test_a_damaged_tensor_is_an_error(proto: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        array_of(proto)
