"""Categorical columns."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, Whole
from ranker.config.kinds.column import FeatureColumn


@dataclass(frozen=True, config=CHECKED)
class Categorical(FeatureColumn):
    """A column with one string or integer per impression; the forest sees its rank by frequency.

    Attributes:
        vocabulary_size: values kept, most frequent first; the others share one code.

    Example:
        >>> Categorical("category", vocabulary_size=200, column="Product category").source
        'Product category'
    """

    vocabulary_size: Annotated[Whole, Field(gt=0, le=10_000_000)] = 1000

    @property
    def values_kept(self) -> int:
        """The vocabulary."""
        return self.vocabulary_size

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
