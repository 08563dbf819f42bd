"""Validates a request against a signature, before the model runs.

TensorFlow Serving checks the names of inputs. It reports a wrong type by the index of an argument, and leaves shapes to
the graph. Here every error names the input.
"""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feed_ranker_client.tensor_types import TensorType, type_of_array, type_of_number

# A SignatureDef and a TensorProto, of this package's messages or of TensorFlow's.
Signature = Any
Tensor = Any
Signatures = Mapping[str, Signature]

MAX_ROWS = 8192
"""The maximum number of candidates of a model whose signatures do not say it: the default of a config."""

_LIMIT = re.compile(r"at most ([1-9]\d{0,8})")  # the name of the batch dimension
_MOST_VALUES = 1 << 24  # per tensor; otherwise a request of a few bytes could allocate any amount of memory


class InvalidRequestError(ValueError):
    """An invalid request; the message begins with the name of the invalid input."""


@dataclass(frozen=True)
class TensorForm:
    """Type and shape of a tensor; None stands for a variable size."""

    dtype: TensorType
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        sizes = ["any" if size is None else str(size) for size in self.shape]
        return f"{self.dtype} [{', '.join(sizes)}]"


def form_of(array: NDArray[np.generic]) -> TensorForm:
    """The form of an array.

    Raises:
        TypeError: no tensor has its type.
    """
    return TensorForm(type_of_array(array.dtype), array.shape)


def form_of_proto(name: str, proto: Tensor) -> TensorForm:
    """The form that a TensorProto declares.

    Raises:
        InvalidRequestError: the declared type or shape is not valid.
    """
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    try:
        dtype = type_of_number(proto.dtype)
    except TypeError as error:
        raise InvalidRequestError(f"{name}: {error}") from error
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise InvalidRequestError(f"{name}: a tensor needs a known shape, got {list(shape)}")
    return TensorForm(dtype, shape)


def inputs_of(signature: Signature) -> dict[str, TensorForm]:
    """Input → its required form."""
    return {
        name: TensorForm(
            type_of_number(info.dtype), tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim)
        )
        for name, info in signature.inputs.items()
    }


def max_rows_of(signature: Signature, own: int | None = None) -> int:
    """The maximum number of candidates per request: the model's, or the caller's own if that is lower.

    Args:
        signature: of a model; one that was exported without a limit has the default of a config.
        own: the caller's limit; None for none.
    """
    names = [info.tensor_shape.dim[0].name for info in signature.inputs.values() if info.tensor_shape.dim]
    limits = [int(found[1]) for name in names if (found := _LIMIT.fullmatch(name))]
    models = min(limits, default=None)
    if models is None:
        return MAX_ROWS if own is None else own
    return models if own is None else min(models, own)


def find_signature(signatures: Signatures, name: str) -> Signature:
    """The signature with a name.

    Raises:
        InvalidRequestError: the model has no such signature.
    """
    if name not in signatures:
        raise InvalidRequestError(f"{name}: the model has no such signature; it has {', '.join(sorted(signatures))}")
    return signatures[name]


def check_names(signature: Signature, names: Collection[str], expected: Mapping[str, TensorForm]) -> None:
    """Checks the names of a request's inputs against a signature.

    Args:
        signature: of a model.
        names: of the inputs.
        expected: `inputs_of(signature)`.

    Raises:
        InvalidRequestError: an input is missing or unknown.
    """
    if missing := sorted(set(expected) - set(names) - set(signature.defaults)):
        raise InvalidRequestError(f"{', '.join(missing)}: missing from the request")
    if unknown := sorted(set(names) - set(expected)):
        raise InvalidRequestError(f"{', '.join(unknown)}: no input of this signature; it takes {', '.join(expected)}")


def check_forms(
    signature: Signature,
    forms: Mapping[str, TensorForm],
    max_rows: int | None = MAX_ROWS,
    expected: Mapping[str, TensorForm] | None = None,
) -> None:
    """Checks a request's tensors against a signature; `max_rows` None allows any number of candidates.

    Args:
        signature: of a model.
        forms: input → the form of its tensor.
        max_rows: maximum number of candidates.
        expected: `inputs_of(signature)`, where it is already known.

    Raises:
        InvalidRequestError: an input is missing, unknown, or of another type or shape; inputs have different numbers of
            candidates; there are no candidates, or more than `max_rows`.
    """
    expected = inputs_of(signature) if expected is None else expected
    check_names(signature, forms, expected)
    rows: dict[str, int] = {}
    for name, form in sorted(forms.items()):
        _check_form(name, form, expected[name])
        if form.shape:
            rows[name] = int(form.shape[0] or 0)
    most = max(rows.values(), default=1)
    # An input with a default may have one row for all candidates, as the default itself.
    whole = {name: count for name, count in rows.items() if not (count == 1 and name in signature.defaults)}
    if fewer := [f"{name} ({count})" for name, count in whole.items() if count < most]:
        raise InvalidRequestError(f"{', '.join(fewer)}: fewer candidates than the other inputs, which have {most}")
    if most == 0:
        raise InvalidRequestError(f"{', '.join(rows)}: the request holds no candidates")
    if max_rows is not None and most > max_rows:
        raise InvalidRequestError(f"{', '.join(rows)}: {most} candidates, but a request holds at most {max_rows}")


def check_values(arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Checks that embeddings are finite; scalar features may be NaN, which stands for missing.

    Raises:
        InvalidRequestError: a float tensor of rank 2 contains NaN or infinity.
    """
    for name, array in sorted(arrays.items()):
        if array.dtype == np.float32 and array.ndim == 2 and not np.isfinite(array).all():
            row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
            raise InvalidRequestError(f"{name}: candidate {row} holds NaN or infinity, but every number must be finite")


def _check_form(name: str, form: TensorForm, expected: TensorForm) -> None:
    same = len(form.shape) == len(expected.shape) and all(
        want in (None, size) for want, size in zip(expected.shape, form.shape, strict=True)
    )
    if form.dtype != expected.dtype or not same:
        raise InvalidRequestError(f"{name}: must be {expected}, got {form}")
    values = math.prod(size or 0 for size in form.shape)
    if values > _MOST_VALUES:
        raise InvalidRequestError(f"{name}: {form} holds more than the {_MOST_VALUES} values that a tensor may have")
