"""Which viewers are held out for early stopping.

A viewer is held out completely or not at all, as the impressions of one viewer are alike. Viewers are hashed into
buckets, and the first buckets are held out. That leaves the positives of a rare objective to chance: with 20 positives
in the log, one time in eight none of them is held out, and the validation loss then falls as long as predictions do. So
buckets are exchanged until every objective has its share of positives on both sides (stratification of several labels
at once, as in Sechidis et al., "On the stratification of multi-label data", 2011). Where chance already gave every
objective its share, nothing is exchanged. From two viewers on, there is at least one on each side.

The choice depends on the number of rows, positives and observed labels per bucket alone: not on the order of rows,
files or workers.
"""

import numpy as np
from numpy.typing import NDArray

from ranker.keys import VIEWER_BUCKETS

# How far the held-out positives may be from those in proportion. A count is whole, so it is at best half of one away.
_TOLERANCE, _LEAST_TOLERANCE = 0.2, 0.75

Counts = NDArray[np.int64]
Buckets = NDArray[np.bool_]


def bucket_counts(buckets: NDArray[np.int64], labels: NDArray[np.float32]) -> Counts:
    """Rows [0] and positives of each label [1:] by viewer bucket; [1 + labels, VIEWER_BUCKETS].

    Args:
        buckets: viewer bucket of each row, [rows].
        labels: 0 or 1, [rows, labels]; NaN where not observed, which is no positive.
    """
    positive = [np.bincount(buckets[column > 0], minlength=VIEWER_BUCKETS) for column in labels.T]
    return np.stack([np.bincount(buckets, minlength=VIEWER_BUCKETS), *positive])


def observed_counts(buckets: NDArray[np.int64], labels: NDArray[np.float32]) -> Counts:
    """Rows of which each label is observed by viewer bucket; [labels, VIEWER_BUCKETS].

    Args:
        buckets: viewer bucket of each row, [rows].
        labels: [rows, labels]; NaN where not observed.
    """
    return np.stack([np.bincount(buckets[~np.isnan(column)], minlength=VIEWER_BUCKETS) for column in labels.T])


def held_out_buckets(counts: Counts, fraction: float, observed: Counts | None = None) -> Buckets:
    """The buckets of the held-out viewers, bool [VIEWER_BUCKETS].

    Args:
        counts: rows and positives by bucket, from `bucket_counts`; of all workers together.
        fraction: share of the buckets to hold out.
        observed: rows with each label by bucket, from `observed_counts`; of all workers together. None where every
            label of every row is observed.
    """
    held = np.arange(VIEWER_BUCKETS) < fraction * VIEWER_BUCKETS
    if not 0 < held.sum() < VIEWER_BUCKETS:
        return held
    counts = _of_rarer_class(counts, observed).astype(np.float64)
    _put_rows_on_both_sides(held, counts[0], fraction)
    misfit = _misfit(counts[:, held].sum(axis=1), counts.sum(axis=1), fraction)
    while (misfit[1:] >= 1.0).any():
        inside, outside = np.flatnonzero(held), np.flatnonzero(~held)
        exchanged = counts[:, held].sum(axis=1)[:, None, None] + (
            counts[:, None, outside] - counts[:, inside, None]
        )  # what would be held out after exchanging each pair of buckets
        cost = np.square(_misfit(exchanged, counts.sum(axis=1), fraction)).sum(axis=0)
        cost[(exchanged[0] == 0) | (exchanged[0] == counts[0].sum())] = np.inf
        best = np.unravel_index(int(np.argmin(cost)), cost.shape)
        if not cost[best] < np.square(misfit).sum():
            break
        held[inside[best[0]]], held[outside[best[1]]] = False, True
        misfit = _misfit(counts[:, held].sum(axis=1), counts.sum(axis=1), fraction)
    return held


def _put_rows_on_both_sides(held: Buckets, rows: NDArray[np.float64], fraction: float) -> None:
    """With few viewers, chance may leave one side without any: then one of them changes places, in place."""
    occupied = rows > 0
    if occupied.sum() < 2 or 0 < rows[held].sum() < rows.sum():
        return
    moved = int(np.argmin(np.where(occupied, np.abs(rows - fraction * rows.sum()), np.inf)))
    if held[moved]:  # all viewers are held out: all but this one are needed to train on
        held[occupied] = False
        held[moved] = True
    else:
        held[np.flatnonzero(held)[0]], held[moved] = False, True


def _of_rarer_class(counts: Counts, observed: Counts | None) -> Counts:
    """The same with the negatives in place of the positives of labels that are mostly positive, where observed."""
    positives = counts[1:]
    with_label = np.broadcast_to(counts[:1], positives.shape) if observed is None else observed
    mostly = 2 * positives.sum(axis=1) > with_label.sum(axis=1)
    return np.concatenate([counts[:1], np.where(mostly[:, None], with_label - positives, positives)])


def _misfit(held: NDArray[np.float64], everything: NDArray[np.float64], fraction: float) -> NDArray[np.float64]:
    """How far the held-out rows [0] and positives [1:] are from their share; below 1 is close enough.

    Rows should have the configured share. Positives should have that of the rows.
    """
    rows = held[:1] / max(everything[0], 1.0)
    shape = (-1, *[1] * (held.ndim - 1))
    expected = everything[1:].reshape(shape) * rows
    of_rows = np.abs(rows - fraction) / (_TOLERANCE * fraction)
    of_positives = np.abs(held[1:] - expected) / np.maximum(_LEAST_TOLERANCE, _TOLERANCE * expected)
    return np.concatenate([of_rows, of_positives])
