"""The forest as plain TensorFlow ops, to the leaf exact, for a SavedModel that stock TensorFlow Serving loads.

Looking nodes up row by row is what TensorFlow does worst: one gathered number costs as much as a dozen compared ones.
So nothing is looked up here until the very end. Each distinct condition of the forest is compared once with a whole
batch, and the answers are packed, one bit a row, into 64-bit words. From then on one bitwise operation serves 64 rows:
walking all trees down one level is a selection between two words. Only the finished path is unpacked into one number
per row and tree, and turned into a leaf number by a table.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker.forest.model import Forest

_WORD = 64  # rows a word
_LANES = 8  # bits of a path that are unpacked at a time, one byte a row
# A word of 8 bytes that are 0 or 1 times _GATHER has byte k as bit k of its highest byte.
_GATHER = 0x0102040810204080
# A word of 8 equal bytes masked by _PICK keeps bit k in byte k alone.
_PICK = 0x8040201008040201
# Of a float32's bits: all but the sign, and what they are in infinity. Above are the NaNs.
_MAGNITUDE = 0x7FFFFFFF
_INFINITY = 0x7F800000
_ONES = 0x0101010101010101


class ForestLeaves(tf.Module):
    """Finds the leaf of every row in every tree.

    Args:
        forest: the forest; trees that are not complete are filled up with splits that send every row left.
    """

    def __init__(self, forest: Forest) -> None:
        super().__init__(name="forest_leaves")
        tables = _tables(forest)
        self._features = len(forest.feature_names)
        self._trees = forest.trees
        self._depth = tables.depth
        # Variables, so that a SavedModel keeps them beside its graph and loads them fast.
        self._compared_feature = _constant(tables.compared_feature, "compared_feature")
        self._compared_threshold = _constant(tables.compared_threshold[:, None], "compared_threshold")
        self._condition_compared = _constant(tables.condition_compared, "condition_compared")
        self._condition_missing = _constant(tables.condition_missing, "condition_missing")
        self._node_condition = _constant(tables.node_condition, "node_condition")
        self._leaf = _constant(tables.leaf, "leaf")

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """Leaf numbers, row for row what XGBoost's `pred_leaf` gives after renumbering.

        Args:
            features: float32 [batch, features], NaN where missing.

        Returns:
            int32 [batch, trees].
        """
        features = tf.ensure_shape(features, [None, self._features])
        rows = tf.shape(features)[0]
        words = (rows + _WORD - 1) // _WORD
        columns = tf.pad(tf.transpose(features), [[0, 0], [0, words * _WORD - rows]])
        path = self._paths(self._conditions(columns))
        leaves = tf.gather(self._leaf, path + tf.range(0, self._trees << self._depth, 1 << self._depth)[:, None])
        return tf.transpose(leaves)[:rows]

    def _conditions(self, columns: tf.Tensor) -> tf.Tensor:
        """Features [features, rows] → uint64 [conditions, rows / 64], a bit for each row that goes right."""
        ranks, missing = _ranks(columns)
        reached = _packed(tf.gather(ranks, self._compared_feature) >= self._compared_threshold)
        missing = tf.pad(_packed(missing), [[0, 1], [0, 0]])
        return tf.bitwise.bitwise_or(
            tf.gather(reached, self._condition_compared), tf.gather(missing, self._condition_missing)
        )

    def _paths(self, conditions: tf.Tensor) -> tf.Tensor:
        """Conditions' words → int32 [trees, rows], the path of each row: a bit a level, the root's the highest."""
        turns: list[tf.Tensor] = []
        for level in range(self._depth):
            nodes = tf.gather(conditions, self._node_condition[(1 << level) - 1 : (2 << level) - 1])
            for turn in turns:
                half = nodes.shape[0] // 2
                left, right = nodes[:half], nodes[half:]
                nodes = tf.bitwise.bitwise_xor(left, tf.bitwise.bitwise_and(tf.bitwise.bitwise_xor(left, right), turn))
            turns.append(nodes[0])
        path = tf.constant(0)
        for begin in range(0, self._depth, _LANES):
            part = turns[begin : begin + _LANES]
            path = path * (1 << len(part)) + _unpacked(part)
        return path


def _ranks(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Float32 → int32 in the same order, the missing lowest of all; and bool, which are missing.

    TensorFlow takes subnormal floats for zero when it compares floats, but not when it compares these.
    """
    bits = tf.bitcast(values, tf.int32)
    magnitude = tf.bitwise.bitwise_and(bits, _MAGNITUDE)
    missing = magnitude > _INFINITY
    ranks = tf.where(bits < 0, -magnitude, magnitude)
    return tf.where(missing, tf.int32.min, ranks), missing


def _packed(bits: tf.Tensor) -> tf.Tensor:
    """Bool [n, rows] → uint64 [n, rows / 64]."""
    eights = tf.bitcast(tf.reshape(tf.cast(bits, tf.uint8), [bits.shape[0], -1, 8]), tf.uint64)
    packed = tf.cast(tf.bitwise.right_shift(eights * _word(_GATHER), _word(56)), tf.uint8)
    return tf.bitcast(tf.reshape(packed, [bits.shape[0], -1, 8]), tf.uint64)


def _unpacked(planes: list[tf.Tensor]) -> tf.Tensor:
    """Up to 8 bit planes, uint64 [trees, words], the highest first → int32 [trees, rows]."""
    numbers = _word(0)
    for plane in planes:
        # A byte holds 8 rows. It is copied to all bytes of a word, masked to one bit in each, and that bit is carried
        # into the byte's highest one.
        picked = tf.bitwise.bitwise_and(tf.cast(tf.bitcast(plane, tf.uint8), tf.uint64) * _word(_ONES), _word(_PICK))
        bit = tf.bitwise.right_shift(picked + _word(0x7F * _ONES), _word(7))
        numbers = numbers + numbers + tf.bitwise.bitwise_and(bit, _word(_ONES))
    rows = tf.reshape(tf.bitcast(numbers, tf.uint8), [planes[0].shape[0], -1])
    return tf.cast(rows, tf.int32)


def _word(value: int) -> tf.Tensor:
    return tf.constant(value, tf.uint64)


@dataclass(frozen=True, eq=False)
class _Tables:
    """The forest as `ForestLeaves` needs it.

    Attributes:
        depth: levels of the complete trees.
        compared_feature: int32 [comparisons], the feature of each distinct `value >= threshold` of the forest.
        compared_threshold: int32 [comparisons], its threshold, as a rank (see `_ranks`).
        condition_compared: int32 [conditions], the comparison that a condition makes; the last condition never holds.
        condition_missing: int32 [conditions], the feature whose missing values satisfy it too, or the number of
            features for none.
        node_condition: int32 [2^depth - 1, trees], the condition to go right, level by level. Within a level the first
            half is what lies left of the root, and so on down.
        leaf: int32 [trees * 2^depth], the leaf at the end of each path.
    """

    depth: int
    compared_feature: NDArray[np.int32]
    compared_threshold: NDArray[np.int32]
    condition_compared: NDArray[np.int32]
    condition_missing: NDArray[np.int32]
    node_condition: NDArray[np.int32]
    leaf: NDArray[np.int32]


def _tables(forest: Forest) -> _Tables:
    features = len(forest.feature_names)
    # One more condition that no value satisfies, for the nodes that complete a tree.
    feature = np.append(forest.split_feature, 0)
    bits = forest.split_threshold.view(np.int32)
    magnitude = bits & _MAGNITUDE
    threshold = np.append(np.where(bits < 0, -magnitude, magnitude), np.iinfo(np.int32).max)
    missing = np.append(np.where(forest.split_default_left, features, forest.split_feature), features)
    compared, of_split = np.unique(_joined(feature, threshold), return_inverse=True)
    conditions, condition_of_split = np.unique(_joined(of_split, missing), return_inverse=True)
    node_condition, leaf = _complete(forest, condition_of_split.astype(np.int32))
    return _Tables(
        depth=len(node_condition),
        compared_feature=(compared >> 32).astype(np.int32),
        compared_threshold=compared.astype(np.int32),
        condition_compared=(conditions >> 32).astype(np.int32),
        condition_missing=conditions.astype(np.int32),
        node_condition=np.concatenate(node_condition),
        leaf=leaf.reshape(-1),
    )


def _joined(high: NDArray[np.integer[Any]], low: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """One int64 for two int32; the low half comes back by a cast to int32, the high one by a shift."""
    return high.astype(np.int64) << 32 | low.astype(np.int64) & 0xFFFFFFFF


def _complete(
    forest: Forest, condition_of_split: NDArray[np.int32]
) -> tuple[list[NDArray[np.int32]], NDArray[np.int32]]:
    """The conditions [2^level, trees] of each level, and the leaves [trees, 2^depth], of the trees made complete.

    Args:
        condition_of_split: int32 [splits + 1]; the last is that of the nodes that are made up.
    """
    # The subtrees that begin at the present level: their tree, place in the level, first split, and range of leaves.
    tree = np.arange(forest.trees)
    place = np.zeros_like(tree)
    begin, end = forest.first_leaf[:-1].astype(np.int64), forest.first_leaf[1:].astype(np.int64)
    split = begin - tree
    levels: list[NDArray[np.int32]] = []
    while not levels or (end - begin > 1).any():
        inner = end - begin > 1
        level = np.full((1 << len(levels), forest.trees), condition_of_split[-1])
        level[place[inner], tree[inner]] = condition_of_split[split[inner]]
        levels.append(level)
        # A subtree with n leaves has n - 1 splits, in pre-order: its own, those of the left side, those of the right.
        middle = end.copy()
        middle[inner] = forest.split_left[split[inner], 1]
        tree, place, split, begin, end = (
            np.concatenate(sides)
            for sides in (
                (tree, tree[inner]),
                (2 * place, 2 * place[inner] + 1),
                (split + 1, (split + middle - begin)[inner]),
                (begin, middle[inner]),
                (middle, end[inner]),
            )
        )
    leaf = np.zeros((forest.trees, 1 << len(levels)), np.int32)
    leaf[tree, place] = begin
    return levels, leaf


def _constant(values: NDArray[Any], name: str) -> tf.Variable:
    return tf.Variable(values, trainable=False, name=name)
