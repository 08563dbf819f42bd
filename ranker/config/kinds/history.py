"""Histories of a viewer by author, topic or another column."""

from collections.abc import Sequence

from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED
from ranker.config.kinds.column import FeatureColumn
from ranker.config.kinds.viewer_history import ViewerHistory


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

    def check_of(self, columns: Sequence[FeatureColumn]) -> None:
        """A feature has ids or categories; another column is one of ids."""
        if any(column.name == self.of and not column.is_discrete for column in columns):
            raise ValueError(
                f"{self.of!r} has no ids or categories; name a categorical feature, or an id column, which is no "
                "feature"
            )
