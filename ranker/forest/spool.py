"""Parsed rows spooled to disk: XGBoost reads its input several times, and it should be parsed only once."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]


class Spool:
    """Features and labels of any number of rows in one file of raw floats, 4 bytes per feature and label.

    Args:
        path: the file; an existing one is replaced.
        features: features per row.
        labels: labels per row.
    """

    def __init__(self, path: Path, features: int, labels: int) -> None:
        self._path = path
        self._features = features
        self._width = features + labels
        self._file = path.open("wb")
        self.rows = 0
        self.positives = np.zeros(labels, np.int64)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._path.unlink()

    def append(self, features: NDArray[np.float32], labels: NDArray[np.float32]) -> None:
        """Adds rows: features [rows, features] and 0/1 labels [rows, labels]."""
        self._file.write(np.concatenate([features, labels], axis=1, dtype=np.float32).tobytes())
        self.rows += len(features)
        self.positives += np.count_nonzero(labels, axis=0)

    def batches(self, batch_rows: int) -> Iterator[Batch]:
        """Everything appended so far, in order, `batch_rows` rows at a time."""
        self._file.flush()
        with self._path.open("rb") as file:
            while len(values := np.fromfile(file, np.float32, batch_rows * self._width)):
                rows = values.reshape(-1, self._width)
                yield rows[:, : self._features], rows[:, self._features :]


class SpoolIter(xgb.DataIter):
    """Feeds a spool to XGBoost.

    Args:
        spool: the rows.
        batch_rows: rows per batch.
        cache_prefix: path prefix of the quantised pages, for external memory.
    """

    def __init__(self, spool: Spool, batch_rows: int, cache_prefix: str | None = None) -> None:
        super().__init__(cache_prefix=cache_prefix)
        self._spool = spool
        self._batch_rows = batch_rows
        self._batches: Iterator[Batch] = iter(())

    def reset(self) -> None:
        """Starts over."""
        self._batches = self._spool.batches(self._batch_rows)

    def next(self, input_data: Callable[..., None]) -> bool:
        """Passes one batch to XGBoost; returns False at the end."""
        batch = next(self._batches, None)
        if batch is None:
            return False
        input_data(data=batch[0], label=batch[1])
        return True
