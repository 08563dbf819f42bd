"""Metrics of predictions over several seeds and bootstrap draws.

The bootstrap draws viewers: the impressions of one viewer are not independent, so they are drawn together. Every model
is evaluated on the same draws, so differences between models are paired. `research.intervals` adds the variance over
the seeds.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.evaluation.metrics import LOG_LOSS_FLOOR, normalized_entropy
from ranker.keys import VIEWER_BUCKETS
from research.intervals import SeedEstimate

DRAWS = 400
_BINS = 20


@dataclass(frozen=True)
class Judged:
    """Metrics of one model for one objective, over several seeds.

    Attributes:
        auc: area under the ROC curve.
        normalized_entropy: cross entropy over that of the base rate.
        o_over_e: observed over expected positives.
        calibration_error: expected calibration error, over 20 bins with the same number of rows. Noise makes it larger
            in a draw than over all rows, so its draws are shifted to the mean over all rows.
    """

    auc: SeedEstimate
    normalized_entropy: SeedEstimate
    o_over_e: SeedEstimate
    calibration_error: SeedEstimate


@dataclass(frozen=True)
class Measures:
    """Metrics of the predictions of one seed for one objective; see `Judged`."""

    auc: float
    normalized_entropy: float
    o_over_e: float
    calibration_error: float


def measure(labels: NDArray[np.float32], predictions: NDArray[np.float32]) -> Measures:
    """Metrics of predictions [rows] for labels [rows]."""
    positive, once = labels > 0, np.ones(len(labels))
    bins = _bins(predictions)
    return Measures(
        auc=_auc(_ranks(predictions), positive, once),
        normalized_entropy=_entropy(_losses(positive, predictions), positive, once),
        o_over_e=float(positive.sum() / predictions.sum(dtype=np.float64)),
        calibration_error=float(np.abs(np.bincount(bins, positive - predictions.astype(np.float64))).sum() / len(bins)),
    )


def bootstrap_weights(seed: int = 1, draws: int = DRAWS) -> NDArray[np.float64]:
    """The number of times that each viewer bucket is drawn, [draws, VIEWER_BUCKETS]."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(VIEWER_BUCKETS, np.full(VIEWER_BUCKETS, 1 / VIEWER_BUCKETS), draws).astype(np.float64)


def judge(
    labels: NDArray[np.float32],
    buckets: NDArray[np.int64],
    predictions: NDArray[np.float32],
    weights: NDArray[np.float64],
) -> Judged:
    """Metrics of predictions [seeds, rows] for labels [rows], with viewer buckets [rows]."""
    measured = [measure(labels, p) for p in predictions]
    drawn = [_drawn(labels > 0, buckets, p, weights) for p in predictions]
    auc, entropy, o_over_e, error = (np.mean(of_seeds, axis=0) for of_seeds in zip(*drawn, strict=True))
    errors = np.array([found.calibration_error for found in measured])
    noise = error.mean() - errors.mean() if len(error) else 0.0
    return Judged(
        auc=SeedEstimate(np.array([found.auc for found in measured]), auc),
        normalized_entropy=SeedEstimate(np.array([found.normalized_entropy for found in measured]), entropy),
        o_over_e=SeedEstimate(np.array([found.o_over_e for found in measured]), o_over_e),
        calibration_error=SeedEstimate(errors, error - noise),
    )


def _drawn(
    positive: NDArray[np.bool_], buckets: NDArray[np.int64], p: NDArray[np.float32], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], ...]:
    """AUC, normalized entropy, O/E and calibration error of one seed's predictions in every draw; each [draws]."""

    def by_viewer(values: NDArray[Any] | None = None) -> NDArray[np.float64]:
        return np.bincount(buckets, values, VIEWER_BUCKETS).astype(np.float64)

    rows, positives, losses = by_viewer(), by_viewer(positive), by_viewer(_losses(positive, p))
    gaps = np.bincount(_bins(p) * VIEWER_BUCKETS + buckets, positive - p.astype(np.float64), _BINS * VIEWER_BUCKETS)
    ranks = _ranks(p)
    return (
        np.array([_auc(ranks, positive, draw[buckets]) for draw in weights]),
        np.array([_entropy(draw * losses, draw * positives, draw * rows) for draw in weights]),
        weights @ positives / (weights @ by_viewer(p)),
        np.abs(weights @ gaps.reshape(_BINS, VIEWER_BUCKETS).T).sum(axis=1) / (weights @ rows),
    )


def _ranks(predictions: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.unique(predictions, return_inverse=True)[1]


def _losses(positive: NDArray[np.bool_], predictions: NDArray[np.float32]) -> NDArray[np.float64]:
    """Each row's cross entropy, in nats."""
    p = np.clip(predictions.astype(np.float64), LOG_LOSS_FLOOR, 1 - LOG_LOSS_FLOOR)
    return -np.where(positive, np.log(p), np.log1p(-p))


def _auc(ranks: NDArray[np.int64], positive: NDArray[np.bool_], weights: NDArray[np.float64]) -> float:
    """Area under the ROC curve; rows with the same rank are ties; NaN without positives or without negatives."""
    won = np.bincount(ranks, weights * positive)
    lost = np.bincount(ranks, weights * ~positive)
    pairs = won.sum() * lost.sum()
    return float((won * (np.cumsum(lost) - 0.5 * lost)).sum() / pairs) if pairs else float("nan")


def _entropy(losses: NDArray[Any], positives: NDArray[Any], rows: NDArray[Any]) -> float:
    """Normalized entropy from sums over groups of rows; NaN if all outcomes are the same."""
    return float(normalized_entropy(losses.sum(), positives.sum(), rows.sum()))


def _bins(p: NDArray[np.float32]) -> NDArray[np.int64]:
    """The bin of each row, by ascending prediction; all bins have the same number of rows."""
    bins = np.empty(len(p), np.int64)
    bins[np.argsort(p, kind="stable")] = np.arange(len(p)) * _BINS // len(p)
    return bins
