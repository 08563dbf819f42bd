"""Converts arrays to the protos of TensorFlow Serving's API and back."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feed_ranker_client.messages import PredictRequest
from feed_ranker_client.tensor_types import TensorType, type_of_array, type_of_number
from feed_ranker_client.validation import InvalidRequestError, Tensor, TensorForm

Arrays = Mapping[str, NDArray[Any]]


def as_array(name: str, values: Any, form: TensorForm) -> NDArray[Any]:
    """Values as an array of a signature's type; text is encoded as UTF-8, and lists are padded to the longest.

    Lists of texts are padded with "", and lists of whole numbers, such as the items of a history, with 0.

    Raises:
        InvalidRequestError: the values cannot be converted to that type.
    """
    try:
        if form.dtype.is_text:
            return _as_texts(values, len(form.shape))
        if form.dtype.dtype.kind in "iu" and len(form.shape) == 2 and form.shape[1] is None:
            values = _padded(values, 0, least=1)
        return _as_numbers(np.asarray(values), form.dtype)
    except (TypeError, ValueError) as error:
        raise InvalidRequestError(f"{name}: must be {form}: {_first_problem(values, form) or error}") from error


def _first_problem(values: Any, form: TensorForm) -> str:
    """The first candidate whose value cannot be converted, and why; "" if no single candidate is the cause."""
    rows = values.tolist() if isinstance(values, np.ndarray) else values
    if not isinstance(rows, Sequence) or isinstance(rows, str | bytes):
        return ""
    text = form.dtype.is_text
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
    if rank == 2:
        values = _padded(values, b"")
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


def _padded(values: Any, padding: Any, least: int = 0) -> Any:
    """Lists of different lengths as lists of one length, which is at least `least`; an array as it is."""
    if isinstance(values, np.ndarray):
        return values
    if any(isinstance(row, str | bytes | Mapping) for row in values):
        raise TypeError("each candidate needs a list")
    width = max((len(row) for row in values), default=0)
    width = max(width, least)
    return [[*row, *[padding] * (width - len(row))] for row in values]


def _as_numbers(found: NDArray[Any], kind: TensorType) -> NDArray[Any]:
    if found.dtype.kind not in ("iuf" if kind.dtype.kind == "f" else "iu"):
        raise TypeError(f"got {found.dtype}")
    with np.errstate(over="ignore"):
        array = found.astype(kind.dtype)
    if kind.dtype.kind in "iu" and (array != found).any():
        raise ValueError(f"{found[array != found][0]} does not fit")
    return array


def predict_request(
    model: str, signature: str, inputs: Arrays, version: int | None = None, label: str | None = None
) -> Any:
    """A PredictRequest for one signature of a model, with numbers as packed bytes."""
    request = PredictRequest()
    set_model(request.model_spec, model, version, label)
    request.model_spec.signature_name = signature
    for name, array in inputs.items():
        fill_tensor(request.inputs[name], array)
    return request


def set_model(spec: Any, model: str, version: int | None, label: str | None) -> None:
    """Names the model in a request's ModelSpec, and its version by number or label if one is given."""
    spec.name = model
    if version is not None:
        spec.version.value = version
    elif label is not None:
        spec.version_label = label


def fill_tensor(proto: Tensor, array: NDArray[Any]) -> None:
    """Writes an array into an empty TensorProto: numbers as their little-endian bytes, texts (bytes objects) singly."""
    kind = type_of_array(array.dtype)
    proto.dtype = kind.number
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if kind.is_text:
        proto.string_val.extend(array.reshape(-1).tolist())
    else:
        proto.tensor_content = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def array_of(proto: Tensor) -> NDArray[Any]:
    """The array in a TensorProto: its values are packed bytes, or a list of which the last one may stand for the rest.

    Raises:
        TypeError: no array has the tensor's type.
        ValueError: the values do not fill the shape.
    """
    kind = type_of_number(proto.dtype)
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if proto.tensor_content:
        if kind.is_text:
            raise ValueError("texts cannot be packed")
        return np.frombuffer(proto.tensor_content, kind.dtype.newbyteorder("<")).astype(kind.dtype).reshape(shape)
    try:
        values = _listed(proto, kind)
    except OverflowError as error:
        raise ValueError(str(error)) from error
    missing = math.prod(shape) - len(values)
    if missing < 0:
        raise ValueError(f"{len(values)} values for the shape {list(shape)}")
    last = values[-1:] if len(values) else np.array([b"" if kind.is_text else 0], kind.dtype)
    return np.concatenate([values, np.repeat(last, missing)]).reshape(shape)


def _listed(proto: Tensor, kind: TensorType) -> NDArray[Any]:
    """The values that a TensorProto lists one by one."""
    listed = getattr(proto, kind.values)
    if kind.dtype.kind == "c":  # real and imaginary parts in turn
        real, imaginary = np.array(listed, np.float64).reshape(-1, 2).T
        return (real + 1j * imaginary).astype(kind.dtype)
    if kind.dtype == np.float16:  # its bits as integers
        return np.array(listed, np.uint16).view(np.float16)
    array = np.empty(len(listed), kind.dtype)
    array[:] = list(listed)
    return array
