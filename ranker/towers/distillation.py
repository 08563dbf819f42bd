"""Towers that learn from the forest's predictions as well as from what happened.

A rare objective has a few dozen positives, which an embedding table learns by heart within one epoch. The forest
stopped before it did (`ranker.forest.stopping`), so its prediction says in part how likely an impression without the
outcome was to have it. Labels mixed with it are less noisy, and the towers rank rare outcomes as well as the forest or
better (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015).
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker import keys
from ranker.config.training import Training
from ranker.towers.data import LabelCounts

Teacher = Callable[[tf.Tensor], tf.Tensor]


def teacher_shares(training: Training, counts: LabelCounts) -> NDArray[np.float32]:
    """What the teacher's probability weighs in the labels of each objective; [objectives].

    Labels are noise around probabilities, and the more of an objective's positives there are, the less a teacher who
    sees less than the towers has to add to them.
    """
    half = training.distillation_half_positives
    fading = np.ones(len(counts.positives)) if half is None else half / (half + counts.positives)
    return (training.distillation * fading).astype(np.float32)


def mixed_labels(batches: tf.data.Dataset, teacher: Teacher, shares: NDArray[np.float32]) -> tf.data.Dataset:
    """The batches with labels (1 - share) * label + share * the teacher's probability.

    Args:
        batches: with leaves int32 [batch, trees] and labels float32 [batch, objectives].
        teacher: leaves → log-odds [batch, objectives], such as `ForestMargins`.
        shares: [objectives], each in [0, 1); 0 leaves the labels as they are.
    """
    if not shares.any():
        return batches

    def mix(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        # The teacher knows the log-odds among all impressions, and the loss may be of those among fewer.
        taught = tf.sigmoid(teacher(batch[keys.LEAVES]) + batch.get(keys.LOGIT_OFFSET, 0.0))
        return {**batch, keys.LABELS: (1 - shares) * batch[keys.LABELS] + shares * taught}

    return batches.map(mix).prefetch(2)
