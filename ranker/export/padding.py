"""Batches padded to a few sizes, for functions that are recompiled for every new shape."""

from collections.abc import Callable, Mapping

import tensorflow as tf

Tensors = Mapping[str, tf.Tensor]

_SMALLEST = 32


def batch_sizes(max_rows: int) -> list[int]:
    """The sizes that batches are padded to: 32, 64, 128 and so on, until one is at least `max_rows`."""
    sizes = [_SMALLEST]
    while sizes[-1] < max_rows:
        sizes.append(2 * sizes[-1])
    return sizes


def in_padded_batches(score: Callable[[dict[str, tf.Tensor]], tf.Tensor], tensors: Tensors, max_rows: int) -> tf.Tensor:
    """The result of `score` for the tensors, computed on batches of the sizes `batch_sizes(max_rows)` only.

    Args:
        score: a row of its result must depend only on the same row of its arguments.
        tensors: numbers [batch, …], at most `max_rows` rows.
    """
    rows = tf.shape(next(iter(tensors.values())))[0]
    sizes = tf.constant(batch_sizes(max_rows))
    padding = sizes[tf.searchsorted(sizes, rows[tf.newaxis])[0]] - rows
    padded = {
        name: tf.pad(tensor, [[0, padding], *([[0, 0]] * (tensor.shape.rank - 1))]) for name, tensor in tensors.items()
    }
    return score(padded)[:rows]
