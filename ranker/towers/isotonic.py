"""Calibration inside the model: a monotone function of each objective's logit, fitted jointly with the towers.

A grid cuts the logits into buckets, each with its own non-negative slope. The calibrated logit is a bias plus a sum
over the buckets: how far the logit reaches into the bucket, times the bucket's slope. So the order of an objective's
impressions is kept, and the distances between them are learnt. As in LiRank's isotonic layer, slopes and bias may
differ by the value of a feature (Borisyuk et al., "LiRank: Industrial Large Scale Ranking Models at LinkedIn", KDD
2024).

Unlike in LiRank, the reach is measured from the log-odds of the objective's base rate, not from the lower end of the
grid. The set of functions is the same. But here the bias is the shift at the base rate, and a slope moves only the
impressions beyond its bucket as seen from there, instead of all impressions above the bucket.
"""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from ranker.config.towers import Isotonic


class IsotonicCalibration(keras.layers.Layer):
    """Logits → calibrated logits; the identity before the first training step.

    A slope is the softplus of its weights, scaled to be 1 where they are 0. It is positive and, unlike with ReLU, has a
    gradient everywhere. The outermost buckets extend beyond the grid.

    Args:
        log_odds: [objectives], the origin from which the reach is measured.
        grid: the buckets.
        key_values: number of values of the key; 0 without a key.

    Attributes:
        slopes: [objectives, buckets], weights of the slopes.
        bias: [objectives].
        key_slopes: [key values, objectives, buckets], added to `slopes` for the impressions with that key value; None
            without a key.
        key_bias: [key values, objectives], the same for `bias`.
    """

    def __init__(self, log_odds: NDArray[np.floating[Any]], grid: Isotonic, key_values: int = 0) -> None:
        super().__init__(name="isotonic_calibration")
        objectives, buckets = len(log_odds), grid.buckets
        width = (grid.high - grid.low) / buckets
        self._begins = (grid.low + width * np.arange(buckets)).astype(np.float32)
        self._least = np.where(np.arange(buckets) == 0, -np.inf, 0.0).astype(np.float32)
        self._most = np.where(np.arange(buckets) == buckets - 1, np.inf, width).astype(np.float32)
        # A weight, so that a network that continues from another one keeps its origin.
        origin = keras.initializers.Constant(np.asarray(log_odds, np.float32))
        self._origin = self.add_weight(shape=(objectives,), initializer=origin, trainable=False, name="origin")
        self.slopes = self._zeros("slopes", objectives, buckets)
        self.bias = self._zeros("bias", objectives)
        self.key_slopes: Any = self._zeros("key_slopes", key_values, objectives, buckets) if key_values else None
        self.key_bias: Any = self._zeros("key_bias", key_values, objectives) if key_values else None

    def call(self, logits: tf.Tensor, key: Any = None) -> tf.Tensor:
        """Logits [batch, objectives], and the key int64 [batch, 1] if the layer has one → calibrated logits."""
        slopes = ops.softplus(_with_key(self.slopes, self.key_slopes, key)) / math.log(2.0)
        bias = _with_key(self.bias, self.key_bias, key)
        return self._origin + bias + ops.sum(slopes * self._reach(logits), axis=-1)

    def by_slope_weights(self, logits: tf.Tensor, key: Any = None) -> tf.Tensor:
        """The derivative of each calibrated logit with respect to its slope weights; [batch, objectives, buckets]."""
        slope_weights = _with_key(self.slopes, self.key_slopes, key)
        return ops.sigmoid(slope_weights) / math.log(2.0) * self._reach(logits)

    def _zeros(self, name: str, *shape: int) -> Any:
        return self.add_weight(shape=shape, initializer="zeros", name=name)

    def _reach(self, logits: tf.Tensor) -> tf.Tensor:
        """The part of each bucket between origin and logit, negative below; [batch, objectives, buckets]."""
        return self._inside(logits) - self._inside(self._origin)

    def _inside(self, logits: tf.Tensor) -> tf.Tensor:
        # With this order of arguments, a logit on the border of two buckets has a gradient through only one of them.
        return ops.minimum(ops.maximum(self._least, logits[..., None] - self._begins), self._most)


def _with_key(weight: Any, key_weight: Any, key: Any) -> tf.Tensor:
    """The weight shared by all impressions; with a key, the sum per impression of this weight and that of its key."""
    return weight if key_weight is None else weight + ops.take(key_weight, key[:, 0], axis=0)
