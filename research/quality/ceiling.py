"""The Bayes optimum on the built-in feed: the true probabilities of the labels, which no model can beat."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.dataset as arrow
from numpy.typing import NDArray

from datasets.synthetic.feed import TRUTH
from ranker.feed_log.writing import day_folder
from research.quality.rows import HeldOutDay


@dataclass(frozen=True)
class BayesOptimum:
    """The true probabilities stored with a feed log, as a model.

    They are those given everything. A model that knows the logged columns only can at best reach the expectation over
    the viewers' hidden tastes (the column `click_tastes_averaged_out` of the truth).

    Transform keeps no ids, so rows are matched by their numeric features; rows with equal features get the mean.

    Attributes:
        log: the feed log's folder.
    """

    log: Path

    def __call__(self, day: HeldOutDay, seed: int) -> NDArray[np.float32]:
        """The true probabilities of the held-out rows [rows, objectives].

        Raises:
            ValueError: a row is not in the log.
        """
        numeric, objectives = list(day.config.features.numeric), list(day.config.objective_names)
        known = _keys(_columns(day_folder(self.log, day.day), numeric))
        truth = _columns(day_folder(self.log / TRUTH, day.day), objectives)
        keys, rows = np.unique(known, return_inverse=True)
        counts = np.bincount(rows)
        means = np.stack([np.bincount(rows, truth[:, i]) / counts for i in range(len(objectives))], axis=1)
        wanted = _keys(day.test.features[:, : len(numeric)])
        found = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        if not (keys[found] == wanted).all():
            raise ValueError(f"{day.source}: has rows that are not in {day_folder(self.log, day.day)}")
        return means[found].astype(np.float32)


def _columns(folder: Path, names: list[str]) -> NDArray[np.float32]:
    table = arrow.dataset(folder, format="parquet").to_table(columns=names)
    return np.stack([column.to_numpy().astype(np.float32) for column in table.itercolumns()], axis=1)


def _keys(numeric: NDArray[np.float32]) -> NDArray[np.void]:
    """One comparable value per row; all NaNs are equal, and so are 0 and -0."""
    plain = np.ascontiguousarray(np.where(np.isnan(numeric), np.float32(np.nan), numeric) + np.float32(0))
    return plain.view(f"V{plain.dtype.itemsize * plain.shape[1]}").reshape(-1)
