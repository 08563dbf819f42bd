"""The forest's own predictions, inside a TensorFlow graph."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker.forest.model import Forest


class ForestMargins(tf.Module):
    """The log-odds that the forest itself predicts, computed from leaf ids that are already known.

    Args:
        forest: a forest with one output per objective.
        shift: [objectives], is added to the log-odds; None adds nothing.

    Attributes:
        leaf_value: float32 [leaves].
        tree_output: int32 [trees], the output of each tree.
        base: float32 [outputs], the log-odds that the trees' sum starts from.
    """

    def __init__(self, forest: Forest, shift: NDArray[np.float32] | None = None) -> None:
        super().__init__(name="forest_margins")
        self.leaf_value, self.tree_output = forest.leaf_value, forest.tree_output
        self.base = forest.base_margin if shift is None else forest.base_margin + shift
        self._values = tf.constant(forest.leaf_value)
        self._to_output = tf.constant(np.eye(len(self.base), dtype=np.float32)[forest.tree_output])
        self._base = tf.constant(self.base)

    def __call__(self, leaves: tf.Tensor) -> tf.Tensor:
        """Leaf ids int32 [batch, trees] → float32 [batch, outputs]."""
        return tf.gather(self._values, leaves) @ self._to_output + self._base
