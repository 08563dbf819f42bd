"""The columns of the feed log: keys, features and exposure."""

from collections.abc import Iterable
from dataclasses import field
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, ColumnName, Count, Days, Fraction, Units
from ranker.config.named import Named
from ranker.config.names import check_forest_names, check_names, check_reserved, folded, input_names, is_usable


@dataclass(frozen=True, config=CHECKED)
class Keys:
    """The columns that say whose impression it was and when.

    Each is the name of a column of the feed log, with any characters. A feature may read the same column. A log without
    sessions names the viewer for both: with `Keys(session="user", viewer="user")`, a viewer's day is a session.
    """

    session: ColumnName = "session_id"
    viewer: ColumnName = "viewer_id"
    item: ColumnName = "item_id"
    timestamp: ColumnName = "timestamp"

    @property
    def columns(self) -> tuple[str, str, str, str]:
        """The columns of the feed log: session, viewer, item, timestamp."""
        return self.session, self.viewer, self.item, self.timestamp

    def in_examples(self, others: Iterable[str]) -> "Keys":
        """The names of the keys in tf.Examples: those of the columns, unless they are taken or not usable.

        Args:
            others: the names of features and objectives.

        Example:
            >>> Keys(session="visit").in_examples(["item_id"])
            Keys(session='visit', viewer='viewer_id', item='item_key', timestamp='timestamp')
        """
        taken = {folded(name) for name in others}
        named = {}
        for role in ("session", "viewer", "item", "timestamp"):
            name = getattr(self, role)
            if folded(name) in taken or not is_usable(name):
                name = f"{role}_key"
                while folded(name) in taken or name in self.columns:
                    name += "_"
            taken.add(folded(name))
            named[role] = name
        return Keys(**named)


@dataclass(frozen=True, config=CHECKED)
class FeatureColumn(Named):
    """A column that a model reads: its name, and what forest and towers get of it.

    How each kind of column is read, transformed and served is in `ranker.features`.

    Attributes:
        name: of the feature everywhere: in the schema, in Examples, in requests to a model and in reports.
        column: of the feed log and of tables, with any characters, if it is not `name`.

    Example:
        >>> Numeric("price_eur", column="Price (EUR)").source
        'Price (EUR)'
    """

    name: ColumnName
    column: ColumnName | None = field(default=None, kw_only=True)

    @property
    def source(self) -> str:
        """The column of the feed log."""
        return self.column or self.name

    @property
    def forest_names(self) -> tuple[str, ...]:
        """The forest's inputs that the column becomes, in order."""
        return ()

    @property
    def codes(self) -> int:
        """Codes that the towers can embed the column's value by, each in [0, codes); 0 where there are none."""
        return 0


@dataclass(frozen=True, config=CHECKED)
class Numeric(FeatureColumn):
    """A column with one number per impression. A config may give its name alone."""

    @property
    def forest_names(self) -> tuple[str, ...]:
        """The number."""
        return (self.name,)


@dataclass(frozen=True, config=CHECKED)
class Categorical(FeatureColumn):
    """A column with one string or integer per impression; the forest sees its rank by frequency.

    Attributes:
        vocabulary_size: values kept, most frequent first; the others share one code.
    """

    vocabulary_size: Annotated[int, Field(gt=0, le=10_000_000)] = 1000

    @property
    def forest_names(self) -> tuple[str, ...]:
        """The rank."""
        return (self.name,)

    @property
    def missing_code(self) -> int:
        """What stands for a missing value where numbers are needed: one more than any rank can be."""
        return self.vocabulary_size + 1

    @property
    def codes(self) -> int:
        """The ranks, and the code of a missing value."""
        return self.missing_code + 1


@dataclass(frozen=True, config=CHECKED)
class MultiValued(FeatureColumn):
    """A column with a list of strings or integers per impression; the forest sees one 0/1 column per value kept.

    Attributes:
        vocabulary_size: values kept, most frequent first; each is one forest feature, so keep it small.
    """

    vocabulary_size: Annotated[int, Field(ge=1, le=1024)] = 32

    @property
    def forest_names(self) -> tuple[str, ...]:
        """The number of values, and one input per value kept."""
        return tuple(f"{self.name}.{part}" for part in ("count", *range(self.vocabulary_size)))


@dataclass(frozen=True, config=CHECKED)
class DenseEmbedding(FeatureColumn):
    """A column with a fixed-size float vector per impression (text, image, …); it goes to the towers directly.

    Attributes:
        size: numbers of the vector.
        forest: whether the forest reads the numbers too, each as an input of its own. A tree splits on one of them at a
            time, so it pays off where single numbers mean something, and costs a tree's search as many numbers.
    """

    size: Units
    forest: bool = False

    @property
    def forest_names(self) -> tuple[str, ...]:
        """One input per number if the forest reads them, otherwise none."""
        return tuple(f"{self.name}.{number}" for number in range(self.size)) if self.forest else ()


@dataclass(frozen=True, config=CHECKED)
class ViewerHistory(FeatureColumn):
    """A column with what the viewer was shown on earlier days, and did with it; see `ranker.histories`.

    A feed log that has the column is taken at its word. Otherwise the column is computed from the log's earlier days.

    Attributes:
        of: the column whose values the history holds.
        actions: the objectives that it tells of each impression.
        length: number of the viewer's newest impressions that it holds.
        days: an impression is kept for this number of days.
        max_viewers: viewers whose impressions are kept from one day to the next; more are forgotten, those not seen for
            longest first.
    """

    of: ColumnName
    actions: Annotated[tuple[ColumnName, ...], Field(min_length=1, max_length=7)]
    length: Annotated[int, Field(gt=0, le=1000)] = 50
    days: Days = 30
    max_viewers: Count = 1_000_000


@dataclass(frozen=True, config=CHECKED)
class History(ViewerHistory):
    """The viewer's newest impressions by author, topic or another column with one value per impression.

    The model reads numbers: the impressions, those with the candidate's value, and for each action the viewer's rate
    and how far it is above that rate among the impressions with the candidate's value.

    Attributes:
        of: an id column such as the author, the item, or a categorical feature.

    Example:
        >>> History("author_history", of="author_id", actions=("click",)).forest_names
        ('author_history.impressions', 'author_history.same', 'author_history.click', 'author_history.click.same')
    """

    @property
    def forest_names(self) -> tuple[str, ...]:
        """The numbers, which the towers read too."""
        rates = (f"{action}{part}" for action in self.actions for part in ("", ".same"))
        return tuple(f"{self.name}.{part}" for part in ("impressions", "same", *rates))


@dataclass(frozen=True, config=CHECKED)
class EmbeddingHistory(ViewerHistory):
    """The mean embedding of the viewer's newest impressions, and that of the impressions with each action.

    The model reads numbers: the impressions, how similar the candidate's embedding is to their mean, and for each
    action how much more similar it is to the mean of the impressions with the action.

    Attributes:
        of: a dense embedding.
        size: of the dense embedding.

    Example:
        >>> EmbeddingHistory("content_history", of="content", actions=("click",), size=32).forest_names
        ('content_history.impressions', 'content_history.similarity', 'content_history.click')
    """

    size: Units = field(kw_only=True)

    @property
    def forest_names(self) -> tuple[str, ...]:
        """The numbers, which the towers read too."""
        return tuple(f"{self.name}.{part}" for part in ("impressions", "similarity", *self.actions))

    @property
    def log_size(self) -> int:
        """Numbers in the column: of all impressions and of those with each action, how many, and the mean embedding."""
        return (1 + len(self.actions)) * (1 + self.size)


@dataclass(frozen=True, config=CHECKED)
class HashedId(FeatureColumn):
    """A column of ids: one of the keys viewer and item, or any other column of strings or integers, such as the author.

    The towers learn a vector per id; the forest never sees one. Ids have no vocabulary: each is hashed twice, and its
    vector is the sum of one row of each of two tables (Svenstrup et al., "Hash embeddings for efficient word
    representations", NeurIPS 2017; Zhang et al., "Model size reduction using frequency based double hashing for
    recommender systems", RecSys 2020). So memory is bounded, and two ids share both rows with a chance of only
    1 in `buckets`².

    An unknown or missing id has the vector 0. A request need not have the column.

    Attributes:
        buckets: rows of each table. With about as many as there are ids, most rows belong to one or two of them.
        dimension: numbers of the vector. Columns with the same dimension are also multiplied with each other, number by
            number.
        dropout: share of the training impressions whose vector is 0 as if the id was unknown. So the towers learn what
            to expect of an id that they do not know.

    Example:
        >>> Features(numeric=("age_hours",), ids=(HashedId("viewer_id"), HashedId("author_id", buckets=5_000))).names
        ('age_hours', 'viewer_id', 'author_id')
    """

    buckets: Annotated[int, Field(ge=2, le=10_000_000)] = 20_000
    dimension: Annotated[int, Field(ge=1, le=1024)] = 8
    dropout: Fraction = 0.2


@dataclass(frozen=True, config=CHECKED)
class Exposure(Named):
    """A column known only once a session has been ranked: position, slot, how the order was drawn.

    It is the previous ranker's output, which a candidate does not have yet. So it is logged and kept in the Examples,
    but nothing that scores a candidate reads it. A request may hold it.

    Attributes:
        name: in the schema, in Examples and in requests.
        default: stands for a missing value; a number makes the column numeric, a text categorical. It should be the
            exposure of the most attention, such as the first position.
        column: of the feed log and of tables, with any characters, if it is not `name`.

    Example:
        >>> type(Exposure("position", default=1.0).read_as).__name__
        'Numeric'
        >>> type(Exposure("slot", default="feed").read_as).__name__
        'Categorical'
    """

    name: ColumnName
    default: Annotated[float, Field(ge=-1e15, le=1e15)] | Annotated[str, Field(min_length=1)]
    column: ColumnName | None = field(default=None, kw_only=True)

    @property
    def read_as(self) -> Numeric | Categorical:
        """How the column is read."""
        kind = Categorical if isinstance(self.default, str) else Numeric
        return kind(self.name, column=self.column)


@dataclass(frozen=True, config=CHECKED)
class Features:
    """The columns that are known before a session is ranked, and those known only after it.

    Attributes:
        numeric: columns with one number: names, or `Numeric(name, column=)` where the column has another name.
        categorical: columns with one string or integer.
        multi_valued: columns with a list of strings or integers.
        dense: columns with a float vector.
        history: columns with what the viewer was shown on earlier days.
        ids: columns of ids, of which the towers learn a vector each. They may be keys.
        exposure: columns known only after ranking. They are no features: `columns`, `names` and `forest_names` leave
            them out.
        vouched: columns that are known before a session is ranked although they almost tell an outcome. Without it, a
            new column of that kind blocks the model; see `ranker.evaluation.leakage`. It changes no model, so it is not
            among the settings that models are compared by.
    """

    numeric: tuple[ColumnName | Numeric, ...] = ()
    categorical: tuple[Categorical, ...] = ()
    multi_valued: tuple[MultiValued, ...] = ()
    dense: tuple[DenseEmbedding, ...] = ()
    history: tuple[History | EmbeddingHistory, ...] = ()
    ids: tuple[HashedId, ...] = ()
    exposure: tuple[Exposure, ...] = ()
    vouched: Annotated[tuple[ColumnName, ...], Field(exclude=True)] = ()

    def __post_init__(self) -> None:
        # A column that has its own name is the name alone, so that both spellings are the same config.
        plain = (one.name if isinstance(one, Numeric) and one.source == one.name else one for one in self.numeric)
        object.__setattr__(self, "numeric", tuple(plain))
        names = (*self.names, *self.exposure_names)
        check_names("features", names)
        for where, of_field in self.names_by_field.items():
            check_reserved(where, of_field)
        self._check_history()
        input_names((*names, *self.history_keys))
        check_forest_names("features", {column.name: column.forest_names for column in self.columns})
        known = {column.source for column in self.columns}
        if both := sorted(one.read_as.source for one in self.exposure if one.read_as.source in known):
            raise ValueError(
                f"features.exposure: {both} are read as features too; what is known only later is no feature"
            )
        if unknown := sorted(set(self.vouched) - set(self.names)):
            raise ValueError(f"features.vouched: {unknown} are not among the feature columns {sorted(self.names)}")
        if not self.columns:
            raise ValueError("features: there are none; name at least one column")

    def _check_history(self) -> None:
        sizes = {column.name: column.size for column in self.dense}
        categorical = {column.name for column in self.categorical}
        for history in self.history:
            if history.of in self.exposure_names:
                raise ValueError(f"features.history: {history.name}: {history.of!r} is not known of a candidate")
            if isinstance(history, EmbeddingHistory):
                if sizes.get(history.of) != history.size:
                    raise ValueError(
                        f"features.history: {history.name}: {history.of!r} is no dense embedding of size "
                        f"{history.size}; there are {sizes}"
                    )
            elif history.of in self.names and history.of not in (*categorical, *self.id_names):
                raise ValueError(
                    f"features.history: {history.name}: {history.of!r} has no ids or categories; name a categorical "
                    "feature, or an id column, which is no feature"
                )
            if len(set(history.actions)) < len(history.actions):
                raise ValueError(f"features.history: {history.name}: {history.actions} names an action twice")

    @property
    def columns(self) -> tuple[FeatureColumn, ...]:
        """Every feature column, in the order numeric, categorical, multi-valued, dense, history, ids."""
        numeric = (Numeric(one) if isinstance(one, str) else one for one in self.numeric)
        return (*numeric, *self.categorical, *self.multi_valued, *self.dense, *self.history, *self.ids)

    @property
    def numeric_names(self) -> tuple[str, ...]:
        """The names of the numeric columns."""
        return tuple(one if isinstance(one, str) else one.name for one in self.numeric)

    def names_beside(self, keys: Keys) -> tuple[str, ...]:
        """The names of features and exposure in tf.Examples, without ids that are the key viewer or item itself."""
        shared = {one.name for one in self.ids if one.source == one.name in (keys.viewer, keys.item)}
        return tuple(name for name in (*self.names, *self.exposure_names) if name not in shared)

    @property
    def vectors(self) -> dict[str, int]:
        """Column → size of the vector that the towers read of it by that name: dense embeddings, and histories."""
        sizes = {column.name: column.size for column in self.dense}
        return sizes | {column.name: len(column.forest_names) for column in self.history}

    @property
    def history_keys(self) -> tuple[str, ...]:
        """The id columns that histories compare candidates by, which are no features."""
        return tuple(dict.fromkeys(column.of for column in self.history if column.of not in self.names))

    @property
    def names_read(self) -> tuple[str, ...]:
        """Every column that a score depends on: features, and what histories compare candidates by."""
        return (*self.names, *self.history_keys)

    @property
    def history_days(self) -> int:
        """The number of days before a day that the histories of its impressions are computed from."""
        return max((column.days for column in self.history), default=0)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of every feature column, in the order of `columns`."""
        return tuple(column.name for column in self.columns)

    @property
    def id_names(self) -> tuple[str, ...]:
        """The name of every column of ids."""
        return tuple(column.name for column in self.ids)

    @property
    def exposure_names(self) -> tuple[str, ...]:
        """The name of every exposure column."""
        return tuple(exposure.name for exposure in self.exposure)

    @property
    def names_by_field(self) -> dict[str, tuple[str, ...]]:
        """The field of a config → the names in it, for error messages."""
        named: dict[str, Iterable[Exposure | FeatureColumn]] = {
            "numeric": map(Numeric, self.numeric_names),
            "categorical": self.categorical,
            "multi_valued": self.multi_valued,
            "dense": self.dense,
            "history": self.history,
            "ids": self.ids,
            "exposure": self.exposure,
        }
        return {f"features.{field}": tuple(column.name for column in columns) for field, columns in named.items()}

    @property
    def forest_names(self) -> tuple[str, ...]:
        """The forest's inputs, in the order of `columns`."""
        return tuple(name for column in self.columns for name in column.forest_names)
