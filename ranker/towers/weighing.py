"""Weights of the cross entropies: 0 where a label was not observed, else the weight of the impression."""

from collections.abc import Mapping
from dataclasses import dataclass

import tensorflow as tf

from ranker import keys

WEIGHT_SPEC = tf.io.FixedLenFeature([1], tf.float32, default_value=[1.0])
"""The parse spec of `keys.ROW_WEIGHT`, which rows without weights lack."""


@dataclass(frozen=True)
class Weighing:
    """Weighs rows.

    Attributes:
        scale: [objectives], factors that make the mean weight over the rows 1.
    """

    scale: tuple[float, ...]

    def __call__(self, rows: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The rows with `keys.LOSS_WEIGHTS`; labels that were not observed become 0.

        Args:
            rows: tensors [rows, …], among them `keys.LABELS` and `keys.ROW_WEIGHT`, which is removed.
        """
        weighed = dict(rows)
        labels, weight = weighed[keys.LABELS], weighed.pop(keys.ROW_WEIGHT)
        observed = ~tf.math.is_nan(labels)
        weighed[keys.LABELS] = tf.where(observed, labels, 0.0)
        weighed[keys.LOSS_WEIGHTS] = tf.where(observed, weight, 0.0) * tf.constant(self.scale)
        return weighed

    @staticmethod
    def unscaled(objectives: int) -> "Weighing":
        """With the weights as they are."""
        return Weighing((1.0,) * objectives)
