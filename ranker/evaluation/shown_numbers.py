"""Metrics as text for terminals and sentences: no `nan` or `inf`, and no number of a hundred digits."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ranker.evaluation.intervals import Estimate

UNDEFINED_TEXT = "–"

_LONGEST = 1e9  # a larger number has an exponent in any format


def shown_number(value: float, form: str = ".3f") -> str:
    """A number in a format of Python; ∞ for infinity, and a dash for NaN.

    Example:
        >>> shown_number(0.12345), shown_number(float("-inf")), shown_number(1e30), shown_number(-0.0, "+.1f")
        ('0.123', '−∞', '1e+30', '+0.0')
    """
    if math.isnan(value):
        return UNDEFINED_TEXT
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    # Adding 0 turns a negative zero into zero.
    return f"{value + 0.0:{form}}" if abs(value) < _LONGEST or form.endswith("g") else f"{value:.3g}"


def shown_interval(estimate: "Estimate", form: str = ".3f") -> str:
    """A value with its interval: `0.742 [0.731, 0.753]`; a dash for an undefined value."""
    if not estimate.defined:
        return UNDEFINED_TEXT
    value, lower, upper = (shown_number(number, form) for number in (estimate.value, estimate.lower, estimate.upper))
    return f"{value} [{lower}, {upper}]"
