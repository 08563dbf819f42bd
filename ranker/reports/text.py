"""Numbers as a reader wants them."""

import math
from datetime import date

from ranker.evaluation.intervals import Estimate

NOTHING = "–"


def defined(value: float | None) -> float | None:
    """The value, or None where it is NaN or infinite: what a column is sorted by, and what a figure draws."""
    return value if value is not None and math.isfinite(value) else None


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many decimals; a dash where there is none."""
    return NOTHING if value is None or not math.isfinite(value) else _fixed(value, digits)


def count(value: float | None) -> str:
    """A whole number with thousands separated."""
    return NOTHING if value is None else f"{value:,.0f}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share in percent; a share under a tenth of a percent keeps two significant digits."""
    if value is None:
        return NOTHING
    if 0 < abs(value) < 1e-3:
        return f"{100 * value:.2g} %"
    return f"{100 * value:.{digits}f} %"


def significant(value: float | None) -> str:
    """A quantity of unknown size with four significant digits."""
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def interval(estimate: Estimate, digits: int = 3) -> str:
    """The interval of a metric: `0.71–0.75`, `−0.01 to 0.02`, or nothing where it is undefined or has neither end."""
    lower, upper = defined(estimate.lower), defined(estimate.upper)
    if not estimate.defined or (lower is None and upper is None):
        return ""
    between = " to " if lower is None or lower < 0 else "–"
    return f"{_end(lower, '−∞', digits)}{between}{_end(upper, '∞', digits)}"


def plural(how_many: int, what: str, several: str = "") -> str:
    """`1 gate`, `2 gates`; `several` where the plural is not made with an s."""
    return f"{how_many:,} {what if how_many == 1 else several or what + 's'}"


def weekday(day: str) -> str:
    """`Mon` and so on, of a day YYYY-MM-DD."""
    return date.fromisoformat(day).strftime("%a")


def _end(value: float | None, unbounded: str, digits: int) -> str:
    return unbounded if value is None else _fixed(value, digits)


def _fixed(value: float, digits: int) -> str:
    """With a minus sign that is as wide as a plus, and none on what rounds to zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")
