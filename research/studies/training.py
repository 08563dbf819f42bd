"""One variant, one seed, one day → probabilities of the held-out rows."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from ranker.config.pipeline import PipelineConfig
from ranker.forest.model import Forest
from research.quality.rows import HeldOutDay, Rows
from research.quality.towers import Leaves, tower_logits
from research.studies.preparing import PreparedDay, scaled
from research.studies.studies import Variant

Probabilities = NDArray[np.float32]


def predict(prepared: PreparedDay, variant: Variant, seed: int) -> Probabilities:
    """Trains the variant's towers and predicts the held-out day; [rows, objectives]."""
    day = scaled(prepared.day, variant.dense_scale)
    config = variant.change(day.config)
    if not variant.post_hoc:
        return _probabilities(day, config, prepared.forest, prepared.leaves, seed)
    return _calibrated(day, config, prepared.before_calibration, prepared.leaves, seed)


def _probabilities(day: HeldOutDay, config: PipelineConfig, forest: Forest, leaves: Leaves, seed: int) -> Probabilities:
    logits = tower_logits(day, config.towers, config.training, config.objectives, forest, leaves, seed)
    share = config.towers.forest_share
    if share:
        logits = (1 - share) * logits + share * forest.margins(leaves[1])
    return (1 / (1 + np.exp(-logits.astype(np.float64)))).astype(np.float32)


def _calibrated(day: HeldOutDay, config: PipelineConfig, forest: Forest, leaves: Leaves, seed: int) -> Probabilities:
    """Trains without the held-out viewers of the training days; fits an isotonic regression per objective on them."""
    held_out = day.validation
    kept = replace(day, train=_some(day.train, ~held_out), test=_joined(_some(day.train, held_out), day.test))
    both = (leaves[0][~held_out], np.concatenate([leaves[0][held_out], leaves[1]]))
    p = _probabilities(kept, config, forest, both, seed)
    fitted, labels = int(held_out.sum()), day.train.labels[held_out]
    # Unclipped, it would predict 0 for a range without positives, and one positive there would dominate the loss.
    least = 0.5 / fitted
    columns = [
        IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip")
        .fit(p[:fitted, objective], labels[:, objective])
        .predict(p[fitted:, objective])
        for objective in range(labels.shape[1])
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _some(rows: Rows, chosen: NDArray[np.bool_]) -> Rows:
    towers = {name: values[chosen] for name, values in rows.towers.items()}
    return Rows(rows.features[chosen], towers, rows.labels[chosen], rows.buckets[chosen])


def _joined(first: Rows, second: Rows) -> Rows:
    def joined(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.concatenate([a, b])

    towers = {name: joined(values, second.towers[name]) for name, values in first.towers.items()}
    buckets = np.concatenate([first.buckets, second.buckets])
    return Rows(joined(first.features, second.features), towers, joined(first.labels, second.labels), buckets)
