"""The histories of some days on disk, and the columns that are computed from them.

A history of a day is one file per array, so that processes on one machine share its memory.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ranker.config.columns import EmbeddingHistory, History
from ranker.features import arrow
from ranker.features.log_column import LogColumn
from ranker.files import write_bytes
from ranker.histories.hashing import hashes_of
from ranker.histories.state import HistoryRows, Ints
from ranker.storage import filesystem_of, join, local_path

_ARRAYS = ("viewers", "ends", "items", "vectors")
_LENGTH = np.float32(127)
"""The length of a stored embedding."""


@dataclass(frozen=True, eq=False)
class DayHistory:
    """The histories of all viewers on one day.

    Attributes:
        viewers: int64 [viewers], hashes, ascending.
        ends: int64 [viewers + 1], where each viewer's impressions begin, and where the last one's end.
        items: int64 [impressions], from a viewer's oldest impression to the newest.
        vectors: int8 [impressions, size].
    """

    viewers: Ints
    ends: Ints
    items: Ints
    vectors: NDArray[np.int8]

    @staticmethod
    def of(rows: HistoryRows) -> "DayHistory":
        """The rows of `HistoryState.before`."""
        viewers, first = np.unique(rows.viewer, return_index=True)
        return DayHistory(viewers, np.append(first, len(rows)), rows.item, rows.vector)

    def ranges(self, viewers: Ints) -> tuple[Ints, Ints]:
        """The first index of each viewer's impressions, and their number, which is 0 for an unknown one."""
        if not len(self.viewers):
            return np.zeros_like(viewers), np.zeros_like(viewers)
        at = np.minimum(np.searchsorted(self.viewers, viewers), len(self.viewers) - 1)
        known = self.viewers[at] == viewers
        return np.asarray(self.ends[at]), np.where(known, self.ends[at + 1] - self.ends[at], 0)


@dataclass
class StoredHistories:
    """Computes history columns of rows of the feed log; it is a `ranker.feed_log.reading.ComputedColumns`.

    It can be pickled.

    Attributes:
        folder: of the files, a path or URI.
        histories: the columns.
        viewer: the column that says whose impression a row is.
    """

    folder: str
    histories: tuple[History | EmbeddingHistory, ...]
    viewer: LogColumn
    _opened: dict[tuple[str, date], DayHistory] = field(default_factory=dict)

    @property
    def reads(self) -> tuple[LogColumn, ...]:
        """The viewer."""
        return (self.viewer,)

    def store(self, history: History | EmbeddingHistory, day: date, rows: HistoryRows) -> None:
        """Writes the histories of a day, from `HistoryState.before`."""
        stored = DayHistory.of(rows)
        for name in _ARRAYS:
            content = io.BytesIO()
            np.save(content, getattr(stored, name))
            write_bytes(self._file(history.name, day, name), content.getvalue())

    def __call__(self, day: date, rows: pa.RecordBatch, names: Sequence[str]) -> dict[str, pa.ListArray]:
        """The columns with these names for rows of a day that `store` was called for."""
        viewers = hashes_of(rows.column(self.viewer.name))
        return {history.name: self.column(history, day, viewers) for history in self.histories if history.name in names}

    def column(self, history: History | EmbeddingHistory, day: date, viewers: Ints) -> pa.ListArray:
        """One column for viewers with these hashes, null where a viewer has no history."""
        stored = self._of_day(history.name, day)
        return _vectors(history, stored, viewers) if isinstance(history, EmbeddingHistory) else _items(stored, viewers)

    def _of_day(self, name: str, day: date) -> DayHistory:
        if (name, day) not in self._opened:
            # Rows come day by day, so the other days are not needed any more.
            self._opened = {key: stored for key, stored in self._opened.items() if key[1] == day}
            self._opened[name, day] = DayHistory(*(_read(self._file(name, day, array)) for array in _ARRAYS))
        return self._opened[name, day]

    def _file(self, name: str, day: date, array: str) -> str:
        number = [history.name for history in self.histories].index(name)
        return join(self.folder, f"{day.isoformat()}-{number}-{array}.npy")


def _read(file: str) -> NDArray[Any]:
    local = local_path(file)
    if local is not None:
        return np.asarray(np.load(local, mmap_mode="r"))
    filesystem, path = filesystem_of(file)
    with filesystem.open_input_stream(path) as stream:
        return np.asarray(np.load(io.BytesIO(stream.read())))


def _items(stored: DayHistory, viewers: Ints) -> pa.ListArray:
    """Newest first."""
    first, counts = stored.ranges(viewers)
    ends = np.concatenate([[0], np.cumsum(counts)])
    newest = np.repeat(first + counts - 1, counts)
    age = np.arange(ends[-1]) - np.repeat(ends[:-1], counts)
    return arrow.lists(pa.array(stored.items[newest - age], pa.int64()), ends)


def _vectors(history: EmbeddingHistory, stored: DayHistory, viewers: Ints) -> pa.ListArray:
    """For all impressions and those with each action: their number and mean embedding."""
    distinct, row = np.unique(viewers, return_inverse=True)
    first, counts = stored.ranges(distinct)
    ends = np.concatenate([[0], np.cumsum(counts)])
    at = np.repeat(first - ends[:-1], counts) + np.arange(ends[-1])
    items, vectors = stored.items[at], stored.vectors[at] / _LENGTH
    owner = np.repeat(np.arange(len(distinct)), counts)
    flags = [np.ones(len(at), bool), *((items >> bit & 1) == 1 for bit in range(len(history.actions)))]
    parts = np.zeros((len(distinct), len(flags), 1 + history.size), np.float32)
    for part, flag in enumerate(flags):
        having = np.bincount(owner[flag], minlength=len(distinct))
        has = having > 0
        parts[:, part, 0] = having
        if has.any():
            starts = (np.cumsum(having) - having)[has]
            parts[has, part, 1:] = np.add.reduceat(vectors[flag], starts, axis=0) / having[has, np.newaxis]
    known = counts[row] > 0
    return arrow.lists(
        pa.array(parts[row[known]].reshape(-1)), np.concatenate([[0], np.cumsum(known * history.log_size)])
    )
