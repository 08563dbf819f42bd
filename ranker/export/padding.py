"""Batches padded to a few sizes, for functions that are compiled anew for every shape."""

from collections.abc import Callable, Mapping

import tensorflow as tf

Tensors = Mapping[str, tf.Tensor]

_SMALLEST = 32


def batch_sizes(max_rows: int) -> list[int]:
    """The sizes that batches are padded to: from 32, each the double of the one before, to `max_rows` at least."""
    sizes = [_SMALLEST]
    while sizes[-1] < max_rows:
        sizes.append(2 * sizes[-1])
    return sizes


def in_padded_batches(score: Callable[[dict[str, tf.Tensor]], tf.Tensor], tensors: Tensors, max_rows: int) -> tf.Tensor:
    """What `score` gives for the tensors, which see only batches of `batch_sizes(max_rows)`.

    Args:
        score: rows of its result depend on the same rows of its arguments only.
        tensors: numbers [batch, …], at most `max_rows` rows.
    """
    rows = tf.shape(next(iter(tensors.values())))[0]
    sizes = tf.constant(batch_sizes(max_rows))
    padding = sizes[tf.searchsorted(sizes, rows[tf.newaxis])[0]] - rows
    padded = {
        name: tf.pad(tensor, [[0, padding], *([[0, 0]] * (tensor.shape.rank - 1))]) for name, tensor in tensors.items()
    }
    return score(padded)[:rows]
