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

from ranker.config.columns import AnyHistory
from ranker.features.hashing import Ints, hashes_of
from ranker.features.log_column import LogColumn
from ranker.features.registry import history_kind
from ranker.features.viewer_history import DayHistory
from ranker.files import write_bytes
from ranker.histories.state import HistoryRows
from ranker.storage import filesystem_of, join, local_path

_ARRAYS = ("viewers", "ends", "items", "vectors")


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
    histories: tuple[AnyHistory, ...]
    viewer: LogColumn
    _opened: dict[tuple[str, date], DayHistory] = field(default_factory=dict)

    @property
    def reads(self) -> tuple[LogColumn, ...]:
        """The viewer."""
        return (self.viewer,)

    def store(self, history: AnyHistory, day: date, rows: HistoryRows) -> None:
        """Writes the histories of a day, from `HistoryState.before`."""
        viewers, first = np.unique(rows.viewer, return_index=True)
        stored = DayHistory(viewers, np.append(first, len(rows)), rows.item, rows.vector)
        for name in _ARRAYS:
            content = io.BytesIO()
            np.save(content, getattr(stored, name))
            write_bytes(self._file(history.name, day, name), content.getvalue())

    def __call__(self, day: date, rows: pa.RecordBatch, names: Sequence[str]) -> dict[str, pa.ListArray]:
        """The columns with these names for rows of a day that `store` was called for."""
        viewers = hashes_of(rows.column(self.viewer.name))
        return {history.name: self.column(history, day, viewers) for history in self.histories if history.name in names}

    def column(self, history: AnyHistory, day: date, viewers: Ints) -> pa.ListArray:
        """One column for viewers with these hashes, null where a viewer has no history."""
        return history_kind(history).column_of(self._of_day(history.name, day), viewers)

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
