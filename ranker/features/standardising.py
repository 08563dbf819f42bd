"""Numbers as forest and towers can take them: without infinities, and for the towers on one scale."""

import tensorflow as tf
import tensorflow_transform as tft


def finite(numbers: tf.Tensor) -> tf.Tensor:
    """Infinities, which XGBoost refuses, become the largest floats; NaN stays NaN, which is how it sees a gap."""
    limit = tf.where(numbers > 0, numbers.dtype.max, numbers.dtype.min)
    return tf.where(tf.math.is_inf(numbers), limit, numbers)


def standardised(numeric: tf.Tensor) -> tf.Tensor:
    """Signed log, then mean 0 and variance 1 over the values present; 0 where missing.

    The log tames the heavy tails of counts. One analyzer serves all columns: moments of the values present come from
    the means of (present, value, value²), which Beam accumulates in a single pass.
    """
    present = tf.cast(~tf.math.is_nan(numeric), tf.float32)
    bounded = finite(tf.where(present > 0, numeric, 0.0))
    logs = tf.sign(bounded) * tf.math.log1p(tf.abs(bounded))
    columns = numeric.shape[1]
    means = tft.mean(tf.concat([present, logs, logs * logs], axis=1), reduce_instance_dims=False)
    share, first, second = (means[i * columns : (i + 1) * columns] for i in range(3))
    mean = tf.math.divide_no_nan(first, share)
    variance = tf.maximum(tf.math.divide_no_nan(second, share) - mean * mean, 0.0)
    return present * tf.math.divide_no_nan(logs - mean, tf.sqrt(variance))
