"""The towers' logits with the leaf embedding table in other forms, converted at export.

`bfloat16` rounds the numbers of a leaf's vector, and multiplies them in this type. `int8` stores one byte per number,
with a range per vector (row-wise quantisation). `folded` uses that the first layer is linear: the product of a leaf's
vector and its tree's rows of the first layer is constant per leaf. So scoring a candidate only sums one such vector
per tree.
"""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker import keys
from ranker.config.serving import LeafTable
from ranker.export.served_towers import ServedTowers
from ranker.forest.graph import ForestLeaves
from ranker.forest.graph.codes import CODES, ForestCodes, has_codes
from ranker.forest.margins import ForestMargins
from ranker.towers.inputs import TowerBatch
from ranker.towers.network import TwoTowerNetwork

_LEVELS = 255


class TrainedLogits(tf.Module):
    """The log-odds with the leaf table as trained.

    Args:
        network: the fitted towers.
        leaves: the forest in the graph.
        margins: the forest's own log-odds; None to use the towers' alone.
        share: the weight of those margins; the towers' weight is 1 minus it.
        dtype: of the table, and of its product with the first layer.
    """

    def __init__(
        self,
        network: TwoTowerNetwork,
        leaves: ForestLeaves,
        margins: ForestMargins | None = None,
        share: float = 0.0,
        dtype: tf.DType = tf.float32,
    ) -> None:
        super().__init__(name="logits")
        self._dtype = dtype
        self._keep_forest(leaves)
        self._first_leaf = leaves.first_leaf
        self._trees = len(self._first_leaf) - 1
        table = network.leaf_embedding.embeddings.numpy()
        self._width = self._trees * table.shape[1]
        objectives = sum(map(len, network.tower_objectives))
        added = np.zeros(objectives, np.float32) if margins is None else share * margins.base
        weight = 1.0 if margins is None else 1.0 - share
        self._towers = ServedTowers(network, self._width, weight, added.astype(np.float32))
        self._with_margins = margins is not None
        if margins is not None:
            self._keep_margins(share * margins.leaf_value, margins.tree_output, objectives)
        self._keep_leaves(table, self._towers.leaf_kernel)

    def __call__(self, batch: TowerBatch) -> tf.Tensor:
        """The towers' inputs → log-odds [batch, objectives]."""
        leaves = batch[keys.LEAVES]
        logits = self._towers(self._of_leaves(leaves), batch)
        return logits + self._margins(leaves) if self._with_margins else logits

    def of_features(self, features: tf.Tensor, batch: TowerBatch) -> tf.Tensor:
        """The forest's features, and the towers' inputs without the leaves → the same."""
        return self({**batch, keys.LEAVES: self._leaves(features)})

    def _keep_forest(self, leaves: ForestLeaves) -> None:
        """Stores what `of_features` needs of the forest."""
        self._leaves = leaves

    def _keep_margins(self, values: NDArray[np.float32], tree_output: NDArray[np.int32], objectives: int) -> None:
        """Stores the variables that `_margins` needs, from each leaf's value."""
        self._values = _variable(values, "values")
        self._to_output = tf.constant(np.eye(objectives, dtype=np.float32)[tree_output])

    def _margins(self, leaves: tf.Tensor) -> tf.Tensor:
        return tf.gather(tf.convert_to_tensor(self._values), leaves) @ self._to_output

    def _keep_leaves(self, table: NDArray[np.float32], kernel: NDArray[np.float32]) -> None:
        """Stores the variables that `_of_leaves` needs, from the leaf table and the kernel's rows for it."""
        self._table = _variable(table, "table", self._dtype)
        self._leaf_kernel = _variable(kernel, "leaf_kernel", self._dtype)

    def _of_leaves(self, leaves: tf.Tensor) -> tf.Tensor:
        """Leaves [batch, trees] → their part of the first layer's output."""
        return self._times_kernel(tf.gather(tf.convert_to_tensor(self._table), leaves))

    def _times_kernel(self, vectors: tf.Tensor) -> tf.Tensor:
        """Vectors [batch, trees, size] → the same."""
        return tf.cast(tf.reshape(vectors, [-1, self._width]) @ self._leaf_kernel, tf.float32)


class CodedLogits(TrainedLogits):
    """The same with leaf vectors and values by group of trees and code, where the forest is read from its features."""

    def of_features(self, features: tf.Tensor, batch: TowerBatch) -> tf.Tensor:
        """See `TrainedLogits`."""
        codes = self._codes(features) + self._first_of_group
        logits = self._towers(self._times_kernel(tf.gather(tf.convert_to_tensor(self._code_table), codes)), batch)
        if not self._with_margins:
            return logits
        return logits + tf.gather(tf.convert_to_tensor(self._code_values), codes) @ self._group_to_output

    def _keep_forest(self, leaves: ForestLeaves) -> None:
        self._codes = ForestCodes(leaves.forest)
        self._leaf_of_code = self._codes.leaves()
        self._order = self._codes.trees.reshape(-1)
        self._first_of_group = tf.constant(CODES * np.arange(self._codes.groups, dtype=np.int32))

    def _keep_margins(self, values: NDArray[np.float32], tree_output: NDArray[np.int32], objectives: int) -> None:
        super()._keep_margins(values, tree_output, objectives)
        of_code = np.append(values, np.float32(0))[self._leaf_of_code].sum(axis=2)
        self._code_values = _variable(of_code.reshape(-1), "code_values")
        groups = tree_output[self._codes.trees[:, 0]]
        self._group_to_output = tf.constant(np.eye(objectives, dtype=np.float32)[groups])

    def _keep_leaves(self, table: NDArray[np.float32], kernel: NDArray[np.float32]) -> None:
        """One kernel, whose rows are in the order of the groups, and both tables."""
        size = table.shape[1]
        nothing = np.zeros((1, size), np.float32)
        table = np.concatenate([table, nothing])
        by_tree = np.concatenate([kernel.reshape(self._trees, size, -1), np.zeros((1, size, kernel.shape[1]))])
        self._width = len(self._order) * size
        super()._keep_leaves(table, by_tree[self._order].reshape(self._width, -1))
        of_code = table[self._leaf_of_code].reshape(self._codes.groups * CODES, -1)
        self._code_table = _variable(of_code, "code_table", self._dtype)

    def _of_leaves(self, leaves: tf.Tensor) -> tf.Tensor:
        # A place without a tree takes the vector after the last leaf's, which is 0.
        none = tf.fill(tf.stack([tf.shape(leaves)[0], 1]), self._first_leaf[-1])
        return super()._of_leaves(tf.gather(tf.concat([leaves, none], axis=1), self._order % (self._trees + 1), axis=1))


class QuantisedLogits(TrainedLogits):
    """Logits from leaf vectors of one byte per number; the error of a number is about 1/510 of its vector's range."""

    def _keep_leaves(self, table: NDArray[np.float32], kernel: NDArray[np.float32]) -> None:
        codes, steps = quantise(table)
        self._bytes = tf.Variable(codes, trainable=False, name="bytes")
        self._steps = tf.Variable(steps, trainable=False, name="steps")
        self._leaf_kernel = tf.Variable(kernel, trainable=False, name="leaf_kernel")

    def _of_leaves(self, leaves: tf.Tensor) -> tf.Tensor:
        steps = tf.cast(tf.gather(tf.convert_to_tensor(self._steps), leaves), tf.float32)
        vectors = (
            tf.cast(tf.gather(tf.convert_to_tensor(self._bytes), leaves), tf.float32) * steps[..., :1] + steps[..., 1:]
        )
        return self._times_kernel(vectors)


class FoldedLogits(TrainedLogits):
    """Logits from leaf vectors that are already multiplied by the first layer."""

    def _keep_leaves(self, table: NDArray[np.float32], kernel: NDArray[np.float32]) -> None:
        by_tree = np.split(kernel, self._trees)
        leaves = np.split(table, self._first_leaf[1:-1])
        folded = [vectors @ rows for vectors, rows in zip(leaves, by_tree, strict=True)]
        self._folded = tf.Variable(np.concatenate(folded), trainable=False, name="folded")

    def _of_leaves(self, leaves: tf.Tensor) -> tf.Tensor:
        return tf.raw_ops.SparseSegmentSum(
            data=self._folded,
            indices=tf.reshape(leaves, [-1]),
            segment_ids=tf.repeat(tf.range(tf.shape(leaves)[0]), self._trees),
        )


class LeaflessLogits(tf.Module):
    """The log-odds of towers that read no leaves."""

    def __init__(self, network: TwoTowerNetwork) -> None:
        super().__init__(name="logits")
        nothing = np.zeros(sum(map(len, network.tower_objectives)), np.float32)
        self._towers = ServedTowers(network, 0, 1.0, nothing)

    def __call__(self, batch: TowerBatch) -> tf.Tensor:
        """See `TrainedLogits`."""
        return self._towers(tf.constant(0.0), batch)

    def of_features(self, features: tf.Tensor, batch: TowerBatch) -> tf.Tensor:
        """See `TrainedLogits`."""
        return self(batch)


def make_logits(
    network: TwoTowerNetwork,
    table: LeafTable,
    leaves: ForestLeaves,
    margins: ForestMargins | None = None,
    share: float = 0.0,
) -> TrainedLogits | LeaflessLogits:
    """The log-odds with the leaf table in the given form; see `TrainedLogits`."""
    if not leaves.forest.trees:
        return LeaflessLogits(network)
    match table:
        case "float32" | "bfloat16":
            logits = CodedLogits if has_codes(leaves.forest) else TrainedLogits
            return logits(network, leaves, margins, share, tf.as_dtype(table))
        case "int8":
            return QuantisedLogits(network, leaves, margins, share)
        case "folded":
            return FoldedLogits(network, leaves, margins, share)


def quantise(vectors: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """Vectors [rows, size] → codes uint8 [rows, size], and step and lowest value of each row, float16 [rows, 2]."""
    low = vectors.min(axis=1, keepdims=True).astype(np.float16)
    # Rounded up, so that the largest value does not exceed the last code.
    step = np.nextafter(((vectors.max(axis=1, keepdims=True) - low) / _LEVELS).astype(np.float16), np.float16(np.inf))
    codes = np.rint((vectors - low.astype(np.float32)) / step.astype(np.float32))
    return np.clip(codes, 0, _LEVELS).astype(np.uint8), np.concatenate([step, low], axis=1)


def _variable(values: NDArray[Any], name: str, dtype: tf.DType = tf.float32) -> tf.Variable:
    return tf.Variable(tf.cast(values.astype(np.float32), dtype), trainable=False, name=name)
