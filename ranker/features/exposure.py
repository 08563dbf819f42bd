"""Exposure columns as numbers, for the examination model: in Transform and in the served model."""

from collections.abc import Sequence

import tensorflow as tf

from ranker.config.columns import Exposure

BUCKETS = 1 << 16
"""Hash buckets of a category. Exposure has few values, so two of them hardly ever share a bucket."""


def exposure_values(exposure: Sequence[Exposure], columns: Sequence[tf.Tensor]) -> tf.Tensor:
    """float32 [batch, columns]: the numbers, and the hash buckets of the categories.

    Args:
        exposure: of the config.
        columns: in the same order, float32 or string [batch]; NaN and "" are missing, and become the default.
    """
    return tf.stack([_values(one, column) for one, column in zip(exposure, columns, strict=True)], axis=1)


def default_values(exposure: Sequence[Exposure]) -> list[float]:
    """The values of the defaults, in the order of the columns."""
    columns = [tf.constant([one.default]) for one in exposure]
    return [float(value) for value in exposure_values(exposure, columns)[0]]


def _values(exposure: Exposure, column: tf.Tensor) -> tf.Tensor:
    if isinstance(exposure.default, str):
        present = tf.where(tf.equal(column, ""), exposure.default, column)
        return tf.cast(tf.strings.to_hash_bucket_fast(present, BUCKETS), tf.float32)
    return tf.where(tf.math.is_nan(column), exposure.default, column)
