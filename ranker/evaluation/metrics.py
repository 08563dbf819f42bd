"""Metrics of binary predictions from sums and histograms; NaN if undefined. [...] stands for leading axes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ranker.evaluation.buckets import Floats, lower_edges

RELIABILITY_BINS = 20
LOG_LOSS_FLOOR = 1e-7  # probabilities are clipped this far from 0 and 1: one wrong 0 or 1 would have an infinite loss


def auc(counts: Floats) -> Floats:
    """Area under the ROC curve, [...]; impressions in one bucket count as ties.

    Args:
        counts: negative [0] and positive [1] impressions by ascending score bucket, [..., 2, buckets].
    """
    negatives, positives = counts[..., 0, :], counts[..., 1, :]
    below = np.cumsum(negatives, axis=-1) - 0.5 * negatives
    won = np.sum(positives * below, axis=-1)
    return _ratio(won, positives.sum(axis=-1) * negatives.sum(axis=-1))


def normalized_entropy(log_loss: npt.ArrayLike, positives: npt.ArrayLike, impressions: npt.ArrayLike) -> Floats:
    """Log loss over the entropy of the base rate, [...]: 1 is no better than always predicting the base rate.

    From He et al., "Practical lessons from predicting clicks on ads at Facebook" (2014). Undefined if all outcomes are
    the same.

    Args:
        log_loss: sum of the log losses in nats.
        positives: impressions with the outcome.
        impressions: all impressions.
    """
    rate = _ratio(positives, impressions)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -(rate * np.log(rate) + (1.0 - rate) * np.log1p(-rate))
    return _ratio(_ratio(log_loss, impressions), np.nan_to_num(entropy))


@dataclass(frozen=True)
class Reliability:
    """A reliability curve: bins with about the same number of impressions, by ascending prediction.

    Attributes:
        edges: the lowest prediction of each bin and, last, 1; [bins + 1].
        impressions: impressions per bin, [bins].
        positives: impressions with the outcome per bin, [bins].
        predicted: sum of the predictions per bin, [bins].
    """

    edges: tuple[float, ...]
    impressions: tuple[float, ...]
    positives: tuple[float, ...]
    predicted: tuple[float, ...]

    @property
    def expected_calibration_error(self) -> float:
        """Mean over impressions of |observed rate - mean prediction| of their bin; NaN without impressions.

        Bins of equal mass (Nixon et al., "Measuring calibration in deep learning", 2019): with bins of equal width, all
        predictions of a rare objective would be in the first.
        """
        total = np.sum(self.impressions)
        return float(np.abs(np.subtract(self.positives, self.predicted)).sum() / total) if total else float("nan")


def reliability(counts: Floats, predicted: Floats, bins: int = RELIABILITY_BINS) -> Reliability:
    """The reliability curve of one histogram over the fine buckets. Buckets are not split, so it may have fewer bins.

    Args:
        counts: negative [0] and positive [1] impressions, [2, FINE_BUCKETS].
        predicted: sum of the predictions, [FINE_BUCKETS].
        bins: maximum number of bins.
    """
    impressions = counts.sum(axis=0)
    occupied = np.flatnonzero(impressions)
    if len(occupied) == 0:
        return Reliability((0.0, 1.0), (0.0,), (0.0,), (0.0,))
    # A bucket belongs to the bin of its middle impression.
    mass = impressions[occupied]
    middle = (np.cumsum(mass) - 0.5 * mass) / mass.sum()
    bin_of = np.minimum((middle * bins).astype(np.int64), bins - 1)
    starts = np.flatnonzero(np.concatenate([[True], bin_of[1:] != bin_of[:-1]]))
    edges = np.concatenate([[0.0], lower_edges()[occupied[starts[1:]]], [1.0]])
    return Reliability(
        edges=tuple(edges.tolist()),
        impressions=tuple(np.add.reduceat(mass, starts).tolist()),
        positives=tuple(np.add.reduceat(counts[1, occupied], starts).tolist()),
        predicted=tuple(np.add.reduceat(predicted[occupied], starts).tolist()),
    )


def _ratio(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> Floats:
    over, under = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    missing = np.full(np.broadcast_shapes(over.shape, under.shape), np.nan)
    return np.divide(over, under, out=missing, where=under > 0.0)
