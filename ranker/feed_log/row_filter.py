"""Which rows of a file a config reads."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pt

from ranker.config.rows import Condition, Where
from ranker.feed_log.layout import FeedLogError


def check_filter(path: str, where: Where, schema: pa.Schema) -> None:
    """Checks that the conditions can be evaluated on a file; its columns are there.

    Raises:
        FeedLogError: a condition compares a column with a value of another type; the message names it.
    """
    for condition in (condition for conditions in where for condition in conditions):
        try:
            schema.empty_table().filter(_expression(((condition,),), schema))
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            column, operator, value = condition
            raise FeedLogError(
                f"{path}: rows.where: {column!r} {operator} {value!r}: the column is {schema.field(column).type}, "
                f"which cannot be compared with that: {error}"
            ) from None


def kept_rows(rows: pa.RecordBatch, where: Where) -> npt.NDArray[np.int64]:
    """The indices of the rows that meet the conditions, ascending.

    Args:
        rows: with the columns of the conditions, of types that `check_filter` accepts.
        where: of the config; without conditions, all rows are kept.
    """
    numbers = np.arange(rows.num_rows)
    if not where:
        return numbers
    names = list(dict.fromkeys(column for conditions in where for column, _, _ in conditions))
    number = max(names, key=len) + " row"
    table = pa.Table.from_batches([rows.select(names)]).append_column(number, pa.array(numbers))
    kept: npt.NDArray[np.int64] = table.filter(_expression(where, table.schema))[number].to_numpy()
    return np.sort(kept)


def _expression(where: Where, schema: pa.Schema) -> pc.Expression:
    return pq.filters_to_expression([[_typed(condition, schema) for condition in conditions] for conditions in where])


def _typed(condition: Condition, schema: pa.Schema) -> tuple[str, str, Any]:
    """The condition in types that Arrow compares with the column's: times where it has times, decimals for decimals.

    A column without any value, of the null type, is compared with no value.
    """
    column, operator, value = condition
    kind = schema.field(column).type
    if pt.is_null(kind) and isinstance(value, tuple):
        return column, operator, pa.nulls(0)
    if pt.is_decimal(kind) and all(_is_number(one) for one in (value if isinstance(value, tuple) else (value,))):
        if not isinstance(value, tuple):
            return column, operator, _decimal(value, kind)
        # A number that the column's type cannot hold is in none of its rows.
        held = [one for one in (_decimal(one, kind) for one in value) if isinstance(one, pa.Scalar)]
        return column, operator, pa.array([one.as_py() for one in held], kind)
    if pt.is_timestamp(kind) or pt.is_date(kind):
        values = _times(value if isinstance(value, tuple) else (value,), kind)
        return column, operator, values if isinstance(value, tuple) else values[0]
    return column, operator, list(value) if isinstance(value, tuple) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _decimal(value: Any, kind: pa.DataType) -> pa.Scalar | float:
    """A number in the column's own type, or as a float where that cannot hold it.

    Arrow 18 compares decimals of different scale as if their scale were the same, and refuses most integers.
    """
    try:
        return pa.scalar(Decimal(str(value)), kind)
    except pa.ArrowInvalid:
        return float(value)


def _times(values: Sequence[Any], kind: pa.DataType) -> list[pa.Scalar]:
    texts = pa.array(values, pa.string())
    zone = getattr(kind, "tz", None)
    if zone is None:
        return list(texts.cast(kind))
    # A text without an offset is in UTC, as timestamps without a time zone are.
    with_offset = pa.array([text if _has_offset(text) else _utc(text) for text in values], pa.string())
    return list(with_offset.cast(kind))


def _has_offset(text: str) -> bool:
    time = text.partition("T")[2] or text.partition(" ")[2]
    return text.endswith("Z") or "+" in time or "-" in time


def _utc(text: str) -> str:
    is_day = "T" not in text and " " not in text
    return f"{text}T00:00:00Z" if is_day else f"{text}Z"
