"""Distillation: the towers learn from the forest's predictions as well as from the labels.

A rare objective has a few dozen positives, which an embedding table memorises within one epoch. The forest stops before
it overfits (`ranker.forest.stopping`). So its prediction partly tells how likely the outcome was for an impression
without it. Labels mixed with the prediction are less noisy, and the towers rank rare outcomes as well as the forest or
better (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015).
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker import keys
from ranker.config.training import Training
from ranker.towers.data import LabelCounts
from ranker.towers.relevance import examined

Teacher = Callable[[tf.Tensor], tf.Tensor]


def teacher_shares(training: Training, counts: LabelCounts) -> NDArray[np.float32]:
    """The weight of the teacher's probability in the labels of each objective; [objectives].

    Labels are noisy samples of probabilities. The more positives an objective has, the less the teacher, which sees
    less than the towers, can add to them.
    """
    half = training.distillation_half_positives
    fading = np.ones(len(counts.positives)) if half is None else half / (half + counts.positives)
    return (training.distillation * fading).astype(np.float32)


def mixed_labels(batches: tf.data.Dataset, teacher: Teacher, shares: NDArray[np.float32]) -> tf.data.Dataset:
    """The batches with labels (1 - share) * label + share * the teacher's probability.

    Args:
        batches: contain leaves int32 [batch, trees] and labels float32 [batch, objectives].
        teacher: leaves → log-odds [batch, objectives], such as `ForestMargins`; with an examination model, those of
            relevance.
        shares: [objectives], each in [0, 1); 0 leaves the labels unchanged.
    """
    if not shares.any():
        return batches

    @tf.autograph.experimental.do_not_convert
    def mix(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        # The teacher's log-odds refer to all impressions; with sampling, those in the loss refer to the kept ones.
        log_odds = examined(teacher(batch[keys.LEAVES]), batch)
        taught = tf.sigmoid(log_odds + batch.get(keys.LOGIT_OFFSET, 0.0))
        return {**batch, keys.LABELS: (1 - shares) * batch[keys.LABELS] + shares * taught}

    return batches.map(mix).prefetch(2)
