"""Ids as numbers: the same 63-bit hash in training and in the served graph."""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker.effects.rows import ABSENT

LARGEST = 2**63 - 1
"""Above every fingerprint."""


def fingerprints(ids: tf.Tensor) -> tf.Tensor:
    """Ids, string [batch] → int64 [batch] in [0, LARGEST); `ABSENT` where "".

    Two of a million ids have the same fingerprint with a chance of 1 in 20 million; an id that is not among them has
    the fingerprint of one of them with a chance of 1 in 10 million million.
    """
    hashed = tf.strings.to_hash_bucket_fast(ids, LARGEST)
    return tf.where(tf.equal(ids, ""), tf.constant(ABSENT, tf.int64), hashed)


def fingerprints_of(ids: Iterable[bytes | str]) -> NDArray[np.int64]:
    """The fingerprints of ids.

    Example:
        >>> fingerprints_of(["v1", ""]).tolist()[1]
        -1
    """
    found: NDArray[np.int64] = fingerprints(tf.constant(list(ids), tf.string)).numpy()
    return found
