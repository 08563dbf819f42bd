"""Predictions of the training rows, out of sample, as offsets of random effects."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from research.quality.encoded import grown_forest
from research.quality.logged import DAY_NUMBER, logged_columns, training_days
from research.quality.networks import blended
from research.quality.rows import HeldOutDay, Probabilities, Rows
from research.quality.towers import tower_logits


@dataclass(frozen=True)
class OutOfSample:
    """Predicts the training rows, each by a model of other days, as a model of `research.quality`.

    The pipeline offsets a day by the model pushed before it. Here, each half of the training days is predicted by a
    model of the other half, which is out of sample too and needs no earlier days.

    Attributes:
        log: folder of the feed log.
    """

    log: Path

    def __call__(self, day: HeldOutDay, seed: int) -> Probabilities:
        """The probabilities of the training rows [train rows, objectives].

        Raises:
            ValueError: as in `first_half`.
        """
        config = day.config
        first = first_half(self.log, day)
        predicted = np.empty(day.train.labels.shape, np.float32)
        for half in (first, ~first):
            other = replace(day, train=_rows(day.train, ~half), test=_rows(day.train, half))
            forest, leaves = grown_forest(other, config.forest, seed)
            logits = tower_logits(other, config.towers, config.training, config.objectives, forest, leaves, seed)
            predicted[half] = blended(logits, forest, leaves[1], config.towers.forest_share)
        return predicted


def first_half(log: Path, day: HeldOutDay) -> NDArray[np.bool_]:
    """Whether a training row is of the first half of the days that have rows, [train rows].

    Args:
        log: folder of the feed log.
        day: with the training rows; the log may have fewer days than its config names.

    Raises:
        ValueError: the rows are of a single day.
    """
    numbers = logged_columns(log, training_days(log, day), day, day.train, ())[DAY_NUMBER].to_numpy()
    days = np.unique(numbers)
    if len(days) < 2:
        raise ValueError(f"{log}: offsets out of sample need two days of training rows; there is one before {day.day}")
    return np.isin(numbers, days[: (len(days) + 1) // 2])


def _rows(rows: Rows, chosen: NDArray[np.bool_]) -> Rows:
    towers: dict[str, NDArray[Any]] = {name: values[chosen] for name, values in rows.towers.items()}
    return Rows(rows.features[chosen], towers, rows.labels[chosen], rows.buckets[chosen])
