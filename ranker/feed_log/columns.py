"""Which columns of the feed log are read, and whether its files have them."""

import difflib
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
from pydantic.dataclasses import dataclass

from ranker.config.columns import AnyHistory, Features, Keys
from ranker.config.exploration import Exploration
from ranker.config.objectives import Objective
from ranker.config.rows import Rows
from ranker.config.timestamps import Timestamps
from ranker.features.exploration import PropensityKind, RandomisedKind
from ranker.features.keys_and_labels import IdKind, ObjectiveKind, OptionalIdKind, TimestampKind
from ranker.features.kind import ColumnKind
from ranker.features.log_column import LogColumn
from ranker.features.registry import column_kind, exposure_kinds, feature_kinds
from ranker.features.row_weight import RecencyKind, WeightKind
from ranker.feed_log.layout import FeedLogError
from ranker.keys import ROW_WEIGHT

_MOST_MISSING_SHOWN = 5


@dataclass(frozen=True)
class LogColumns:
    """The columns to read, as a component parameter.

    Attributes:
        columns: keys, further ids, exploration, features, objectives, and the weight if there is one.
        timestamps: which timestamps the rows of a day's folder may have.
        histories: those of the columns that are computed from earlier days where a file lacks them.
        keys: the names in Examples of the columns that say whose impression it was and when.
        rows: which rows are read.
    """

    columns: tuple[LogColumn, ...]
    timestamps: Timestamps = Timestamps()
    histories: tuple[AnyHistory, ...] = ()
    keys: Keys = Keys()
    rows: Rows = Rows()

    def of(self, name: str) -> LogColumn:
        """The column with that name; raises KeyError if there is none."""
        return {column.name: column for column in self.columns}[name]

    @property
    def times(self) -> "LogColumns":
        """The column of timestamps alone, which is enough to plan a day."""
        return replace(self, columns=(self.of(self.keys.timestamp),), histories=())


def columns_of(
    objectives: Sequence[Objective | str],
    features: Features,
    keys: Keys,
    timestamps: Timestamps | None = None,
    exploration: Exploration | None = None,
    ids: Sequence[str] = (),
    rows: Rows | None = None,
) -> LogColumns:
    """The columns that a config asks for: keys, further ids, exploration, features, exposure, objectives.

    An id among the features that is a key itself is read once, as the key.

    Args:
        objectives: the config's; a name alone is that of its column, too.
        features: the config's, as `keys`, `timestamps`, `exploration` and `rows`.
        ids: the id columns of random effects that are not among the keys. Those that histories are of need not be
            among them.
    """
    labels = [
        LogColumn(one, ObjectiveKind.name)
        if isinstance(one, str)
        else LogColumn(one.name, ObjectiveKind.name, column=one.column)
        for one in objectives
    ]
    own = features.names_beside(keys)
    named = keys.in_examples((*(label.name for label in labels), *own))
    read = (kind.log_column for _, kind in (*feature_kinds(features), *exposure_kinds(features)))
    further = dict.fromkeys(name for name in (*ids, *features.history_keys) if name not in named.columns)
    explored = (
        (LogColumn(exploration.randomised, RandomisedKind.name), LogColumn(exploration.propensity, PropensityKind.name))
        if exploration
        else ()
    )
    return LogColumns(
        (
            *(_key(getattr(named, role), IdKind, getattr(keys, role)) for role in ("session", "viewer", "item")),
            _key(named.timestamp, TimestampKind, keys.timestamp),
            *(LogColumn(name, OptionalIdKind.name) for name in further),
            *explored,
            *(column for column in read if column.name in own),
            *labels,
            *_weight(rows or Rows()),
        ),
        timestamps or Timestamps(),
        features.history,
        named,
        rows or Rows(),
    )


def _weight(rows: Rows) -> tuple[LogColumn, ...]:
    if not rows.is_weighted:
        return ()
    if rows.weight is None:
        return (LogColumn(ROW_WEIGHT, RecencyKind.name),)
    return (LogColumn(ROW_WEIGHT, WeightKind.name, column=rows.weight),)


def _key(name: str, kind: type[ColumnKind], column: str) -> LogColumn:
    return LogColumn(name, kind.name, column=column if column != name else None)


def check_schema(path: str, schema: pa.Schema, columns: Sequence[LogColumn]) -> None:
    """Checks that a file has every column, with a type that its kind accepts; it may lack columns that are computed.

    Raises:
        FeedLogError: naming the file, the columns at fault, what was found and what is accepted.
    """
    stored = [column for column in columns if column_kind(column.kind).is_stored]
    columns = [column for column in stored if column.source in schema.names or not column_kind(column.kind).computed]
    check_names(path, schema, list(dict.fromkeys(column.source for column in columns)))
    for column in columns:
        found, kind = schema.field(column.source).type, column_kind(column.kind)
        if not kind.accepts(found):
            raise FeedLogError(f"{path}: {kind.name} column {column.source!r} is {found}; accepted are {kind.accepted}")


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
