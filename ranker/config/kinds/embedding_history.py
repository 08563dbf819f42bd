"""Histories of a viewer by a dense embedding."""

from collections.abc import Sequence
from dataclasses import field

from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, Units
from ranker.config.kinds.column import FeatureColumn
from ranker.config.kinds.viewer_history import ViewerHistory


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
    def kept_size(self) -> int:
        """The embedding."""
        return self.size

    @property
    def log_size(self) -> int:
        """Numbers in the column: of all impressions and of those with each action, how many, and the mean embedding."""
        return (1 + len(self.actions)) * (1 + self.size)

    def check_of(self, columns: Sequence[FeatureColumn]) -> None:
        """It is a dense embedding of that size."""
        sizes = {column.name: column.embedding_size for column in columns if column.embedding_size}
        if sizes.get(self.of) != self.size:
            raise ValueError(f"{self.of!r} is no dense embedding of size {self.size}; there are {sizes}")
