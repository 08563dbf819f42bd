"""Probabilities as examination × relevance, for losses and for the forest's predictions."""

from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker import keys
from ranker.towers.inputs import TowerBatch

_MOST_ROWS = 1_000_000
_STEPS = 30
_LARGEST = 30.0  # of a log-odds in an exponential; float32 rounds 1 + exp(-30) to 1


def examined(logits: tf.Tensor, batch: TowerBatch) -> tf.Tensor:
    """Log-odds of relevance → log-odds of examination × relevance.

    Args:
        logits: [batch, objectives].
        batch: with `keys.LOG_EXAMINATION`, [batch, 1]; without it the logits are returned unchanged.
    """
    if keys.LOG_EXAMINATION not in batch:
        return logits
    logarithm, bounded = batch[keys.LOG_EXAMINATION], tf.minimum(logits, _LARGEST)
    # p = e r, and r = 1 / (1 + exp(-z)), so p / (1 - p) = e exp(z) / (1 + (1 - e) exp(z)).
    unseen = -tf.math.expm1(logarithm)
    return logarithm + bounded - tf.math.log1p(unseen * tf.exp(bounded))


def relevance_shift(
    batches: Iterable[TowerBatch], margins: Callable[[tf.Tensor], tf.Tensor] | None
) -> tuple[NDArray[np.float32], float]:
    """What turns a forest's log-odds into those of relevance, and the mean examination.

    The forest does not know exposure, so its predictions contain the average examination. A constant per objective is
    added to its log-odds, so that examination × relevance sums up to the outcomes. Where no outcome is known, it sums
    up to the forest's predictions.

    Args:
        batches: with leaves, labels and `keys.LOG_EXAMINATION`; at most a million rows are read.
        margins: leaves → the forest's log-odds [batch, objectives]; None where it predicts no single objective, and the
            constants mean nothing.

    Returns:
        [objectives], the constants; and the mean examination of the rows.
    """
    parts: list[tuple[NDArray[np.float32], ...]] = []
    rows = 0
    for batch in batches:
        log_odds = tf.zeros_like(batch[keys.LABELS]) if margins is None else margins(batch[keys.LEAVES])
        weights = batch.get(keys.LOSS_WEIGHTS, tf.ones_like(batch[keys.LABELS]))
        found = (log_odds, tf.exp(batch[keys.LOG_EXAMINATION]), batch[keys.LABELS], weights)
        parts.append(tuple(tensor.numpy() for tensor in found))
        rows += len(parts[-1][0])
        if rows >= _MOST_ROWS:
            break
    log_odds, examination, labels, weight = (
        np.concatenate(column).astype(np.float64) for column in zip(*parts, strict=True)
    )
    unknown = weight.sum(axis=0) == 0
    labels = np.where(unknown, 1.0 / (1.0 + np.exp(-log_odds)), labels)
    weight = np.where(unknown, 1.0, weight)
    positives = np.clip((weight * labels).sum(axis=0), 0.5, None)
    shift = np.zeros(labels.shape[1])
    for _ in range(_STEPS):
        relevance = 1.0 / (1.0 + np.exp(-(log_odds + shift)))
        expected = (weight * examination * relevance).sum(axis=0)
        slope = (weight * examination * relevance * (1.0 - relevance)).sum(axis=0)
        # Newton's method on the logarithm of the expected number, which is nearly linear in the shift.
        shift += np.clip(np.log(positives / expected) * expected / slope, -2.0, 2.0)
    return shift.astype(np.float32), float(examination.mean())
