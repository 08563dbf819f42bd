"""Ids as numbers: the same hash in training and in the served graph, for random effects and for the towers' tables."""

from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

ABSENT = -1
"""The fingerprint of an id that is missing."""
LARGEST = 2**63 - 1
"""Above every fingerprint."""


def fingerprints(ids: tf.Tensor) -> tf.Tensor:
    """Ids, string of any shape → int64 in [0, LARGEST); `ABSENT` where "".

    Two of a million ids have the same fingerprint with a chance of 1 in 20 million; an id that is not among them has
    the fingerprint of one of them with a chance of 1 in 10 million million.
    """
    hashed = tf.strings.to_hash_bucket_fast(ids, LARGEST)  # its result never changes
    return tf.where(tf.equal(ids, ""), tf.constant(ABSENT, tf.int64), hashed)


def fingerprints_of(ids: Iterable[bytes | str]) -> NDArray[np.int64]:
    """The fingerprints of ids.

    Example:
        >>> fingerprints_of(["v1", ""]).tolist()[1]
        -1
    """
    found: NDArray[np.int64] = fingerprints(tf.constant(list(ids), tf.string)).numpy()
    return found


def table_rows(ids: tf.Tensor, buckets: Sequence[int]) -> tf.Tensor:
    """Ids, string [batch, columns] → int64 [batch, 2 * columns], a row in each of the two tables of every column.

    The rows are the last two digits of the fingerprint in the base `buckets`, which do not depend on each other.

    Args:
        ids: "" where missing.
        buckets: rows of each table of a column; it is also the result where the id is missing.
    """
    base = tf.constant(buckets, tf.int64)
    found = fingerprints(ids)
    digits = tf.stack([found % base, found // base % base], axis=2)
    rows = tf.where(tf.equal(found, ABSENT)[:, :, tf.newaxis], base[:, tf.newaxis], digits)
    return tf.reshape(rows, [-1, 2 * len(buckets)])
