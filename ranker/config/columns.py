"""All columns of the feed log that a model reads or is judged by, and the types to name them in a config."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import fields
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, IN_ORDER, ColumnName, Ordered
from ranker.config.keys import Keys
from ranker.config.kinds.categorical import Categorical
from ranker.config.kinds.column import FeatureColumn
from ranker.config.kinds.dense import DenseEmbedding
from ranker.config.kinds.embedding_history import EmbeddingHistory
from ranker.config.kinds.exposure import Exposure
from ranker.config.kinds.hashed_id import HashedId
from ranker.config.kinds.history import History
from ranker.config.kinds.multi_valued import MultiValued
from ranker.config.kinds.numeric import Numeric
from ranker.config.kinds.viewer_history import ViewerHistory
from ranker.config.names import check_forest_names, check_names, check_reserved, input_names

__all__ = [
    "AnyHistory",
    "Categorical",
    "DenseEmbedding",
    "EmbeddingHistory",
    "Exposure",
    "FeatureColumn",
    "Features",
    "HashedId",
    "History",
    "Keys",
    "MultiValued",
    "Numeric",
    "ViewerHistory",
]

AnyHistory = History | EmbeddingHistory
"""The kinds of histories that `Features.history` may hold."""

NO_FEATURES = ("exposure", "vouched")
"""The fields of `Features` that hold no feature columns."""


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

    Example:
        >>> Features(
        ...     numeric=("price", Numeric("rating", column="Avg. rating")),
        ...     categorical=(Categorical("device"),),
        ...     dense=(DenseEmbedding("picture", size=32),),
        ...     exposure=(Exposure("position", default=1.0),),
        ... ).names
        ('price', 'rating', 'device', 'picture')
    """

    numeric: Ordered[ColumnName | Numeric] = ()
    categorical: Ordered[Categorical] = ()
    multi_valued: Ordered[MultiValued] = ()
    dense: Ordered[DenseEmbedding] = ()
    history: Ordered[AnyHistory] = ()
    ids: Ordered[HashedId] = ()
    exposure: Ordered[Exposure] = ()
    vouched: Annotated[tuple[ColumnName, ...], Field(exclude=True), IN_ORDER] = ()

    def __post_init__(self) -> None:
        # A column that has its own name is the name alone, so that both spellings are the same config.
        plain = (one.name if isinstance(one, Numeric) and one.source == one.name else one for one in self.numeric)
        object.__setattr__(self, "numeric", tuple(plain))
        names = (*self.names, *self.exposure_names)
        check_names("features", names)
        for where, of_field in self.names_by_field.items():
            check_reserved(where, of_field)
        self._check_each(lambda column: column.check_columns(self.columns, self.exposure_names))
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

    def check_log(self, objectives: Sequence[str], keys: Keys, renamed: Collection[str]) -> None:
        """Checks what the columns say of objectives and keys; see `FeatureColumn.check_log`."""
        self._check_each(lambda column: column.check_log(objectives, keys, renamed))

    def _check_each(self, check: Callable[[FeatureColumn], None]) -> None:
        for field, columns in self._by_field.items():
            for column in columns:
                try:
                    check(column)
                except ValueError as error:
                    raise ValueError(f"features.{field}: {column.name}: {error}") from None

    @property
    def columns(self) -> tuple[FeatureColumn, ...]:
        """Every feature column, in the order of the fields."""
        return tuple(column for columns in self._by_field.values() for column in columns)

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
        """Column → size of the vector that the towers read of it by that name."""
        return {column.name: column.vector_size for column in self.columns if column.vector_size}

    @property
    def embeddings(self) -> dict[str, int]:
        """Column → size, of the columns with a vector in the feed log and in every request."""
        return {column.name: column.embedding_size for column in self.columns if column.embedding_size}

    @property
    def coded(self) -> tuple[FeatureColumn, ...]:
        """The columns with a code per value: the towers embed it, slices and calibrations are by it."""
        return tuple(column for column in self.columns if column.codes)

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
        named: dict[str, tuple[FeatureColumn | Exposure, ...]] = {**self._by_field, "exposure": self.exposure}
        return {f"features.{field}": tuple(column.name for column in columns) for field, columns in named.items()}

    @property
    def _by_field(self) -> dict[str, tuple[FeatureColumn, ...]]:
        """Field → its columns, for every field with feature columns."""
        return {
            field.name: tuple(Numeric(one) if isinstance(one, str) else one for one in getattr(self, field.name))
            for field in fields(self)
            if field.name not in NO_FEATURES
        }

    @property
    def forest_names(self) -> tuple[str, ...]:
        """The forest's inputs, in the order of `columns`."""
        return tuple(name for column in self.columns for name in column.forest_names)
