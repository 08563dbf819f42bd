"""The columns of the feed log: keys and features."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, ColumnName, Units
from ranker.config.names import check_forest_names, check_names, check_reserved, input_names


@dataclass(frozen=True, config=CHECKED)
class Keys:
    """The columns that say whose impression it was and when; never features."""

    session: ColumnName = "session_id"
    viewer: ColumnName = "viewer_id"
    item: ColumnName = "item_id"
    timestamp: ColumnName = "timestamp"


@dataclass(frozen=True, config=CHECKED)
class FeatureColumn:
    """A column that a model reads: its name, and what forest and towers get of it.

    How each kind of column is read, transformed and served is in `ranker.features`.
    """

    name: ColumnName

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
    """A column with one number per impression. A config gives its name alone."""

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
    """A column with a fixed-size float vector per impression (text, image, …); it goes to the towers directly."""

    size: Units


@dataclass(frozen=True, config=CHECKED)
class Features:
    """The columns that are known before an impression is shown."""

    numeric: tuple[ColumnName, ...] = ()
    categorical: tuple[Categorical, ...] = ()
    multi_valued: tuple[MultiValued, ...] = ()
    dense: tuple[DenseEmbedding, ...] = ()

    def __post_init__(self) -> None:
        check_names("features", self.names)
        check_reserved("features", self.names)
        input_names(self.names)
        check_forest_names("features", {column.name: column.forest_names for column in self.columns})
        if not self.forest_names:
            raise ValueError("features: the forest needs at least one numeric, categorical or multi_valued column")

    @property
    def columns(self) -> tuple[FeatureColumn, ...]:
        """Every feature column, in the order numeric, categorical, multi-valued, dense."""
        return (*(Numeric(name) for name in self.numeric), *self.categorical, *self.multi_valued, *self.dense)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of every feature column, in the order of `columns`."""
        return tuple(column.name for column in self.columns)

    @property
    def forest_names(self) -> tuple[str, ...]:
        """The forest's inputs, in the order of `columns`."""
        return tuple(name for column in self.columns for name in column.forest_names)
