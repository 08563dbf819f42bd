"""Numbers as inputs of the forest and the towers: without infinities, and standardised for the towers."""

import json
import os
from dataclasses import asdict, dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

MOMENTS = "moments.json"
"""The name of the moments' file in the folder of a Transform graph."""

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


@dataclass(frozen=True, eq=False)
class Moments:
    """Moments of the signed logs of numeric columns, without missing values.

    Attributes:
        count: float64 [columns], number of values.
        mean: float64 [columns]; 0 for a column without a value.
        variance: float64 [columns], not corrected for the degree of freedom; 0 for a column without a value.
    """

    count: NDArray[np.float64]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]

    @staticmethod
    def of_nothing(columns: int) -> "Moments":
        """The moments of columns without a value."""
        return Moments(*np.zeros((3, columns)))

    def merged(self, other: "Moments") -> "Moments":
        """The moments of both sets of rows, by Chan's update, which is stable where the counts differ much."""
        total = self.count + other.count
        share = np.divide(other.count, total, out=np.zeros_like(total), where=total > 0)
        gap = other.mean - self.mean
        mean = self.mean + share * gap
        variance = self.variance + share * (other.variance - self.variance + (other.mean - mean) * gap)
        return Moments(total, mean, variance)


def write_moments(moments: Moments, graph: str) -> None:
    """Writes the moments, which the graph itself has as constants, into the folder of a Transform graph."""
    lists = {name: values.tolist() for name, values in asdict(moments).items()}
    with tf.io.gfile.GFile(os.path.join(graph, MOMENTS), "w") as file:
        file.write(json.dumps(lists))


def read_moments(graph: str) -> Moments | None:
    """The moments of a Transform graph; None for a graph without the file, of an earlier version."""
    path = os.path.join(graph, MOMENTS)
    if not tf.io.gfile.exists(path):
        return None
    with tf.io.gfile.GFile(path) as file:
        return Moments(**{name: np.array(values, np.float64) for name, values in json.loads(file.read()).items()})


def batch_moments(numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The attributes of `Moments` for the numbers of a batch.

    Args:
        numbers: float32 [batch, columns], NaN if missing.
    """
    logs = _signed_logs(numbers)
    present = ~tf.math.is_nan(logs)
    count = tf.reduce_sum(tf.cast(present, tf.float64), axis=0)
    mean = tf.math.divide_no_nan(tf.reduce_sum(tf.where(present, logs, tf.zeros_like(logs)), axis=0), count)
    squares = tf.where(present, tf.square(logs - mean), tf.zeros_like(logs))
    return count, mean, tf.math.divide_no_nan(tf.reduce_sum(squares, axis=0), count)


def finite(numbers: tf.Tensor) -> tf.Tensor:
    """Replaces infinities, which XGBoost refuses, by the largest floats; NaN, XGBoost's missing value, is kept."""
    limit = tf.where(numbers > 0, numbers.dtype.max, numbers.dtype.min)
    return tf.where(tf.math.is_inf(numbers), limit, numbers)


def standardised(numbers: tf.Tensor, moments: Moments) -> tf.Tensor:
    """Signed log, then mean 0 and variance 1 over the non-missing values, clipped to [-LARGEST, LARGEST].

    The log reduces the heavy tails of counts. Everything is in float64: the logs of a column with a large offset, such
    as seconds since 1970, differ by less than the precision of float32.

    Args:
        numbers: float32 [batch, columns], NaN if missing.
        moments: of the columns over the analysed rows.

    Returns:
        float32 [batch, columns]; 0 if missing. A column that was constant or missing in all analysed rows is always 0.
    """
    logs = _signed_logs(numbers)
    deviation = np.sqrt(moments.variance)
    varies = deviation > _CONSTANT * np.abs(moments.mean)
    scores = (logs - moments.mean) / np.where(varies, deviation, 1.0)
    known = varies & ~tf.math.is_nan(logs)
    clipped = tf.clip_by_value(scores, tf.constant(-LARGEST, tf.float64), tf.constant(LARGEST, tf.float64))
    return tf.cast(tf.where(known, clipped, tf.zeros_like(clipped)), tf.float32)


def _signed_logs(numbers: tf.Tensor) -> tf.Tensor:
    """float64, of the shape of `numbers`; NaN where they are."""
    bounded = tf.cast(finite(numbers), tf.float64)
    return tf.sign(bounded) * tf.math.log1p(tf.abs(bounded))
