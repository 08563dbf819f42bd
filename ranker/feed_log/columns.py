"""Which columns are read, and which Arrow types each kind of column may have."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass as plain_dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.types as pt
from pydantic.dataclasses import dataclass

from ranker.config.columns import Features, Keys
from ranker.feed_log.layout import FeedLogError

_MOST_MISSING_SHOWN = 5

Kind = Literal["objective", "id", "timestamp", "numeric", "categorical", "multi_valued", "dense"]


@dataclass(frozen=True)
class Column:
    """One column of the feed log; `size` is the number of floats of a dense embedding and 1 otherwise."""

    name: str
    kind: Kind
    size: int = 1


@dataclass(frozen=True)
class LogColumns:
    """The columns to read, as a component parameter."""

    columns: tuple[Column, ...]


def columns_of(objective_names: Sequence[str], features: Features, keys: Keys) -> LogColumns:
    """The columns that a config asks for: keys, features, objectives."""
    return LogColumns(
        (
            *(Column(name, "id") for name in (keys.session, keys.viewer, keys.item)),
            Column(keys.timestamp, "timestamp"),
            *(Column(name, "numeric") for name in features.numeric),
            *(Column(f.name, "categorical") for f in features.categorical),
            *(Column(f.name, "multi_valued") for f in features.multi_valued),
            *(Column(f.name, "dense", f.size) for f in features.dense),
            *(Column(name, "objective") for name in objective_names),
        )
    )


def check_schema(path: str, schema: pa.Schema, columns: Sequence[Column]) -> None:
    """Checks that a file has every column, with a type that its kind accepts.

    Raises:
        FeedLogError: naming the file, the columns at fault, what was found and what is accepted.
    """
    missing = [column.name for column in columns if column.name not in schema.names]
    if missing:
        described = ", ".join(f"{name!r}{_suggestion(name, schema.names)}" for name in missing[:_MOST_MISSING_SHOWN])
        more = len(missing) - _MOST_MISSING_SHOWN
        others = f" and {more} others" if more > 0 else ""
        raise FeedLogError(f"{path}: no column {described}{others}; it has {', '.join(schema.names)}")
    for column in columns:
        index = schema.get_field_index(column.name)
        if index < 0:
            raise FeedLogError(f"{path}: column {column.name!r} stands there more than once")
        found = schema.field(index).type
        if not _ACCEPTED[column.kind].accepts(found):
            accepted = _ACCEPTED[column.kind].described
            raise FeedLogError(f"{path}: {column.kind} column {column.name!r} is {found}; accepted are {accepted}")


def is_list(kind: pa.DataType) -> bool:
    """Whether an Arrow type is one of the three list types."""
    return pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind)


def _suggestion(name: str, names: Sequence[str]) -> str:
    by_lower = {other.lower(): other for other in names}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f" (did you mean {by_lower[close[0]]!r}?)" if close else ""


def _decoded(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pt.is_dictionary(kind) else kind


def _is_number(kind: pa.DataType) -> bool:
    kind = _decoded(kind)
    return pt.is_boolean(kind) or pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind)


def _is_text(kind: pa.DataType) -> bool:
    kind = _decoded(kind)
    return pt.is_string(kind) or pt.is_large_string(kind) or pt.is_binary(kind) or pt.is_large_binary(kind)


def _is_category(kind: pa.DataType) -> bool:
    return _is_text(kind) or pt.is_integer(_decoded(kind)) or pt.is_boolean(_decoded(kind))


def _is_moment(kind: pa.DataType) -> bool:
    return pt.is_timestamp(kind) or pt.is_date(kind) or pt.is_integer(kind)


@plain_dataclass(frozen=True)
class _Accepted:
    accepts: Callable[[pa.DataType], bool]
    described: str


# A column without a single value has Arrow's null type; that is fine wherever a value may be missing.
_ACCEPTED: dict[Kind, _Accepted] = {
    "objective": _Accepted(_is_number, "bool and any number type, with the values 0 and 1"),
    "id": _Accepted(lambda kind: _is_text(kind) or pt.is_integer(_decoded(kind)), "string, binary and integers"),
    "timestamp": _Accepted(_is_moment, "timestamp, date and integers that count milliseconds since 1970"),
    "numeric": _Accepted(lambda kind: _is_number(kind) or pt.is_null(kind), "bool, integers, floats and decimals"),
    "categorical": _Accepted(
        lambda kind: _is_category(kind) or pt.is_null(kind),
        "string, binary, integers and bool, dictionary-encoded or not",
    ),
    "multi_valued": _Accepted(
        lambda kind: (
            pt.is_null(kind) or (is_list(kind) and (_is_category(kind.value_type) or pt.is_null(kind.value_type)))
        ),
        "lists of strings, of binary or of integers",
    ),
    "dense": _Accepted(lambda kind: is_list(kind) and _is_number(kind.value_type), "lists of numbers"),
}
