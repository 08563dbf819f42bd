"""Columns of a table as inputs of a signature: values become those that the feed log's rows have in training."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np

from feed_ranker_client.validation import InvalidRequestError, TensorForm

_TEXTS: frozenset[type] = frozenset({str, bytes})
_NUMBERS: frozenset[type] = frozenset({float, int})

_WHOLE_BELOW = 2.0**53
"""Where a float does not tell whole numbers apart any more."""


def filled(name: str, values: Sequence[Any], form: TensorForm, optional: bool) -> list[Any]:
    """The values of the column `name` in the types of its input.

    None becomes the missing value of the input's kind. For an input of texts, a whole number becomes its digits, a
    truth value "0" or "1", and NaN missing, as in the feed log: 1, 1.0 and "1" are the same category. For one of
    numbers, truth values and decimals become floats. Other values stay, and are refused by name if they are no input.

    Raises:
        InvalidRequestError: it is no list of values, such as a single number or text.
    """
    if not _is_list(values):
        raise InvalidRequestError(f"{name}: must be {form}: {values!r:.80} is not a list with one value per candidate")
    convert, plain = (_text, _TEXTS) if form.dtype.is_text else (_number, _NUMBERS)
    if len(form.shape) == 1:
        return _converted(values, convert, plain)
    rows: list[Any] = []
    for value in values:
        # A dense embedding has no missing value: None stays, and the request is refused by name. A history has one.
        row = value
        if value is None and (form.dtype.is_text or optional):
            row = [0] * (form.shape[1] or 0)
        is_list = isinstance(row, (list, tuple, np.ndarray))
        rows.append(_converted(row, convert, plain) if form.dtype.is_text and is_list else row)
    return rows


def _is_list(values: object) -> bool:
    """Whether the values have an order and a number: texts are single values, and a numpy array may have no length."""
    if isinstance(values, (str, bytes, bytearray, memoryview, Mapping, Set)) or not isinstance(values, Collection):
        return False
    return getattr(values, "ndim", 1) > 0


def _converted(values: Sequence[Any], convert: Callable[[Any], Any], plain: frozenset[type]) -> list[Any]:
    # Nearly always no value needs it, which is found much faster than by looking at one after the other.
    if plain.issuperset(map(type, values)):
        return list(values)
    return [convert(value) for value in values]


def _text(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, (Real, Decimal)):
        number = float(value)
        if math.isnan(number):
            return ""
        if isinstance(value, Decimal) and value == value.to_integral_value():
            return str(int(value))
        if number.is_integer() and abs(number) < _WHOLE_BELOW:
            return str(int(number))
    return value


def _number(value: Any) -> Any:
    if value is None:
        return math.nan
    return float(value) if isinstance(value, (bool, np.bool_, Decimal)) else value
