"""The newest impressions of every viewer, in flat arrays, updated day by day.

Memory does not grow with the log. From one day to the next, at most `max_viewers` viewers with `length` impressions
each are kept: 28 bytes an impression, and 1 more per number of an embedding. While a day is added, there are also that
day's new viewers, and a buffer of new impressions, which is half as large as the rest or holds a million.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date

import numpy as np
import numpy.typing as npt

from ranker.config.columns import ViewerHistory

Ints = npt.NDArray[np.int64]

_BUFFERED = 1_000_000


@dataclass(frozen=True, eq=False)
class HistoryRows:
    """Impressions as a history keeps them, in parallel arrays.

    Attributes:
        viewer: int64 [rows], a hash of the viewer.
        day: int32 [rows], the ordinal of the day whose folder they were in.
        time: int64 [rows], milliseconds since 1970.
        item: int64 [rows], the value and the actions; see `ranker.features.history_items`.
        vector: int8 [rows, size], an embedding of length 127; of size 0 for a history of values.
    """

    viewer: Ints
    day: npt.NDArray[np.int32]
    time: Ints
    item: Ints
    vector: npt.NDArray[np.int8]

    @staticmethod
    def none(size: int) -> "HistoryRows":
        """No impressions, with embeddings of a size."""
        empty = np.zeros(0, np.int64)
        return HistoryRows(empty, np.zeros(0, np.int32), empty, empty, np.zeros((0, size), np.int8))

    @staticmethod
    def joined(parts: Sequence["HistoryRows"]) -> "HistoryRows":
        """The rows of all parts, one part after the other."""
        names = [field.name for field in fields(HistoryRows)]
        return HistoryRows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def __len__(self) -> int:
        return len(self.viewer)

    def take(self, rows: npt.NDArray[np.generic]) -> "HistoryRows":
        """The rows with these indices, or those where a mask is true."""
        return HistoryRows(*(getattr(self, field.name)[rows] for field in fields(self)))


class HistoryState:
    """The newest impressions of every viewer, of the days so far.

    Args:
        history: the column's config.

    Example:
        >>> state = HistoryState(History("author_history", of="author_id", actions=("click",)))
        >>> state.add(rows_of_monday)
        >>> state.before(tuesday).viewer
    """

    def __init__(self, history: ViewerHistory) -> None:
        self._history = history
        self._kept = HistoryRows.none(history.kept_size)
        self._new: list[HistoryRows] = []

    def add(self, rows: HistoryRows) -> None:
        """Adds impressions of the newest day; those with an equal time count as newer than those added before."""
        self._new.append(rows)
        if sum(map(len, self._new)) > max(_BUFFERED, len(self._kept) // 2):
            self._merge()

    def before(self, day: date) -> HistoryRows:
        """The histories of a day's impressions, from all rows so far, which must be of earlier days.

        Returns:
            The newest `length` impressions of each viewer that are at most `days` days old, sorted by viewer and from
            the oldest to the newest.
        """
        self._merge()
        self._kept = self._kept.take(self._kept.day >= day.toordinal() - self._history.days)
        self._forget()
        return self._kept

    def _merge(self) -> None:
        if not self._new:
            return
        rows = HistoryRows.joined([self._kept, *self._new])
        self._new = []
        # A stable sort: rows of an equal time keep the order of the log, however it is cut into parts.
        order = np.lexsort((rows.time, rows.day, rows.viewer))
        viewer = rows.viewer[order]
        end = np.searchsorted(viewer, viewer, side="right")
        self._kept = rows.take(order[end - np.arange(len(viewer)) <= self._history.length])

    def _forget(self) -> None:
        """Drops the viewers beyond the limit."""
        rows = self._kept
        newest = np.flatnonzero(np.append(rows.viewer[1:] != rows.viewer[:-1], True)) if len(rows) else np.zeros(0, int)
        if len(newest) <= self._history.max_viewers:
            return
        order = np.lexsort((rows.viewer[newest], rows.time[newest], rows.day[newest]))
        kept = np.sort(rows.viewer[newest[order[-self._history.max_viewers :]]])
        self._kept = rows.take(np.isin(rows.viewer, kept, assume_unique=False))
