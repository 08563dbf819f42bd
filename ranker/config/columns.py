"""The columns of the feed log: keys and features."""

from typing import Annotated

from pydantic import Field, PositiveInt
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, ColumnName, check_names


@dataclass(frozen=True, config=CHECKED)
class Keys:
    """The columns that say whose impression it was and when; never features."""

    session: ColumnName = "session_id"
    viewer: ColumnName = "viewer_id"
    item: ColumnName = "item_id"
    timestamp: ColumnName = "timestamp"


@dataclass(frozen=True, config=CHECKED)
class Categorical:
    """A column with one string or integer per impression; the forest sees its rank by frequency.

    Attributes:
        vocabulary_size: values kept, most frequent first; the others share one code.
    """

    name: ColumnName
    vocabulary_size: PositiveInt = 1000

    @property
    def missing_code(self) -> int:
        """What stands for a missing value where numbers are needed: one more than any rank can be."""
        return self.vocabulary_size + 1


@dataclass(frozen=True, config=CHECKED)
class MultiValued:
    """A column with a list of strings or integers per impression; the forest sees one 0/1 column per value kept.

    Attributes:
        vocabulary_size: values kept, most frequent first; each is one forest feature, so keep it small.
    """

    name: ColumnName
    vocabulary_size: Annotated[int, Field(ge=1, le=1024)] = 32


@dataclass(frozen=True, config=CHECKED)
class DenseEmbedding:
    """A column with a fixed-size float vector per impression (text, image, …); it goes to the towers directly."""

    name: ColumnName
    size: PositiveInt


@dataclass(frozen=True, config=CHECKED)
class Features:
    """The columns that are known before an impression is shown."""

    numeric: tuple[ColumnName, ...] = ()
    categorical: tuple[Categorical, ...] = ()
    multi_valued: tuple[MultiValued, ...] = ()
    dense: tuple[DenseEmbedding, ...] = ()

    def __post_init__(self) -> None:
        check_names("features", self.names)
        if not (self.numeric or self.categorical or self.multi_valued):
            raise ValueError("features: the forest needs at least one numeric, categorical or multi_valued column")

    @property
    def forest_names(self) -> tuple[str, ...]:
        """The forest's inputs, in order: a multi-valued column stands for its length and one input per value kept."""
        multi_valued = tuple(
            f"{f.name}.{part}" for f in self.multi_valued for part in ("count", *range(f.vocabulary_size))
        )
        return (*self.numeric, *(f.name for f in self.categorical), *multi_valued)

    @property
    def names(self) -> tuple[str, ...]:
        """Every feature column, in the order numeric, categorical, multi-valued, dense."""
        return (
            *self.numeric,
            *(f.name for f in self.categorical),
            *(f.name for f in self.multi_valued),
            *(f.name for f in self.dense),
        )
