"""Which columns of the feed log are read, and whether its files have them."""

import difflib
from collections.abc import Sequence

import pyarrow as pa
from pydantic.dataclasses import dataclass

from ranker.config.columns import Features, Keys
from ranker.config.exploration import Exploration
from ranker.config.timestamps import Timestamps
from ranker.features.exploration import PropensityKind, RandomisedKind
from ranker.features.keys_and_labels import IdKind, ObjectiveKind, OptionalIdKind, TimestampKind
from ranker.features.log_column import LogColumn
from ranker.features.registry import column_kind, exposure_kinds, feature_kinds
from ranker.feed_log.layout import FeedLogError

_MOST_MISSING_SHOWN = 5


@dataclass(frozen=True)
class LogColumns:
    """The columns to read, as a component parameter.

    Attributes:
        columns: keys, further ids, exploration, features, objectives.
        timestamps: which timestamps the rows of a day's folder may have.
    """

    columns: tuple[LogColumn, ...]
    timestamps: Timestamps = Timestamps()


def columns_of(
    objective_names: Sequence[str],
    features: Features,
    keys: Keys,
    timestamps: Timestamps | None = None,
    exploration: Exploration | None = None,
    ids: Sequence[str] = (),
) -> LogColumns:
    """The columns that a config asks for: keys, further ids, exploration, features, exposure, objectives."""
    explored = (
        (LogColumn(exploration.randomised, RandomisedKind.name), LogColumn(exploration.propensity, PropensityKind.name))
        if exploration
        else ()
    )
    return LogColumns(
        (
            *(LogColumn(name, IdKind.name) for name in (keys.session, keys.viewer, keys.item)),
            LogColumn(keys.timestamp, TimestampKind.name),
            *(LogColumn(name, OptionalIdKind.name) for name in ids),
            *explored,
            *(kind.log_column for _, kind in (*feature_kinds(features), *exposure_kinds(features))),
            *(LogColumn(name, ObjectiveKind.name) for name in objective_names),
        ),
        timestamps or Timestamps(),
    )


def check_schema(path: str, schema: pa.Schema, columns: Sequence[LogColumn]) -> None:
    """Checks that a file has every column, with a type that its kind accepts.

    Raises:
        FeedLogError: naming the file, the columns at fault, what was found and what is accepted.
    """
    check_names(path, schema, [column.name for column in columns])
    for column in columns:
        found, kind = schema.field(column.name).type, column_kind(column.kind)
        if not kind.accepts(found):
            raise FeedLogError(f"{path}: {kind.name} column {column.name!r} is {found}; accepted are {kind.accepted}")


def check_names(path: str, schema: pa.Schema, names: Sequence[str]) -> None:
    """Checks that a file has one column of each of these names.

    Raises:
        FeedLogError: naming the file, the columns that are missing, similar names, and the columns that it has; or a
            column that stands there more than once.
    """
    missing = [name for name in names if name not in schema.names]
    if missing:
        described = ", ".join(f"{name!r}{_suggestion(name, schema.names)}" for name in missing[:_MOST_MISSING_SHOWN])
        more = len(missing) - _MOST_MISSING_SHOWN
        others = f" and {more} others" if more > 0 else ""
        raise FeedLogError(f"{path}: no column {described}{others}; it has {', '.join(schema.names)}")
    for name in names:
        if schema.get_field_index(name) < 0:
            raise FeedLogError(f"{path}: column {name!r} stands there more than once")


def _suggestion(name: str, names: Sequence[str]) -> str:
    by_lower = {other.lower(): other for other in names}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f" (did you mean {by_lower[close[0]]!r}?)" if close else ""
