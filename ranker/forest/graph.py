"""The forest as plain TensorFlow ops, to the leaf exact, for a SavedModel that stock TensorFlow Serving loads.

Looking nodes up row by row is what TensorFlow does worst: one gathered number costs as much as a dozen compared ones.
So hardly anything is looked up. Each value is placed once among its feature's thresholds, and from that, for every
condition of the forest, one bit a row is packed into 64-bit words. From then on one bitwise operation serves 64 rows:
walking all trees down one level is a selection between two words. Only the finished path is unpacked into a number per
row and tree, and turned into a leaf number by a table.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker.forest.model import Forest

_WORD = 64  # rows a word
_LANES = 8  # bits of a path that are unpacked together, into one byte a row
# A word of 8 equal bytes masked by _PICK keeps bit k in byte k alone.
_PICK = 0x8040201008040201
_ONES = 0x0101010101010101
# Of a float32's bits: all but the sign, and what they are in infinity. Above are the NaNs.
_MAGNITUDE = 0x7FFFFFFF
_INFINITY = 0x7F800000


class ForestLeaves(tf.Module):
    """Finds the leaf of every row in every tree.

    Args:
        forest: the forest; trees that are not complete are filled up with splits that send every row left.
        xla: prefer ops that are fast inside a function compiled with `jit_compile`, and slow elsewhere; the leaves
            are the same.
    """

    def __init__(self, forest: Forest, xla: bool = False) -> None:
        super().__init__(name="forest_leaves")
        self._search = _halved if xla else _searched
        tables = _tables(forest)
        self._features = len(forest.feature_names)
        self._trees = forest.trees
        self._depth = len(tables.node_condition).bit_length()
        # Variables, so that a SavedModel keeps them beside its graph and loads them fast.
        self._thresholds = _constant(tables.thresholds, "thresholds")
        self._first_bin = _constant(tables.first_bin, "first_bin")
        self._condition = _constant(tables.condition, "condition")
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
        path = self._paths(self._conditions(_ranks(tf.transpose(features))))
        leaves = tf.gather(self._leaf, path + tf.range(0, self._trees << self._depth, 1 << self._depth)[:, None])
        return tf.transpose(leaves)[: tf.shape(features)[0]]

    def _conditions(self, ranks: tf.Tensor) -> tf.Tensor:
        """Ranks [features, rows] → int64 [conditions, words], a bit for each row that goes right."""
        row = tf.range(tf.shape(ranks)[1])
        words = (tf.shape(ranks)[1] + _WORD - 1) // _WORD
        bins = self._search(self._thresholds, ranks) + self._first_bin[:-1, None]
        bit = tf.bitwise.left_shift(tf.constant(1, tf.int64), tf.cast(row % _WORD, tf.int64))
        # A row's bit stands in one bin of each feature, so that within a feature a sum of words is their union.
        in_bin = tf.scatter_nd(
            tf.reshape(bins * words + row // _WORD, [-1, 1]),
            tf.reshape(tf.broadcast_to(bit, tf.shape(bins)), [-1]),
            (self._first_bin[-1:] + 1) * words,
        )
        in_bin = tf.reshape(in_bin, [-1, words])
        up_to_bin = tf.cumsum(in_bin)
        above, last, missing = (self._condition[i] for i in range(3))
        return tf.gather(up_to_bin, last) - tf.gather(up_to_bin, above) + tf.gather(in_bin, missing)

    def _paths(self, conditions: tf.Tensor) -> tf.Tensor:
        """Conditions' words → int32 [trees, rows], the path of each row: a bit a level, the root's the highest."""
        subtree = tf.gather(conditions, self._node_condition)
        turns = []
        for level in reversed(range(self._depth)):
            turn, left, right = subtree[0], subtree[1 : 1 << level], subtree[1 << level :]
            subtree = tf.bitwise.bitwise_xor(left, tf.bitwise.bitwise_and(tf.bitwise.bitwise_xor(left, right), turn))
            turns.append(turn)
        path = tf.constant(0)
        for begin in range(0, self._depth, _LANES):
            part = turns[begin : begin + _LANES]
            path = path * (1 << len(part)) + _unpacked(tf.stack(part))
        return path


def _ranks(values: tf.Tensor) -> tf.Tensor:
    """Float32 → int32 in the same order, the missing lowest of all.

    TensorFlow takes subnormal floats for zero when it compares floats, but not when it compares these.
    """
    bits = tf.bitcast(values, tf.int32)
    magnitude = tf.bitwise.bitwise_and(bits, _MAGNITUDE)
    return tf.where(magnitude > _INFINITY, tf.int32.min, tf.where(bits < 0, -magnitude, magnitude))


def _searched(thresholds: tf.Tensor, ranks: tf.Tensor) -> tf.Tensor:
    """How many of its feature's thresholds [features, n] each rank [features, rows] reaches."""
    return tf.searchsorted(thresholds, ranks, side="right")


def _halved(thresholds: tf.Tensor, ranks: tf.Tensor) -> tf.Tensor:
    """The same by halving, step by step, which XLA fuses, whereas it searches by comparing with every threshold."""
    features, width = thresholds.shape
    table = tf.reshape(thresholds, [-1])
    first = tf.range(0, features * width, width)[:, None]
    reached = tf.zeros_like(ranks)
    step = width // 2
    while step:
        further = tf.gather(table, first + reached + step - 1) <= ranks
        reached += tf.where(further, step, 0)
        step //= 2
    return reached


def _unpacked(planes: tf.Tensor) -> tf.Tensor:
    """Up to 8 bit planes, int64 [planes, trees, words], the highest first → int32 [trees, rows]."""
    # A byte holds 8 rows. It is copied to all bytes of a word and masked to one bit in each; carried into the byte's
    # highest bit and shifted down, that is a 0 or 1 per row.
    eights = tf.cast(tf.bitcast(planes, tf.uint8), tf.uint64)
    picked = tf.bitwise.bitwise_and(eights * _word(_ONES), _word(_PICK))
    bits = tf.bitwise.bitwise_and(tf.bitwise.right_shift(picked + _word(0x7F * _ONES), _word(7)), _word(_ONES))
    weights = tf.constant([[[[1 << plane]]] for plane in reversed(range(planes.shape[0]))], tf.uint64)
    numbers = tf.bitcast(tf.reduce_sum(bits * weights, axis=0), tf.uint8)
    return tf.cast(tf.reshape(numbers, [planes.shape[1], -1]), tf.int32)


def _word(value: int) -> tf.Tensor:
    return tf.constant(value, tf.uint64)


@dataclass(frozen=True, eq=False)
class _Tables:
    """The forest as `ForestLeaves` needs it.

    A feature's bins lie between its thresholds; the first of them holds its missing values.

    Attributes:
        thresholds: int32 [features, a power of two above the most thresholds of a feature], the ranks (see `_ranks`)
            at which each bin but the first begins, filled up with the largest int32.
        first_bin: int32 [features + 1], where each feature's bins begin among all bins; the last bin is always empty.
        condition: int32 [3, conditions]: a row satisfies a condition where its bin lies above the first of these bins
            and not above the second, or is the third.
        node_condition: int32 [2^depth - 1, trees], the condition to go right at each node, in pre-order.
        leaf: int32 [trees * 2^depth], the leaf at the end of each path.
    """

    thresholds: NDArray[np.int32]
    first_bin: NDArray[np.int32]
    condition: NDArray[np.int32]
    node_condition: NDArray[np.int32]
    leaf: NDArray[np.int32]


def _tables(forest: Forest) -> _Tables:
    features = len(forest.feature_names)
    lowest, highest = np.iinfo(np.int32).min, np.iinfo(np.int32).max
    bits = forest.split_threshold.view(np.int32)
    magnitude = bits & _MAGNITUDE
    rank = np.where(bits < 0, -magnitude, magnitude)
    # Every feature has a threshold right above the missing values, and distinct ones above it.
    used = [np.unique(np.append(rank[forest.split_feature == feature], lowest + 1)) for feature in range(features)]
    width = 1 << max(map(len, used)).bit_length()
    thresholds = np.stack([np.pad(ranks, (0, width - len(ranks)), constant_values=highest) for ranks in used])
    first_bin = np.cumsum([0, *(len(ranks) + 1 for ranks in used)])
    empty = first_bin[-1]  # one more bin, that no value falls into

    split_bin = np.array([np.searchsorted(used[f], r) for f, r in zip(forest.split_feature, rank, strict=True)], int)
    first = first_bin[forest.split_feature]
    missing = np.where(forest.split_default_left, empty, first)
    # The last is the condition of the nodes that complete a tree, which nothing satisfies.
    of_split = np.append(
        np.stack([first + split_bin, first_bin[forest.split_feature + 1] - 1, missing]), np.full((3, 1), empty), axis=1
    )
    condition, condition_of_split = np.unique(of_split, axis=1, return_inverse=True)
    node_condition, leaf = _complete(forest, condition_of_split.reshape(-1).astype(np.int32))
    return _Tables(
        thresholds=thresholds.astype(np.int32),
        first_bin=first_bin.astype(np.int32),
        condition=condition.astype(np.int32),
        node_condition=node_condition[_pre_order(len(node_condition))],
        leaf=leaf.reshape(-1),
    )


def _complete(forest: Forest, condition_of_split: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The conditions [2^depth - 1, trees], level by level, and the leaves [trees, 2^depth] of the trees made complete.

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
    return np.concatenate(levels), leaf


def _pre_order(nodes: int) -> list[int]:
    """The nodes of a complete tree, numbered level by level, in pre-order."""
    order, stack = [], [0]
    while stack:
        node = stack.pop()
        order.append(node)
        if 2 * node + 2 < nodes:
            stack += [2 * node + 2, 2 * node + 1]
    return order


def _constant(values: NDArray[Any], name: str) -> tf.Variable:
    return tf.Variable(values, trainable=False, name=name)
