"""What the two kinds of histories of a viewer share."""

from collections.abc import Collection, Sequence
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, IN_ORDER, ColumnName, Count, Days, Whole
from ranker.config.keys import Keys
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
    actions: Annotated[tuple[ColumnName, ...], Field(min_length=1, max_length=7), IN_ORDER]
    length: Annotated[Whole, Field(gt=0, le=1000)] = 50
    days: Days = 30
    max_viewers: Count = 1_000_000

    @property
    def vector_size(self) -> int:
        """The numbers of the history."""
        return len(self.forest_names)

    @property
    def is_computed(self) -> bool:
        """It is."""
        return True

    @property
    def kept_size(self) -> int:
        """Numbers of the vector that it keeps of an impression; 0 if it keeps a hash of the value."""
        return 0

    @property
    def log_size(self) -> int:
        """The largest number of values in the column of the feed log."""
        return self.length

    def check_columns(self, columns: Sequence[FeatureColumn], exposure: Collection[str]) -> None:
        """It is of a column that a candidate has, and of a kind that it can hold; it names no action twice."""
        if self.of in exposure:
            raise ValueError(f"{self.of!r} is not known of a candidate")
        self.check_of(columns)
        if len(set(self.actions)) < len(self.actions):
            raise ValueError(f"{self.actions} names an action twice")

    def check_of(self, columns: Sequence[FeatureColumn]) -> None:
        """Checks that it can hold the values of `of`; the arguments and errors are those of `check_columns`."""

    def check_log(self, objectives: Sequence[str], keys: Keys, renamed: Collection[str]) -> None:
        """It is of no key that candidates lack, or have by another name, and its actions are objectives."""
        if self.of in renamed:
            raise ValueError(f"in Examples, the key {self.of!r} has another name; use one of {keys.columns}")
        if self.of in (keys.session, keys.timestamp):
            raise ValueError(f"{self.of!r} is not known of a candidate")
        if unknown := sorted(set(self.actions) - set(objectives)):
            raise ValueError(f"{unknown} are not among the objectives {list(objectives)}")
