"""The Bayes optimum on the built-in feed: the true probabilities of the labels, which no model can beat."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.dataset as arrow
from numpy.typing import NDArray

from datasets.synthetic.feed import TRUTH
from ranker.feed_log.writing import day_folder
from research.matching import numeric_features
from research.quality.logged import places_in_log
from research.quality.rows import HeldOutDay


@dataclass(frozen=True)
class BayesOptimum:
    """The true probabilities stored with a feed log, as a model.

    They are those given everything. A model that knows the logged columns only can at best reach the expectation over
    the viewers' hidden tastes (the column `click_tastes_averaged_out` of the truth).

    Attributes:
        log: the feed log's folder.
    """

    log: Path

    def __call__(self, day: HeldOutDay, seed: int) -> NDArray[np.float32]:
        """The true probabilities of the held-out rows [rows, objectives].

        Raises:
            ValueError: a row is not in the log.
        """
        objectives = list(day.config.objective_names)
        folder = day_folder(self.log / TRUTH, day.day)
        truth = arrow.dataset(folder, format="parquet").to_table(columns=objectives)
        return numeric_features(truth, objectives)[places_in_log(self.log, day).held_out]
