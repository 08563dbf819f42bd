"""Multi-valued columns."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, Whole
from ranker.config.kinds.column import FeatureColumn


@dataclass(frozen=True, config=CHECKED)
class MultiValued(FeatureColumn):
    """A column with a list of strings or integers per impression; the forest sees one 0/1 column per value kept.

    Attributes:
        vocabulary_size: values kept, most frequent first; each is one forest feature, so keep it small.

    Example:
        >>> MultiValued("topics", vocabulary_size=2).forest_names
        ('topics.count', 'topics.0', 'topics.1')
    """

    vocabulary_size: Annotated[Whole, Field(ge=1, le=1024)] = 32

    @property
    def values_kept(self) -> int:
        """The vocabulary."""
        return self.vocabulary_size

    @property
    def forest_names(self) -> tuple[str, ...]:
        """The number of values, and one input per value kept."""
        return tuple(f"{self.name}.{part}" for part in ("count", *range(self.vocabulary_size)))
