"""Towers that learn from the forest's predictions as well as from what happened.

A rare objective has a few dozen positives, which an embedding table learns by heart within one epoch. The forest
stopped before it did (`ranker.forest.stopping`), so its prediction says in part how likely an impression without the
outcome was to have it. Labels mixed with it are less noisy, and the towers rank rare outcomes as well as the forest or
better (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015).
"""

from collections.abc import Callable

import tensorflow as tf

from ranker import keys

Teacher = Callable[[tf.Tensor], tf.Tensor]


def mixed_labels(batches: tf.data.Dataset, teacher: Teacher, share: float) -> tf.data.Dataset:
    """The batches with labels (1 - share) * label + share * the teacher's probability.

    Args:
        batches: with leaves int32 [batch, trees] and labels float32 [batch, objectives].
        teacher: leaves → log-odds [batch, objectives], such as `ForestMargins`.
        share: in [0, 1); 0 leaves the labels as they are.
    """
    if share == 0:
        return batches

    def mix(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        # The teacher knows the log-odds among all impressions, and the loss may be of those among fewer.
        taught = tf.sigmoid(teacher(batch[keys.LEAVES]) + batch.get(keys.LOGIT_OFFSET, 0.0))
        return {**batch, keys.LABELS: (1 - share) * batch[keys.LABELS] + share * taught}

    return batches.map(mix).prefetch(2)
