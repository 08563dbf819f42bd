"""Converts arrays to the protos of TensorFlow Serving's API and back."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2

from serving.validation import InvalidRequestError, TensorForm

Arrays = Mapping[str, NDArray[Any]]


def as_array(name: str, values: Any, form: TensorForm) -> NDArray[Any]:
    """Values as an array of a signature's type; text is encoded as UTF-8, and lists of texts are padded to the longest.

    Raises:
        InvalidRequestError: the values cannot be converted to that type.
    """
    try:
        if form.dtype == tf.string:
            return _as_texts(values, len(form.shape))
        return _as_numbers(np.asarray(values), form.dtype)
    except (TypeError, ValueError) as error:
        raise InvalidRequestError(f"{name}: must be {form}: {_first_problem(values, form) or error}") from error


def _first_problem(values: Any, form: TensorForm) -> str:
    """The first candidate whose value cannot be converted, and why; "" if no single candidate is the cause."""
    rows = values.tolist() if isinstance(values, np.ndarray) else values
    if not isinstance(rows, Sequence) or isinstance(rows, str | bytes):
        return ""
    text = form.dtype == tf.string
    size = form.shape[1] if len(form.shape) == 2 else None
    expected = "text" if text else "a number"
    missing = '""' if text else "NaN"
    for candidate, row in enumerate(rows):
        if len(form.shape) < 2:
            if not _is_value(row, text):
                return f"candidate {candidate} is {row!r:.80}, which is not {expected}; a missing value is {missing}"
            continue
        if not isinstance(row, list | tuple | np.ndarray):
            return f"candidate {candidate} is {row!r:.80}, which is not a list" + (
                "; without a value it is []" if text else ""
            )
        if size is not None and len(row) != size:
            return f"candidate {candidate} has {len(row)} values, but {size} are expected"
        for position, value in enumerate(row):
            if not _is_value(value, text):
                return f"candidate {candidate} has {value!r:.80} at position {position}, which is not {expected}"
    return ""


def _is_value(value: Any, text: bool) -> bool:
    if text:
        return isinstance(value, str | bytes)
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _as_texts(values: Any, rank: int) -> NDArray[Any]:
    if rank == 2 and not isinstance(values, np.ndarray):
        if any(isinstance(row, str | bytes | Mapping) for row in values):
            raise TypeError("each candidate needs a list of texts")
        width = max((len(row) for row in values), default=0)
        values = [[*row, *[b""] * (width - len(row))] for row in values]
    found = np.asarray(values, object)
    texts = found.reshape(-1).tolist()
    # Nearly always all texts have one type, which is found much faster than by looking at one after the other.
    types = set(map(type, texts))
    if types == {bytes} and found.dtype == object:
        return found
    if types == {str}:
        texts = list(map(str.encode, texts))
    elif types != {bytes}:
        texts = [text.encode() if isinstance(text, str) else text for text in texts]
        if wrong := [text for text in texts if not isinstance(text, bytes)]:
            raise TypeError(f"{wrong[0]!r} is not text")
    array = np.empty(len(texts), object)
    array[:] = texts
    return array.reshape(found.shape)


def _as_numbers(found: NDArray[Any], dtype: tf.DType) -> NDArray[Any]:
    if found.dtype.kind not in ("iuf" if dtype.is_floating else "iu"):
        raise TypeError(f"got {found.dtype}")
    with np.errstate(over="ignore"):
        array = found.astype(dtype.as_numpy_dtype)
    if dtype.is_integer and (array != found).any():
        raise ValueError(f"{found[array != found][0]} does not fit")
    return array


def predict_request(
    model: str, signature: str, inputs: Arrays, version: int | None = None
) -> predict_pb2.PredictRequest:
    """A request for one signature of a model, with numbers as packed bytes."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    for name, array in inputs.items():
        request.inputs[name].CopyFrom(tensor_proto(array))
    return request


def tensor_proto(array: NDArray[Any]) -> tensor_pb2.TensorProto:
    """An array as a TensorProto: numbers as their little-endian bytes, texts (bytes objects) one by one."""
    if array.dtype == object:
        proto = tensor_pb2.TensorProto(dtype=tf.string.as_datatype_enum)
        proto.string_val.extend(array.reshape(-1).tolist())
    else:
        proto = tensor_pb2.TensorProto(dtype=tf.as_dtype(array.dtype).as_datatype_enum)
        proto.tensor_content = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


def array_of(name: str, proto: tensor_pb2.TensorProto) -> NDArray[Any]:
    """The array in a TensorProto whose dtype and shape have been checked.

    Raises:
        InvalidRequestError: its values do not fill its shape.
    """
    try:
        return np.asarray(tf.make_ndarray(proto))
    except (TypeError, ValueError) as error:
        raise InvalidRequestError(f"{name}: its values do not fill its shape: {error}") from error
