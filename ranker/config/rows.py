"""Which rows of the feed log are read, and how much each counts in training."""

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, ColumnName, Real

Operator = Literal["=", "==", "!=", "<", ">", "<=", ">=", "in", "not in"]
Value = bool | int | float | str
Condition = tuple[ColumnName, Operator, Value | Annotated[tuple[Value, ...], Field(min_length=1)]]
Conditions = Annotated[tuple[Condition, ...], Field(min_length=1)]


def _alternatives(where: Any) -> Any:
    """Conditions, or alternatives of conditions, as alternatives; dates and times as text."""
    if not isinstance(where, (list, tuple)) or not where:
        return where
    if isinstance(where[0], str):
        raise ValueError(f"a list of conditions is expected, got one condition; write [{tuple(where)!r}]")
    flat = isinstance(where[0], (list, tuple)) and bool(where[0]) and isinstance(where[0][0], str)
    alternatives = [where] if flat else where
    return tuple(
        tuple(_plain(condition) for condition in conditions) if isinstance(conditions, (list, tuple)) else conditions
        for conditions in alternatives
    )


def _plain(condition: Any) -> Any:
    if not isinstance(condition, (list, tuple)) or len(condition) != 3:
        return condition
    column, operator, value = condition
    if isinstance(value, (list, set, frozenset, tuple)):
        return column, operator, tuple(sorted(map(_text, value), key=str))
    return column, operator, _text(value)


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


Where = tuple[Conditions, ...]
"""Alternatives, at least one of which has only conditions that a row meets; none takes every row."""

if TYPE_CHECKING:
    _GivenWhere = Any  # lists of tuples as well
else:
    _GivenWhere = Annotated[Where, BeforeValidator(_alternatives)]


@dataclass(frozen=True, config=CHECKED)
class Rows:
    """Which rows of the feed log are read, and how much each counts in training.

    Attributes:
        weight: a column with the weight of an impression in training, 0 or more. Metrics count every impression once.
        half_life_days: age in days at which an impression counts half as much in training as one of the newest training
            day; None counts all days alike.
        where: conditions on columns, as in `pyarrow.parquet.read_table(filters=…)`: tuples of column, operator and
            value, which a row must all meet, or a list of such lists, one of which it must meet. A row that lacks a
            value meets no condition on it except `not in`. Other rows are left out everywhere, as if the log did not
            have them.

    Example:
        >>> Rows(where=[("is_bot", "==", False), ("market", "not in", ["test"])]).columns
        ('is_bot', 'market')
    """

    weight: ColumnName | None = None
    half_life_days: Annotated[Real, Field(gt=0.0, le=10_000.0)] | None = None
    where: _GivenWhere = ()

    def __post_init__(self) -> None:
        for column, operator, value in (condition for conditions in self.where for condition in conditions):
            if (operator in ("in", "not in")) != isinstance(value, tuple):
                wants = "a list of values" if operator in ("in", "not in") else "one value"
                raise ValueError(f"rows.where: {column!r} {operator} {value!r}: the operator needs {wants}")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that conditions are on."""
        return tuple(dict.fromkeys(column for conditions in self.where for column, _, _ in conditions))

    @property
    def is_weighted(self) -> bool:
        """Whether impressions differ in weight."""
        return self.weight is not None or self.half_life_days is not None

    def recency(self, days: Iterable[date]) -> dict[date, float]:
        """Day → the factor of the weights of its impressions; 1 for the newest.

        Example:
            >>> Rows(half_life_days=2.0).recency([date(2026, 1, 1), date(2026, 1, 3)])
            {datetime.date(2026, 1, 1): 0.5, datetime.date(2026, 1, 3): 1.0}
        """
        days = list(days)
        if self.half_life_days is None:
            return dict.fromkeys(days, 1.0)
        return {day: float(0.5 ** ((max(days) - day).days / self.half_life_days)) for day in days}
