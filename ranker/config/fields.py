"""What the parts of a config share: pydantic's settings and the types of numbers and names, with their bounds."""

from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field

T = TypeVar("T")

CHECKED = ConfigDict(extra="forbid", allow_inf_nan=False)
"""Pydantic's settings for every part: unknown fields, NaN and infinities are refused."""

MAX_WEIGHT = 1e6
"""The largest weight of an objective; with a larger one, float32 would lose the smaller terms of a sum."""


def _number(value: Any) -> Any:
    """Refuses what pydantic takes for a number and nobody means by it: `max_auc_drop=False` is no limit of 0."""
    # NumPy's truth value is no `bool`, and importing NumPy for its sake would slow down every command.
    if isinstance(value, (bool, str, bytes)) or type(value).__name__ in ("bool", "bool_"):
        raise ValueError(f"a number is expected, got {value!r}")
    return value


def _in_order(value: Any) -> Any:
    """Refuses sets: their order is another one in every process, and the order of columns and objectives counts."""
    if isinstance(value, (set, frozenset)):
        raise ValueError("a list or tuple is expected, got a set, which has no order")
    return value


IN_ORDER = BeforeValidator(_in_order)

Whole = Annotated[int, BeforeValidator(_number)]
Real = Annotated[float, BeforeValidator(_number)]
Ordered = Annotated[tuple[T, ...], IN_ORDER]
Range = Annotated[tuple[T, T], IN_ORDER]

ColumnName = Annotated[str, Field(min_length=1)]
Fraction = Annotated[Real, Field(ge=0.0, lt=1.0)]
Share = Annotated[Real, Field(gt=0.0, le=1.0)]
Weight = Annotated[Real, Field(ge=0.0, le=MAX_WEIGHT)]
Rate = Annotated[Real, Field(gt=0.0, le=1.0)]
"""A learning rate or shrinkage; a larger one diverges."""

Ratio = Annotated[Real, Field(ge=1e-3, le=1e3)]
"""A limit on a ratio that is 1 at best."""

Units = Annotated[Whole, Field(gt=0, le=65_536)]
"""The width of a vector or layer."""

Days = Annotated[Whole, Field(gt=0, le=3_650)]
Count = Annotated[Whole, Field(gt=0, le=1_000_000_000)]
"""A number of rows or positives."""

Seed = Annotated[Whole, Field(ge=0, lt=2**31)]
