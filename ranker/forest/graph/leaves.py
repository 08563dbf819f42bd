"""The forest as plain TensorFlow ops with exactly XGBoost's leaves; stock TensorFlow Serving can load it.

Gathering nodes row by row is slow in TensorFlow: one gathered number costs as much as a dozen compared ones. So almost
nothing is gathered. Each value is located once among its feature's thresholds. The positions are split into bit planes
of 64 rows per word. From then on, one bitwise operation handles 64 rows:

- a feature's planes are expanded, in doubling steps, to one word per threshold: which rows reach it;
- one level of all trees is a selection between two words;
- only the final path is unpacked into a number per row and tree, and a table maps it to a leaf number.
"""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker.forest.graph.bit_tables import MAGNITUDE, MISSING, BitTables, bit_tables
from ranker.forest.model import Forest

_WORD = 64  # rows per word
_BYTE = 8
_INFINITY = 0x7F800000  # a float32's magnitude above this is NaN
_ONES = 0x0101010101010101  # 1 in each byte of a word
# A word of 8 equal bytes masked with _PICK keeps only bit k in byte k.
_PICK = 0x8040201008040201
# A word whose bytes are 0 or 1, times _COLLECT, has byte k's number as bit k of its highest byte.
_COLLECT = 0x0102040810204080


class ForestConditions(tf.Module):
    """Which rows satisfy each condition of a forest, and where they turn right in its trees.

    Args:
        tables: of the forest.
        xla: see `ForestLeaves`.
    """

    def __init__(self, tables: BitTables, xla: bool = False) -> None:
        super().__init__(name="forest_conditions")
        self._search = _halved if xla else _searched
        self._missing_fails = tables.missing_fails
        self._compared = len(tables.compared_feature)
        # Variables, so that a SavedModel stores them outside its graph and loads them fast.
        self._compared_feature = _constant(np.append(tables.compared_feature, tables.present_feature), "compared")
        present = np.full_like(tables.present_feature, MISSING + 1)
        self._compared_rank = _constant(np.append(tables.compared_rank, present)[:, None], "compared_rank")
        self._column_feature = _constant(tables.column_feature, "column_feature")
        self._column_ranks = _constant(tables.column_ranks, "column_ranks")
        self._outcome = _constant(tables.outcome, "outcome")
        self._present = _constant(tables.present, "present")

    def turns(self, features: tf.Tensor, node_condition: tf.Variable) -> list[tf.Tensor]:
        """Per level of the trees int64 [trees, words], with a bit set for each row that goes right there.

        Args:
            features: float32 [batch, features], NaN where missing.
            node_condition: int32 [2^depth - 1, trees], as in `BitTables`.
        """
        whole_words = tf.pad(features, [[0, -tf.shape(features)[0] % _WORD], [0, 0]])
        conditions = self._satisfied(_ranks(tf.transpose(whole_words)))
        subtree = tf.gather(conditions, _read(node_condition))
        turns = []
        for level in reversed(range(int(node_condition.shape[0]).bit_length())):
            turn, left, right = subtree[0], subtree[1 : 1 << level], subtree[1 << level :]
            subtree = tf.bitwise.bitwise_xor(left, tf.bitwise.bitwise_and(tf.bitwise.bitwise_xor(left, right), turn))
            turns.append(turn)
        return turns

    def _satisfied(self, ranks: tf.Tensor) -> tf.Tensor:
        """Ranks [features, rows] → int64 [conditions + 1, words], with a bit set for each row that goes right."""
        reached = tf.gather(ranks, _read(self._compared_feature)) >= self._compared_rank
        reached = _collected(_eights(tf.cast(reached, tf.uint8)))
        outcomes = tf.concat([reached, self._column_outcomes(ranks)], axis=0)
        decided = tf.gather(outcomes, _read(self._outcome))
        # A missing value reaches no threshold.
        missing = tf.gather(tf.bitwise.invert(reached[self._compared :]), _read(self._present))
        satisfied = tf.bitwise.bitwise_or(decided[self._missing_fails :], missing)
        nothing = tf.zeros([1, tf.shape(reached)[1]], tf.int64)
        return tf.concat([decided[: self._missing_fails], satisfied, nothing], axis=0)

    def _column_outcomes(self, ranks: tf.Tensor) -> tf.Tensor:
        """Ranks [features, rows] → int64 [2^bits * columns, words], the rows whose position is at least each number."""
        columns, width = self._column_ranks.shape
        bits = int(width).bit_length() - 1
        places = tf.cast(self._search(self._column_ranks, tf.gather(ranks, _read(self._column_feature))), tf.uint8)
        bit = tf.constant(np.arange(bits)[:, None, None], tf.uint64)
        planes = _collected(tf.bitwise.bitwise_and(tf.bitwise.right_shift(_eights(places), bit), _word(_ONES)))
        words = tf.shape(planes)[-1]
        planes = tf.reshape(planes, [bits, columns * words])
        # When is a position of k + 1 bits at least a number? If the number's highest bit is 0: the position's highest
        # bit is set, or its other bits suffice. If the number's highest bit is 1: both.
        at_least = tf.fill([1, columns * words], tf.constant(-1, tf.int64))
        for k in range(bits):
            either = tf.bitwise.bitwise_or(planes[k], at_least)
            at_least = tf.concat([either, tf.bitwise.bitwise_and(planes[k], at_least)], axis=0)
        return tf.reshape(at_least, [columns << bits, words])


class ForestLeaves(tf.Module):
    """Finds the leaf of every row in every tree.

    Args:
        forest: the forest; incomplete trees are completed with splits that send every row left. Without trees, there
            are no leaves.
        xla: prefer ops that are fast inside a function compiled with `jit_compile`, and slow elsewhere; the leaves
            are the same.

    Attributes:
        forest: the forest.
        first_leaf: int32 [trees + 1], the first leaf number of each tree, and the total number of leaves.
    """

    def __init__(self, forest: Forest, xla: bool = False) -> None:
        super().__init__(name="forest_leaves")
        self.forest = forest
        self.first_leaf = forest.first_leaf
        self._features = len(forest.feature_names)
        self._trees = forest.trees
        if not forest.trees:
            return
        tables = bit_tables(forest)
        self._conditions = ForestConditions(tables, xla)
        self._unpack = _unpacked if xla else transposed_bits
        self._depth = len(tables.node_condition).bit_length()
        self._node_condition = _constant(tables.node_condition, "node_condition")
        self._leaf = _constant(tables.leaf, "leaf")

    @property
    def local_leaf_dtype(self) -> tf.DType:
        """The smallest unsigned type for a leaf's number within its tree."""
        return tf.uint8 if np.diff(self.first_leaf).max(initial=0) <= 1 << _BYTE else tf.uint16

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """Leaf numbers, equal to XGBoost's `pred_leaf` after renumbering.

        Args:
            features: float32 [batch, features], NaN where missing.

        Returns:
            int32 [batch, trees].
        """
        features = tf.ensure_shape(features, [None, self._features])
        rows = tf.shape(features)[0]
        if not self._trees:
            return tf.zeros(tf.stack([rows, 0]), tf.int32)
        path = self._paths(self._conditions.turns(features, self._node_condition))
        return tf.gather(_read(self._leaf), path + tf.range(0, self._trees << self._depth, 1 << self._depth))[:rows]

    def _paths(self, turns: list[tf.Tensor]) -> tf.Tensor:
        """Turns by level → int32 [rows, trees], the path of each row: one bit per level, the root's highest."""
        path = tf.constant(0)
        for begin in range(0, self._depth, _BYTE):
            part = turns[begin : begin + _BYTE]
            path = path * (1 << len(part)) + tf.cast(tf.transpose(self._unpack(tf.stack(part))), tf.int32)
        return path


def _ranks(values: tf.Tensor) -> tf.Tensor:
    """Float32 → int32 in the same order; missing values are the lowest.

    TensorFlow treats subnormal floats as zero when it compares floats; these integers avoid that.
    """
    bits = tf.bitcast(values, tf.int32)
    magnitude = tf.bitwise.bitwise_and(bits, MAGNITUDE)
    return tf.where(magnitude > _INFINITY, MISSING, tf.where(bits < 0, -magnitude, magnitude))


def _searched(thresholds: tf.Tensor, ranks: tf.Tensor) -> tf.Tensor:
    """The number of thresholds of its column [columns, n] that each rank [columns, rows] reaches."""
    return tf.searchsorted(thresholds, ranks, side="right")


def _halved(thresholds: tf.Tensor, ranks: tf.Tensor) -> tf.Tensor:
    """The same with an explicit binary search, which XLA fuses; XLA's own search compares with every threshold.

    The number of thresholds is a power of two, and no rank may reach the last one.
    """
    columns, width = thresholds.shape
    table = tf.reshape(thresholds, [-1])
    first = tf.range(0, columns * width, width)[:, None]
    reached = tf.zeros_like(ranks)
    step = width // 2
    while step:
        further = tf.gather(table, first + reached + step - 1) <= ranks
        reached += tf.where(further, step, 0)
        step //= 2
    return reached


def _eights(flags: tf.Tensor) -> tf.Tensor:
    """Uint8 [n, rows] → uint64 [n, rows / 8], one byte per row."""
    shape = tf.shape(flags)
    return tf.bitcast(tf.reshape(flags, tf.stack([shape[0], shape[1] // _BYTE, _BYTE])), tf.uint64)


def _collected(eights: tf.Tensor) -> tf.Tensor:
    """A 0 or 1 in each byte of uint64 [..., rows / 8] → bits of int64 [..., words], in the layout of `_unpacked`."""
    collected = tf.cast(tf.bitwise.right_shift(eights * _word(_COLLECT), _word(_WORD - _BYTE)), tf.uint8)
    shape = tf.shape(collected)
    return tf.bitcast(tf.reshape(collected, tf.concat([shape[:-1], shape[-1:] // _BYTE, [_BYTE]], axis=0)), tf.int64)


def _unpacked(planes: tf.Tensor) -> tf.Tensor:
    """Up to 8 bit planes, int64 [planes, trees, words], the highest first → uint8 [trees, rows]."""
    # A byte holds 8 rows. It is copied to all bytes of a word and masked to one bit in each. An addition carries this
    # bit into the byte's highest bit; shifted down, it is a 0 or 1 per row.
    eights = tf.cast(tf.bitcast(planes, tf.uint8), tf.uint64)
    picked = tf.bitwise.bitwise_and(eights * _word(_ONES), _word(_PICK))
    bits = tf.bitwise.bitwise_and(tf.bitwise.right_shift(picked + _word(0x7F * _ONES), _word(_BYTE - 1)), _word(_ONES))
    weights = tf.constant([[[[1 << plane]]] for plane in reversed(range(planes.shape[0]))], tf.uint64)
    numbers = tf.bitcast(tf.reduce_sum(bits * weights, axis=0), tf.uint8)
    return tf.reshape(numbers, [planes.shape[1], tf.shape(planes)[2] * _WORD])


def transposed_bits(planes: tf.Tensor) -> tf.Tensor:
    """Bit planes, int64 [planes, trees, words], the highest first → uint8 [trees, rows]. Fast outside XLA.

    The bytes of 8 planes for the same 8 rows are one word, a matrix of bits, which is transposed in three steps
    (Warren, "Hacker's Delight", 7-3).
    """
    count, trees = planes.shape[:2]
    # A word's lowest byte is the lowest plane, and planes above the highest are 0.
    planes = tf.reverse(planes, [0])
    if count < _BYTE:
        planes = tf.pad(planes, [[0, _BYTE - count], [0, 0], [0, 0]])
    words = tf.shape(planes)[2]
    eights = tf.transpose(tf.reshape(tf.bitcast(planes, tf.uint8), tf.stack([_BYTE, trees * words * _BYTE])))
    matrix = tf.bitcast(eights, tf.uint64)
    for shift, mask in ((7, 0x00AA00AA00AA00AA), (14, 0x0000CCCC0000CCCC), (28, 0x00000000F0F0F0F0)):
        swap = tf.bitwise.bitwise_and(
            tf.bitwise.bitwise_xor(matrix, tf.bitwise.right_shift(matrix, _word(shift))), _word(mask)
        )
        both = tf.bitwise.bitwise_xor(swap, tf.bitwise.left_shift(swap, _word(shift)))
        matrix = tf.bitwise.bitwise_xor(matrix, both)
    return tf.reshape(tf.bitcast(matrix, tf.uint8), tf.stack([trees, words * _WORD]))


def _read(variable: tf.Variable) -> tf.Tensor:
    """The variable as a tensor, which is gathered from in half of the time of the variable itself."""
    return tf.convert_to_tensor(variable)


def _word(value: int) -> tf.Tensor:
    return tf.constant(value, tf.uint64)


def _constant(values: NDArray[Any], name: str) -> tf.Variable:
    return tf.Variable(values, trainable=False, name=name)
