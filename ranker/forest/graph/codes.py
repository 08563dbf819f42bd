"""The forest's outcome as one byte for several trees, which is looked up in fewer and larger rows than leaves are.

A path through a tree of depth d is d bits. The paths of a group of 8 // d trees fit into a byte, the group's code. So
whatever a model keeps per leaf is kept per group and code, and scoring gathers it once per group instead of once per
tree. In TensorFlow, a gathered row costs the same whether it is 16 or 32 bytes long.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker.forest.graph.bit_tables import bit_tables
from ranker.forest.graph.leaves import ForestConditions, transposed_bits
from ranker.forest.model import Forest

CODES = 256
_BITS = 8
_NO_TREE = -1


class ForestCodes(tf.Module):
    """Finds the code of every row in every group of trees.

    Args:
        forest: a forest of depth 8 at most; see `has_codes`.

    Attributes:
        groups: number of groups.
        trees: int [groups, trees of a group], the trees of each group, all of the same output; -1 for none.
    """

    def __init__(self, forest: Forest) -> None:
        super().__init__(name="forest_codes")
        tables = bit_tables(forest)
        self._conditions = ForestConditions(tables)
        self._features = len(forest.feature_names)
        self._depth = _depth(forest)
        self._of_group = _BITS // self._depth
        self.trees = _grouped(forest.tree_output.tolist(), self._of_group)
        self.groups = len(self.trees)
        order = self.trees.T.reshape(-1)
        # A place without a tree has the condition that no row satisfies, so its path is 0.
        never = len(tables.outcome)
        node_condition = np.where(order == _NO_TREE, never, tables.node_condition[:, np.maximum(order, 0)])
        self._node_condition = tf.Variable(node_condition.astype(np.int32), trainable=False, name="node_condition")
        self._leaf = tables.leaf.reshape(forest.trees, -1)

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """float32 [batch, features], NaN where missing → the groups' codes, int32 [batch, groups]."""
        features = tf.ensure_shape(features, [None, self._features])
        rows = tf.shape(features)[0]
        turns = self._conditions.turns(features, self._node_condition)
        # [levels, trees of a group * groups, words] → one plane per level and tree of a group.
        planes = tf.stack(turns)
        planes = tf.reshape(planes, [self._depth * self._of_group, self.groups, tf.shape(planes)[-1]])
        return tf.cast(tf.transpose(transposed_bits(planes))[:rows], tf.int32)

    def leaves(self) -> NDArray[np.int32]:
        """int32 [groups, CODES, trees of a group], the leaf of each tree by the group's code; -1 for no tree."""
        bits = self._depth * self._of_group
        codes = np.arange(CODES)
        path = np.zeros((CODES, self._of_group), np.int64)
        for plane in range(bits):
            path[:, plane % self._of_group] = 2 * path[:, plane % self._of_group] + (codes >> (bits - 1 - plane) & 1)
        found = self._leaf[self.trees[:, np.newaxis], path[np.newaxis]]
        return np.where(self.trees[:, np.newaxis] == _NO_TREE, _NO_TREE, found).astype(np.int32)


def has_codes(forest: Forest) -> bool:
    """Whether paths through its trees fit into a byte."""
    return _depth(forest) <= _BITS


def _depth(forest: Forest) -> int:
    return len(bit_tables(forest).node_condition).bit_length()


def _grouped(outputs: Sequence[int], size: int) -> NDArray[np.int64]:
    """Trees [groups, size] of the same output, filled up with `_NO_TREE`."""
    groups = []
    for output in sorted(set(outputs)):
        trees = [tree for tree, of in enumerate(outputs) if of == output]
        trees += [_NO_TREE] * (-len(trees) % size)
        groups += [trees[begin : begin + size] for begin in range(0, len(trees), size)]
    return np.array(groups)
