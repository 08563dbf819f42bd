"""Numbers as forest and towers can take them: without infinities, and for the towers on one scale."""

import tensorflow as tf
import tensorflow_transform as tft

LARGEST = 15.0
"""Standard deviations that a standardised number is from the mean at most.

By Chebyshev's inequality at most one value in 225 of any column can be farther out; on the built-in feed the farthest
is 10.2. So it bounds what a column was never trained on, and one absurd number in a request cannot decide a score.
"""

_CONSTANT = 1e-11
"""A column whose standard deviation is a smaller share of its mean is constant.

Rounding gives a constant column of float64 up to 1e-13. Two neighbouring float32 numbers give 3e-10 or more where each
is half of the column, and more than 1e-11 as long as the rarer one is one in a thousand.
"""


def finite(numbers: tf.Tensor) -> tf.Tensor:
    """Infinities, which XGBoost refuses, become the largest floats; NaN stays NaN, which is how it sees a gap."""
    limit = tf.where(numbers > 0, numbers.dtype.max, numbers.dtype.min)
    return tf.where(tf.math.is_inf(numbers), limit, numbers)


def standardised(numbers: tf.Tensor) -> tf.Tensor:
    """Signed log, then mean 0 and variance 1 over the values present, between -LARGEST and LARGEST.

    The log tames the heavy tails of counts. Everything is in float64: the logs of a column with a large offset, such
    as seconds since 1970, differ by less than float32 can hold.

    Args:
        numbers: float32 [batch, columns], NaN where missing.

    Returns:
        float32 [batch, columns]; 0 where missing, and in a column that was constant or missing throughout the rows
        analysed, whatever it holds later.
    """
    bounded = tf.cast(finite(numbers), tf.float64)
    logs = tf.sign(bounded) * tf.math.log1p(tf.abs(bounded))
    # Both leave NaN out, column by column.
    mean = tft.mean(logs, reduce_instance_dims=False)
    deviation = tf.sqrt(tft.var(logs, reduce_instance_dims=False))
    # A column without a value has NaN for both, and no comparison with NaN is true.
    varies = deviation > _CONSTANT * tf.abs(mean)
    scores = (logs - mean) / tf.where(varies, deviation, tf.ones_like(deviation))
    known = varies & ~tf.math.is_nan(logs)
    clipped = tf.clip_by_value(scores, tf.constant(-LARGEST, tf.float64), tf.constant(LARGEST, tf.float64))
    return tf.cast(tf.where(known, clipped, tf.zeros_like(clipped)), tf.float32)
