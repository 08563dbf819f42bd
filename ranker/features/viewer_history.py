"""What the kinds of histories share: what is kept of an impression, and the column that is made of it.

`ranker.histories` keeps the newest impressions of every viewer from day to day, whatever the kind.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ranker.config.kinds.viewer_history import ViewerHistory
from ranker.features.hashing import Ints
from ranker.features.kind import FeatureKind

H = TypeVar("H", bound=ViewerHistory)


@dataclass(frozen=True, eq=False)
class Kept:
    """What a history keeps of impressions, beside the actions.

    Attributes:
        value: int64 [rows], a hash of the value; 0 without one.
        vector: int8 [rows, `ViewerHistory.kept_size`].
        there: bool [rows], whether the impression is kept.
    """

    value: Ints
    vector: npt.NDArray[np.int8]
    there: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class DayHistory:
    """The histories of all viewers on one day.

    Attributes:
        viewers: int64 [viewers], hashes, ascending.
        ends: int64 [viewers + 1], where each viewer's impressions begin, and where the last one's end.
        items: int64 [impressions], from a viewer's oldest impression to the newest; see
            `ranker.features.history_items`.
        vectors: int8 [impressions, `ViewerHistory.kept_size`].
    """

    viewers: Ints
    ends: Ints
    items: Ints
    vectors: npt.NDArray[np.int8]

    def ranges(self, viewers: Ints) -> tuple[Ints, Ints]:
        """The first index of each viewer's impressions, and their number, which is 0 for an unknown one."""
        if not len(self.viewers):
            return np.zeros_like(viewers), np.zeros_like(viewers)
        at = np.minimum(np.searchsorted(self.viewers, viewers), len(self.viewers) - 1)
        known = self.viewers[at] == viewers
        return np.asarray(self.ends[at]), np.where(known, self.ends[at + 1] - self.ends[at], 0)


class ViewerHistoryKind(FeatureKind[H]):
    """A column with what a viewer was shown on earlier days, and did with it."""

    profiled_as = "numbers"
    computed = True

    @abstractmethod
    def kept(self, values: pa.ListArray) -> Kept:
        """What is kept of impressions.

        Args:
            values: [rows], the column `of`, as its kind makes lists of it.
        """

    @abstractmethod
    def column_of(self, stored: DayHistory, viewers: Ints) -> pa.ListArray:
        """The column for viewers with these hashes, null where a viewer has no history."""
