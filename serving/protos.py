"""Converts arrays to the protos of TensorFlow Serving's API and back."""

from collections.abc import Mapping
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
        raise InvalidRequestError(f"{name}: must be {form}: {error}") from error


def _as_texts(values: Any, rank: int) -> NDArray[Any]:
    if rank == 2 and not isinstance(values, np.ndarray):
        width = max((len(row) for row in values), default=0)
        values = [[*row, *[b""] * (width - len(row))] for row in values]
    found = np.asarray(values, object)
    texts = [text.encode() if isinstance(text, str) else text for text in found.reshape(-1)]
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
