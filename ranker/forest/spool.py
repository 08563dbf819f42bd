"""Parsed rows spooled to disk: XGBoost reads its input several times, and it should be parsed only once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from ranker.forest.complete import CompleteColumns
from ranker.forest.holdout import Buckets, bucket_counts, observed_counts
from ranker.forest.masked import NOT_OBSERVED
from ranker.keys import VIEWER_BUCKETS

_READ_ROWS = 1 << 15

Batch = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


class Spool:
    """Features, labels, weights and viewer buckets of any number of rows in one file of raw floats, 4 bytes each.

    A row of weight 0 teaches nothing. It is left out, so that no row or positive is counted that cannot be learnt from.

    Args:
        path: the file; an existing one is replaced.
        features: features per row.
        labels: labels per row.
        with_margins: whether the rows have log-odds of an earlier forest, one per label, which boosting starts from.
    """

    def __init__(self, path: Path, features: int, labels: int, with_margins: bool = False) -> None:
        self._path = path
        self._ends = np.cumsum([features, labels, labels if with_margins else 0, 1, 1]).tolist()
        self._width = self._ends[-1]
        self.with_margins = with_margins
        self._file = path.open("wb")
        self.counts = np.zeros((1 + labels, VIEWER_BUCKETS), np.int64)
        """Rows and positives by viewer bucket, as `bucket_counts` returns them."""
        self.observed = np.zeros((labels, VIEWER_BUCKETS), np.int64)
        """Rows of which a label is observed, by viewer bucket, as `observed_counts` returns them."""
        self.missing = np.zeros(features, np.bool_)
        """Which features have missing values."""
        self.weight = 0.0
        """The sum of the weights."""
        self.label_weights = np.zeros((2, labels, VIEWER_BUCKETS))
        """Sums of the weights of the positives [0] and of the rows with an observed label [1], by viewer bucket."""
        self.weightless = 0
        """Number of rows that were left out."""
        self.weights_differ = False
        """Whether any row, left out or not, has another weight than 1."""
        self.scale = 1.0
        """What weights are multiplied by when they are read."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._path.unlink()

    def append(
        self,
        features: NDArray[np.float32],
        labels: NDArray[np.float32],
        buckets: NDArray[np.int64],
        weights: NDArray[np.float32] | None = None,
        margins: NDArray[np.float32] | None = None,
    ) -> None:
        """Adds rows: features [rows, features], 0/1 labels [rows, labels], NaN where not observed, viewer buckets and
        weights [rows], and, if the spool has them, log-odds [rows, labels]; without weights, each row weighs 1."""
        weights = np.ones(len(buckets), np.float32) if weights is None else weights
        margins = np.zeros((len(buckets), 0), np.float32) if margins is None else margins
        self.weights_differ = self.weights_differ or bool((weights != 1.0).any())
        if (weightless := weights == 0).any():
            self.weightless += int(weightless.sum())
            columns = (features, labels, buckets, weights, margins)
            features, labels, buckets, weights, margins = (column[~weightless] for column in columns)
        rows = np.concatenate([features, labels, margins, weights[:, None], buckets[:, None]], axis=1, dtype=np.float32)
        self._file.write(rows.tobytes())
        self.counts += bucket_counts(buckets, labels)
        self.missing |= np.isnan(features).any(axis=0)
        self.weight += float(weights.sum(dtype=np.float64))
        self.label_weights += _label_weights(buckets, labels, weights)
        self.observed += observed_counts(buckets, labels)

    def batches(self, batch_rows: int, chosen: Buckets) -> Iterator[Batch]:
        """The rows of some viewer buckets, in the order in which they were appended, `batch_rows` rows at a time."""
        self._file.flush()
        waiting: list[NDArray[np.float32]] = []
        with self._path.open("rb") as file:
            while len(values := np.fromfile(file, np.float32, min(batch_rows, _READ_ROWS) * self._width)):
                rows = values.reshape(-1, self._width)
                waiting.append(rows[chosen[rows[:, -1].astype(np.int64)]])
                if sum(map(len, waiting)) >= batch_rows:
                    rows = np.concatenate(waiting)
                    yield self._split(rows[:batch_rows])
                    waiting = [rows[batch_rows:]]
        if sum(map(len, waiting)):
            yield self._split(np.concatenate(waiting))

    def _split(self, rows: NDArray[np.float32]) -> Batch:
        features, labels, margins, weights, _ = np.split(rows, self._ends[:-1], axis=1)
        return features, labels, weights[:, 0] * np.float32(self.scale), margins


def _label_weights(
    buckets: NDArray[np.int64], labels: NDArray[np.float32], weights: NDArray[np.float32]
) -> NDArray[np.float64]:
    return np.array(
        [
            [np.bincount(buckets[rows], weights[rows], VIEWER_BUCKETS) for rows in chosen.T]
            for chosen in (labels > 0, ~np.isnan(labels))
        ]
    )


@dataclass(frozen=True)
class SpooledRows:
    """The rows of some viewer buckets of a spool.

    Attributes:
        spool: has the rows.
        buckets: the viewer buckets, bool [VIEWER_BUCKETS].
    """

    spool: Spool
    buckets: Buckets

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.spool.counts[0, self.buckets].sum())

    @property
    def positives(self) -> NDArray[np.int64]:
        """Positives of each label, [labels]."""
        positives: NDArray[np.int64] = self.spool.counts[1:, self.buckets].sum(axis=1)
        return positives

    @property
    def observed(self) -> NDArray[np.int64]:
        """Rows of which each label is observed, [labels]."""
        observed: NDArray[np.int64] = self.spool.observed[:, self.buckets].sum(axis=1)
        return observed

    @property
    def weights_differ(self) -> bool:
        """Whether any row of the spool has another weight than 1."""
        return self.spool.weights_differ

    @property
    def label_weights(self) -> NDArray[np.float64]:
        """Sums of the weights of the positives [0] and of the rows with an observed label [1], [2, labels]."""
        weights: NDArray[np.float64] = self.spool.label_weights[:, :, self.buckets].sum(axis=2)
        return weights

    def batches(self, batch_rows: int) -> Iterator[Batch]:
        """All rows, `batch_rows` at a time."""
        return self.spool.batches(batch_rows, self.buckets)


class SpoolIter(xgb.DataIter):
    """Feeds spooled rows to XGBoost.

    Args:
        rows: the rows.
        batch_rows: rows per batch.
        cache_prefix: path prefix of the quantised pages, for external memory.
        weighted: whether the rows have weights.
        columns: makes the rows complete; None leaves missing values as they are.
    """

    def __init__(
        self,
        rows: SpooledRows,
        batch_rows: int,
        cache_prefix: str | None = None,
        weighted: bool = False,
        columns: CompleteColumns | None = None,
    ) -> None:
        super().__init__(cache_prefix=cache_prefix)
        self._columns = columns
        self._weighted = weighted
        self._rows = rows
        self._batch_rows = batch_rows
        self._batches: Iterator[Batch] = iter(())

    def reset(self) -> None:
        """Starts over."""
        self._batches = self._rows.batches(self._batch_rows)

    def next(self, input_data: Callable[..., None]) -> bool:
        """Passes one batch to XGBoost; returns False at the end."""
        batch = next(self._batches, None)
        if batch is None:
            return False
        features, labels, weights, margins = batch
        # XGBoost refuses NaN in labels; `ranker.forest.masked` knows what this stands for.
        input_data(
            data=self._columns.of(features) if self._columns else features,
            label=np.where(np.isnan(labels), np.float32(NOT_OBSERVED), labels),
            **({"weight": weights} if self._weighted else {}),
            **({"base_margin": margins} if margins.size else {}),
        )
        return True
