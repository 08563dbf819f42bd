"""A model's probabilities on the held-out day, and their AUC."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.stats import rankdata

from ranker.examples import records

_BATCH = 1000


def probabilities(
    score: Callable[..., dict[str, tf.Tensor]], files: Sequence[str], objectives: Sequence[str]
) -> NDArray[np.float32]:
    """Probabilities [rows, objectives] by `score(examples=…)`, for all rows of the files."""
    parts = []
    for file in files:
        for batch in records(file, _BATCH):
            scores = score(examples=batch)
            parts.append(np.stack([scores[name].numpy() for name in objectives], axis=1))
    return np.concatenate(parts)


def labels(files: Sequence[str], objectives: Sequence[str]) -> NDArray[np.int64]:
    """Labels [rows, objectives], 0 or 1."""
    spec = {name: tf.io.FixedLenFeature([], tf.int64) for name in objectives}
    parts = []
    for file in files:
        for batch in records(file, _BATCH):
            parsed = tf.io.parse_example(batch, spec)
            parts.append(np.stack([parsed[name].numpy() for name in objectives], axis=1))
    return np.concatenate(parts)


def aucs(scores: NDArray[np.float32], outcomes: NDArray[np.int64]) -> NDArray[np.float64]:
    """AUC [objectives], from the ranks of the scores; ties count half."""
    ranks = rankdata(scores, axis=0)
    positives = outcomes.sum(axis=0)
    pairs = positives * (len(outcomes) - positives)
    return ((ranks * outcomes).sum(axis=0) - positives * (positives + 1) / 2) / pairs
