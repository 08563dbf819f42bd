"""Batches of whole sessions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker.towers.data import without_autotuning

SESSION = "session"
"""The tensor of a batch with the codes of its rows' sessions, int32 [rows]."""


def session_batches(
    rows: Mapping[str, NDArray[Any]], sessions: NDArray[np.int32], batch_size: int, epochs: int, seed: int
) -> tf.data.Dataset:
    """Batches of each epoch's rows, session by session in random order; an epoch's last batch may be smaller.

    All batches but the last have the same number of rows, so a session may be cut where a batch ends.

    Args:
        rows: name → one value per row.
        sessions: the code of each row's session.
        batch_size: rows of a batch.
        epochs: how often each row comes.
        seed: of the order.
    """
    tensors = {name: tf.constant(values) for name, values in {**rows, SESSION: sessions}.items()}
    generator = np.random.default_rng(seed)
    orders = tf.constant(np.stack([shuffled_sessions(sessions, generator) for _ in range(epochs)]))

    def batch(order: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: tf.gather(tensor, order) for name, tensor in tensors.items()}

    each = tf.data.Dataset.from_tensor_slices(orders)
    of_epochs = each.flat_map(lambda order: tf.data.Dataset.from_tensor_slices(order).batch(batch_size))
    return without_autotuning(of_epochs.map(batch).prefetch(4))


def shuffled_sessions(sessions: NDArray[np.int32], generator: np.random.Generator) -> NDArray[np.int32]:
    """The rows in a random order that keeps those of a session together.

    Example:
        >>> order = shuffled_sessions(np.array([0, 1, 0, 1], np.int32), np.random.default_rng(0))
        >>> sorted(order[:2].tolist()) in ([0, 2], [1, 3])
        True
    """
    _, codes = np.unique(sessions, return_inverse=True)
    place = generator.permutation(int(codes.max(initial=-1)) + 1)
    within = generator.random(len(codes))
    return np.lexsort((within, place[codes])).astype(np.int32)
