"""Columns of ids."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, Fraction, Whole
from ranker.config.kinds.column import FeatureColumn


@dataclass(frozen=True, config=CHECKED)
class HashedId(FeatureColumn):
    """A column of ids: one of the keys viewer and item, or any other column of strings or integers, such as the author.

    The towers learn a vector per id; the forest never sees one. Ids have no vocabulary: each is hashed twice, and its
    vector is the sum of one row of each of two tables (Svenstrup et al., "Hash embeddings for efficient word
    representations", NeurIPS 2017; Zhang et al., "Model size reduction using frequency based double hashing for
    recommender systems", RecSys 2020). So memory is bounded, and two ids share both rows with a chance of only
    1 in `buckets`².

    A missing id has the vector 0. An id that was not in training has rows that are untrained, which are near 0, or
    those of other ids. A request need not have the column.

    Attributes:
        buckets: rows of each table. With about as many as there are ids, most rows belong to one or two of them.
        dimension: numbers of the vector. Columns with the same dimension are also multiplied with each other, number by
            number.
        dropout: share of the training impressions whose vector is set to 0, as if the id was missing. So the towers
            learn to predict without it.

    Example:
        >>> HashedId("author_id", buckets=5_000).dimension
        8
    """

    buckets: Annotated[Whole, Field(ge=2, le=10_000_000)] = 20_000
    dimension: Annotated[Whole, Field(ge=1, le=1024)] = 8
    dropout: Fraction = 0.2

    @property
    def is_discrete(self) -> bool:
        """An impression has one id."""
        return True
