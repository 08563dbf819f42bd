"""A sample of a large log's rows to grow trees on.

The structure of a tree needs fewer rows than its leaf values, and growing takes most of a forest's time. So trees are
grown on a sample, and the leaf values are then fitted on all rows (`refit`).

A row is drawn with a probability in proportion to its weight and to the norm of its gradients before the first tree,
each objective's in units of its standard deviation. Its weight is divided by the probability. That makes the variance
of a split's gradients smallest (minimal variance sampling: Ibragimov and Gusev, NeurIPS 2019). Rare positives are
nearly all kept. Trees that are added to a forest start from its predictions, so there the probabilities are only close
to the best; the weighted sums are right with any.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranker.forest.boosting import BATCH_ROWS
from ranker.forest.spool import Batch, SpooledRows
from ranker.forest.together import total

_STEPS = 50


@dataclass(frozen=True)
class SampledRows(SpooledRows):
    """Spooled rows of which a random sample is read. Counts are those of all.

    Attributes:
        rates: mean of each label, [labels].
        threshold: rows of which weight times norm of the gradients is as large or larger are all read.
        seed: of the draws; every reading draws the same rows.
    """

    rates: NDArray[np.float64]
    threshold: float
    seed: int

    @property
    def weights_differ(self) -> bool:
        """Whether any row has another weight than 1."""
        return True

    def batches(self, batch_rows: int) -> Iterator[Batch]:
        """The sample of each `batch_rows` rows, with weights divided by the probabilities."""
        random = np.random.default_rng(self.seed)
        for features, labels, weights, margins in super().batches(batch_rows):
            probability = np.minimum(1.0, weights * gradient_norms(labels, self.rates) / self.threshold)
            drawn = random.random(len(labels)) < probability
            weight = (weights[drawn] / probability[drawn]).astype(np.float32)
            yield features[drawn], labels[drawn], weight, margins[drawn]


def sampled(rows: SpooledRows, most: int | None, seed: int) -> SpooledRows:
    """A sample of about `most` rows of all workers; the rows themselves if they are not more, or have no gradients.

    Args:
        rows: this worker's rows to grow trees on.
        most: the number of rows; None for all.
        seed: of the draws.
    """
    [number] = total(np.array([rows.rows], np.float64))
    if most is None or number <= most:
        return rows
    positives, observed = total(rows.label_weights.reshape(-1)).reshape(2, -1)
    rates = np.divide(positives, observed, out=np.zeros_like(positives), where=observed > 0)
    norms = np.concatenate(
        [weights * gradient_norms(labels, rates) for _, labels, weights, _ in rows.batches(BATCH_ROWS)]
    )
    threshold = _threshold(norms, most)
    return SampledRows(rows.spool, rows.buckets, rates, threshold, seed) if threshold else rows


def gradient_norms(labels: NDArray[np.float32], rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """The norm of a row's gradients, each objective's divided by its standard deviation, [rows].

    Args:
        labels: 0 or 1, NaN where not observed, [rows, labels].
        rates: mean of each label, [labels]; one that is always 0 or always 1 has no gradients.
    """
    variances = rates * (1.0 - rates)
    inverse = np.divide(1.0, variances, out=np.zeros_like(variances), where=variances > 0)
    norms: NDArray[np.float64] = np.sqrt(np.nansum(np.square(labels - rates) * inverse, axis=1))
    return norms


def _threshold(norms: NDArray[np.float64], most: int) -> float:
    """The threshold with which the expected number of drawn rows of all workers is `most`; 0 without gradients."""
    values, counts = np.unique(norms, return_counts=True)
    low, high = 0.0, float(total(np.array([norms.sum()]))[0]) / most
    if not high:
        return 0.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        [expected] = total(np.array([np.minimum(1.0, values / middle) @ counts]))
        low, high = (middle, high) if expected > most else (low, middle)
    return high
