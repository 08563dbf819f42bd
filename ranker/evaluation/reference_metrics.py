"""Measures what a model is judged by: the forest alone, and predicting the base rate."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy import special

from ranker.evaluation.accumulator import Accumulator
from ranker.evaluation.buckets import VIEWER_GROUPS
from ranker.evaluation.references import References
from ranker.evaluation.session_metrics import ranking_metrics
from ranker.evaluation.session_rows import session_hashes
from ranker.evaluation.session_sums import UtilityWeights
from ranker.evaluation.summary import objective_curves, objective_metrics
from ranker.forest.model import Forest
from ranker.forest.traverse import Traversal

_FOREST, _BASE_RATE = "forest", "base rate"

Batch = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int64]]


def reference_metrics(
    forest: Forest,
    batches: Iterable[Batch],
    base_rates: Mapping[str, float],
    objectives: Sequence[str],
    confidence: float,
) -> dict[str, References]:
    """The references of every objective.

    Args:
        forest: of the model.
        batches: the rows of the held-out day: features float32 [rows, features], labels float32 [rows, objectives], NaN
            where not observed, and viewer buckets int64 [rows].
        base_rates: the share of positives in training, by objective; an objective may be missing.
        objectives: their names, in the order of the labels.
        confidence: level of the intervals.
    """
    of_each = len(forest.base_margin) == len(objectives)
    traversal = Traversal(forest)
    accumulator = Accumulator([_FOREST, _BASE_RATE], UtilityWeights(dict.fromkeys(objectives, 1.0), k=1))
    rates = np.array([base_rates.get(objective, np.nan) for objective in objectives])
    for features, labels, buckets in batches:
        rows = len(buckets)
        # NaN, where there is nothing to predict with, is left out.
        forest_alone = np.full((len(objectives), rows), np.nan)
        if of_each:
            forest_alone = special.expit(forest.margins(traversal(features)).astype(np.float64)).T
        accumulator.add(
            labels.T,
            np.stack([forest_alone, np.broadcast_to(rates[:, np.newaxis], forest_alone.shape)]),
            buckets % VIEWER_GROUPS,
            session_hashes(np.full(rows, b"", object)),
            {},
        )
    _, sums = next(iter(accumulator.slices()))
    measured = {
        name: {
            model: objective_metrics(
                of[name], objective_curves(of[name]).reliability, ranking_metrics(None, name, confidence), confidence
            )
            for model, of in sums.impressions.items()
        }
        for name in objectives
    }
    return {
        name: References(
            forest=measured[name][_FOREST] if of_each else None,
            base_rate=measured[name][_BASE_RATE] if name in base_rates else None,
        )
        for name in objectives
    }
