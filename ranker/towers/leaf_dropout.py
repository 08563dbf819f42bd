"""Dropout of whole trees, and training on those that are left.

A step drops the leaf embeddings of the same trees for its whole batch. One mask per step is enough to keep the towers
from relying on single trees; one per impression would need as many random numbers as there are leaves in the batch.

As the whole batch has the same trees left, their embeddings and their rows of the first layer's kernels are all that a
step reads. The widest matrix product is smaller by the trees that are dropped, forwards and backwards.
"""

import math
from typing import NamedTuple

import keras
import tensorflow as tf
from keras import ops

_DEVIATIONS = 4.0  # of the number of kept trees; a step exceeds that once in 30,000


class KeptTrees(NamedTuple):
    """The trees that a step reads.

    Attributes:
        trees: int32 [kept], in ascending order; all steps have the same number of them.
        scale: float32 [kept], the factor of each tree's embedding: 1 / (1 - rate), or 0 for a tree that is dropped and
            fills the number.
    """

    trees: tf.Tensor
    scale: tf.Tensor


class LeafDropout:
    """Draws the trees of each step.

    Args:
        trees: of the forest.
        rate: share that is dropped, in [0, 1).
        seed: of the draws.

    Attributes:
        capacity: number of trees that a step reads: those that are left, plus enough that hardly any step has more.
            The dropped trees of a step that has more are the last ones.
    """

    def __init__(self, trees: int, rate: float, seed: int) -> None:
        self._trees = trees
        self._dropout = keras.layers.Dropout(rate, seed=seed)
        kept = trees * (1.0 - rate)
        self.capacity = min(trees, math.ceil(kept + _DEVIATIONS * math.sqrt(kept * rate)))

    def __call__(self) -> KeptTrees:
        """The trees of the next step."""
        scale = self._dropout(ops.ones((self._trees,)), training=True)
        left_first = ops.argsort(ops.cast(ops.equal(scale, 0.0), "int32"))
        trees = ops.sort(left_first[: self.capacity])
        return KeptTrees(trees, ops.take(scale, trees))
