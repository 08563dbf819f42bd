"""An impression of a history as one int64: a hash of a value, such as the author's id, and what the viewer did.

The lowest 7 bits say which of the history's actions happened, in the order of the config. The other 56 bits are
TensorFlow's `to_hash_bucket_fast` of the value, which is FarmHash's Fingerprint64, plus 1. So no item is 0, and Python,
Transform's graph and a served model compute the same hash. Two of a million values share a hash with a chance of 1 in
100,000.
"""

import tensorflow as tf

ACTION_BITS = 7
"""The largest number of actions."""

_HASHES = 2 ** (63 - ACTION_BITS) - 1


def value_hashes(values: tf.Tensor) -> tf.Tensor:
    """int64, of the shape of `values`, in [1, 2^56); 0 for "".

    Args:
        values: strings.

    Example:
        >>> value_hashes(tf.constant(["a1", ""])).numpy().tolist()
        [37536296786762031, 0]
    """
    hashed = tf.strings.to_hash_bucket_fast(values, _HASHES) + 1
    return tf.where(tf.equal(values, ""), tf.zeros_like(hashed), hashed)


def hash_of_item(items: tf.Tensor) -> tf.Tensor:
    """The value's hash, int64 of the shape of `items`."""
    return tf.bitwise.right_shift(items, tf.constant(ACTION_BITS, tf.int64))


def did(items: tf.Tensor, actions: int) -> tf.Tensor:
    """Which of the actions happened, bool [..., actions]."""
    bits = tf.constant([1 << action for action in range(actions)], tf.int64)
    return tf.not_equal(tf.bitwise.bitwise_and(items[..., tf.newaxis], bits), 0)
