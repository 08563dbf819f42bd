"""The arms: each orders the candidates of a batch of sessions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from datasets.synthetic.candidates import Candidates
from ranker.config.pipeline import PipelineConfig
from research.matching import RowIndex, numeric_features
from research.online.names import MODEL_ARM_NAMES
from research.quality.models import MODELS, ComparedModel
from research.quality.names import WITH_EFFECTS
from research.quality.rows import HeldOutDay, Probabilities

CONTROL, RANDOM, POSSIBLE, TRUTH = "production ranker", "random", "true probabilities", "true, with hidden tastes"

MODEL_ARMS: Mapping[str, ComparedModel] = MappingProxyType(
    {name: MODELS[name] for name in MODEL_ARM_NAMES if name != WITH_EFFECTS}
)
"""The arms that are trained on the rows of a held-out day alone. Effects need the ids in the feed log, too."""

Order = Callable[[Candidates], NDArray[np.int64]]
"""Candidates → the order in which they are shown, as for `Candidates.show`."""


def untrained_arms(config: PipelineConfig) -> dict[str, Order]:
    """The arms that need no training: production ranker, random, and two kinds of true probabilities.

    `true probabilities` averages the hidden tastes out. Its gain over the production ranker is the possible gain. Only
    a model that learns the tastes of single viewers from the log could rank better.
    """
    weights = coefficients(config)
    return {
        CONTROL: lambda candidates: candidates.production_order(),
        RANDOM: lambda candidates: candidates.random_order(),
        POSSIBLE: lambda candidates: candidates.best_first(weights @ candidates.expectations().tastes_averaged_out),
        TRUTH: lambda candidates: candidates.best_first(weights @ candidates.expectations().given_everything),
    }


@dataclass(frozen=True, eq=False)
class PredictedDay:
    """An arm that orders by the utility of predicted probabilities.

    Attributes:
        rows: finds the row of each candidate in the predicted day.
        predicted: float32 [rows, objectives].
        config: gives the features and the utility.
    """

    rows: RowIndex
    predicted: Probabilities
    config: PipelineConfig

    def __call__(self, candidates: Candidates) -> NDArray[np.int64]:
        """The order of falling utility within each session."""
        rows = self.rows.find(numeric_features(candidates.table, self.config.features.numeric_names))
        return candidates.best_first(self.predicted[rows] @ coefficients(self.config))


def row_index(day: HeldOutDay) -> RowIndex:
    """An index of the held-out rows by their numeric features, which are the first of the forest's."""
    return RowIndex(day.test.features[:, : len(day.config.features.numeric_names)])


def coefficients(config: PipelineConfig) -> NDArray[np.float64]:
    """[objectives], what each probability is multiplied by in the utility."""
    return np.array(config.utility.coefficients(config.objectives))


def arm_names(trained: Sequence[str]) -> tuple[str, ...]:
    """All arms with these trained ones, in the order of the tables."""
    return (CONTROL, RANDOM, *trained, POSSIBLE, TRUTH)
