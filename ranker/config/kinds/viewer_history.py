"""What the two kinds of histories of a viewer share."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, ColumnName, Count, Days
from ranker.config.kinds.column import FeatureColumn


@dataclass(frozen=True, config=CHECKED)
class ViewerHistory(FeatureColumn):
    """A column with what the viewer was shown on earlier days, and did with it; see `ranker.histories`.

    A column of the feed log is read as it is. If the log does not have it, it is computed from the log's earlier days.

    Attributes:
        of: the column whose values the history has.
        actions: the objectives whose outcomes the history has, for each impression.
        length: number of the viewer's newest impressions in the history.
        days: age in days up to which an impression is in the history.
        max_viewers: viewers whose impressions are kept from one day to the next; more are forgotten, those not seen for
            longest first.
    """

    of: ColumnName
    actions: Annotated[tuple[ColumnName, ...], Field(min_length=1, max_length=7)]
    length: Annotated[int, Field(gt=0, le=1000)] = 50
    days: Days = 30
    max_viewers: Count = 1_000_000

    @property
    def vector_size(self) -> int:
        """The numbers of the history."""
        return len(self.forest_names)
