"""Numbers formatted for reports."""

import math
from datetime import date

from ranker.evaluation.intervals import Estimate
from ranker.evaluation.shown_numbers import shown_number

NOTHING = "–"


def defined(value: float | None) -> float | None:
    """The value, or None if it is NaN or infinite: for sort keys and figures."""
    return value if value is not None and math.isfinite(value) else None


def number(value: float | None, digits: int = 3) -> str:
    """A number with `digits` decimals; a dash for None, NaN and infinity."""
    return NOTHING if value is None or not math.isfinite(value) else _fixed(value, digits)


def count(value: float | None) -> str:
    """An integer with thousands separators."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:,.0f}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share in percent; a share below 0.1 % has two significant digits."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if 0 < abs(value) < 1e-3:
        return f"{100 * value:.2g} %"
    return f"{100 * value:.{digits}f} %"


def significant(value: float | None) -> str:
    """A quantity of unknown magnitude with four significant digits; a dash for None and NaN, ∞ for infinity."""
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value) or abs(value) >= 1e15:
        return shown_number(value)
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def interval(estimate: Estimate, digits: int = 3) -> str:
    """The interval of a metric: `0.71–0.75`, `−0.01 to 0.02`, or "" if it is undefined or open on both sides."""
    lower, upper = defined(estimate.lower), defined(estimate.upper)
    if not estimate.defined or (lower is None and upper is None):
        return ""
    between = " to " if lower is None or lower < 0 else "–"
    return f"{_end(lower, '−∞', digits)}{between}{_end(upper, '∞', digits)}"


def signed(value: float, digits: int = 3, unit: str = "") -> str:
    """A difference with its sign, such as `+0.002`; zero has none."""
    text = _fixed(value, digits)
    return f"{'+' if float(text.replace('−', '-')) > 0 else ''}{text}{unit}"


def signed_interval(estimate: Estimate, digits: int = 3, unit: str = "") -> str:
    """The interval of a difference: `−0.010 to +0.014`, or "" if it is undefined or open on both sides."""
    lower, upper = defined(estimate.lower), defined(estimate.upper)
    if not estimate.defined or (lower is None and upper is None):
        return ""
    ends = ("−∞" if lower is None else signed(lower, digits), "∞" if upper is None else signed(upper, digits))
    return f"{ends[0]} to {ends[1]}{unit}"


def gain(drop: Estimate, factor: float = 1.0) -> Estimate:
    """A drop as the candidate's gain: with the opposite sign, times a factor."""
    return Estimate(-factor * drop.value, -factor * drop.upper, -factor * drop.lower)


def plural(how_many: int, what: str, several: str = "") -> str:
    """`1 gate`, `2 gates`; `several` is an irregular plural."""
    return f"{how_many:,} {what if how_many == 1 else several or what + 's'}"


def weekday(day: str) -> str:
    """The weekday of a day YYYY-MM-DD, such as `Mon`."""
    return date.fromisoformat(day).strftime("%a")


def _end(value: float | None, unbounded: str, digits: int) -> str:
    return unbounded if value is None else _fixed(value, digits)


def _fixed(value: float, digits: int) -> str:
    """With a typographic minus sign, and without one if the value rounds to zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")
