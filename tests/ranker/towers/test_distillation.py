"""Labels mixed with a teacher's predictions."""

import numpy as np
import tensorflow as tf

from ranker import keys
from ranker.config.training import Training
from ranker.towers.data import LabelCounts
from ranker.towers.distillation import mixed_labels, teacher_shares

LEAVES = np.array([[0, 3], [1, 3], [1, 2]], np.int32)
LABELS = np.array([[0, 1], [1, 0], [0, 0]], np.float32)
LOG_ODDS = np.array([[-1, 2], [0, 1], [3, -2], [0.5, 0]], np.float32)


def teacher(leaves: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.gather(tf.constant(LOG_ODDS), leaves), axis=1)


def batches() -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices({keys.LEAVES: LEAVES, keys.LABELS: LABELS}).batch(2)


def test_each_label_is_a_weighted_mean_of_outcome_and_prediction() -> None:
    shares = np.array([0.75, 0.5], np.float32)
    found = list(mixed_labels(batches(), teacher, shares).as_numpy_iterator())
    expected = (1 - shares) * LABELS + shares / (1 + np.exp(-LOG_ODDS[LEAVES].sum(axis=1)))
    np.testing.assert_allclose(np.concatenate([batch[keys.LABELS] for batch in found]), expected, rtol=1e-6)
    np.testing.assert_array_equal(np.concatenate([batch[keys.LEAVES] for batch in found]), LEAVES)


def test_a_share_of_zero_leaves_the_labels_unchanged() -> None:
    found = list(mixed_labels(batches(), teacher, np.zeros(2, np.float32)).as_numpy_iterator())
    np.testing.assert_array_equal(np.concatenate([batch[keys.LABELS] for batch in found]), LABELS)


def test_the_teachers_weight_falls_with_the_positives() -> None:
    counts = LabelCounts(100_000, np.array([0, 500, 50_000]))
    fading = Training(distillation=0.6, distillation_half_positives=500)
    np.testing.assert_allclose(teacher_shares(fading, counts), [0.6, 0.3, 0.6 / 101], rtol=1e-6)
    same = Training(distillation=0.6, distillation_half_positives=None)
    np.testing.assert_allclose(teacher_shares(same, counts), 0.6)
