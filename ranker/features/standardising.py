"""Numbers as inputs of the forest and the towers: without infinities, and standardised for the towers."""

import tensorflow as tf
import tensorflow_transform as tft

LARGEST = 15.0
"""Limit of a standardised number, in standard deviations from the mean.

By Chebyshev's inequality at most one value in 225 of any column is clipped; on the built-in feed the largest is 10.2.
So only values far from those of the training are clipped, and one absurd number in a request cannot decide a score.
"""

_CONSTANT = 1e-11
"""A column is constant if the ratio of standard deviation and mean is smaller.

Rounding gives a constant column of float64 a ratio of up to 1e-13. Two neighbouring float32 numbers give 3e-10 or more
if each is half of the column, and more than 1e-11 as long as the rarer number is one value in a thousand.
"""


def finite(numbers: tf.Tensor) -> tf.Tensor:
    """Replaces infinities, which XGBoost refuses, by the largest floats; NaN, XGBoost's missing value, is kept."""
    limit = tf.where(numbers > 0, numbers.dtype.max, numbers.dtype.min)
    return tf.where(tf.math.is_inf(numbers), limit, numbers)


def standardised(numbers: tf.Tensor) -> tf.Tensor:
    """Signed log, then mean 0 and variance 1 over the non-missing values, clipped to [-LARGEST, LARGEST].

    The log reduces the heavy tails of counts. Everything is in float64: the logs of a column with a large offset, such
    as seconds since 1970, differ by less than the precision of float32.

    Args:
        numbers: float32 [batch, columns], NaN if missing.

    Returns:
        float32 [batch, columns]; 0 if missing. A column that was constant or missing in all analysed rows is always 0.
    """
    bounded = tf.cast(finite(numbers), tf.float64)
    logs = tf.sign(bounded) * tf.math.log1p(tf.abs(bounded))
    # Both ignore NaN, per column.
    mean = tft.mean(logs, reduce_instance_dims=False)
    deviation = tf.sqrt(tft.var(logs, reduce_instance_dims=False))
    # For a column without a value both are NaN, and comparisons with NaN are false.
    varies = deviation > _CONSTANT * tf.abs(mean)
    scores = (logs - mean) / tf.where(varies, deviation, tf.ones_like(deviation))
    known = varies & ~tf.math.is_nan(logs)
    clipped = tf.clip_by_value(scores, tf.constant(-LARGEST, tf.float64), tf.constant(LARGEST, tf.float64))
    return tf.cast(tf.where(known, clipped, tf.zeros_like(clipped)), tf.float32)
