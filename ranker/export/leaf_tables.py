"""The towers' logits with the leaf embedding table in other forms, converted at export.

`int8` stores one byte per number of a leaf's vector, with a range per vector (row-wise quantisation). `folded` uses
that the first layer is linear: the product of a leaf's vector and its tree's rows of the first layer is constant per
leaf. So scoring a candidate only sums one such vector per tree.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker import keys
from ranker.config.serving import LeafTable
from ranker.towers.inputs import TowerBatch
from ranker.towers.network import TwoTowerNetwork

_LEVELS = 255


class TrainedLogits(tf.Module):
    """The network's logits with the leaf table as trained.

    The towers' first-layer kernels are concatenated into one kernel, which is split into two variables: the rows for
    the leaf vectors and the rows for all other inputs. The network itself concatenates kernels and inputs for every
    batch, which takes as long as a tower.

    Args:
        network: the fitted towers.
        first_leaf: int32 [trees + 1], the first leaf id of each tree.
    """

    def __init__(self, network: TwoTowerNetwork, first_leaf: NDArray[np.int32]) -> None:
        super().__init__(name="logits")
        # A Keras model as an attribute would add its own signature to the export; only its weights are needed.
        self._network: Callable[[], TwoTowerNetwork] = lambda: network
        first, table = network.first_layer, network.leaf_embedding.embeddings
        elsewhere = {id(variable) for variable in (table, *first.kernels, *first.biases)}
        # Not its variables: the random states of dropout are among them, whose names differ from process to process.
        self._weights = [v.value for v in network.weights if id(v) not in elsewhere]
        self._first_leaf = first_leaf
        self._trees, self._towers = len(first_leaf) - 1, len(first.kernels)
        self._width = self._trees * table.shape[1]
        kernel = np.concatenate([k.numpy() for k in first.kernels], axis=1)
        self._keep_leaves(table.numpy(), kernel[: self._width])
        self._kernel = tf.Variable(kernel[self._width :], trainable=False, name="kernel")
        self._bias = tf.Variable(np.concatenate([b.numpy() for b in first.biases]), trainable=False, name="bias")

    def __call__(self, batch: TowerBatch) -> tf.Tensor:
        """The towers' inputs → logits [batch, objectives]."""
        network, leaves = self._network(), batch[keys.LEAVES]
        product = self._of_leaves(leaves) + self._bias
        for beside in network.beside_leaves(batch, lambda layer, x: layer(x, training=False)):
            product += beside @ self._kernel
        hidden = tf.split(product, self._towers, axis=1)
        logits = network.in_config_order(
            [tower(h, training=False) for tower, h in zip(network.towers, hidden, strict=True)]
        )
        return network.calibrated(logits, batch)

    def _keep_leaves(self, table: NDArray[np.float32], kernel: NDArray[np.float32]) -> None:
        """Stores the variables that `_of_leaves` needs, from the leaf table and the kernel's rows for it."""
        self._table = tf.Variable(table, trainable=False, name="table")
        self._leaf_kernel = tf.Variable(kernel, trainable=False, name="leaf_kernel")

    def _of_leaves(self, leaves: tf.Tensor) -> tf.Tensor:
        """Leaves [batch, trees] → their part of the first layer's output."""
        return self._times_kernel(tf.gather(self._table, leaves))

    def _times_kernel(self, vectors: tf.Tensor) -> tf.Tensor:
        """Vectors [batch, trees, size] → the same."""
        return tf.reshape(vectors, [-1, self._width]) @ self._leaf_kernel


class QuantisedLogits(TrainedLogits):
    """Logits from leaf vectors of one byte per number; the error of a number is about 1/510 of its vector's range."""

    def _keep_leaves(self, table: NDArray[np.float32], kernel: NDArray[np.float32]) -> None:
        codes, steps = quantise(table)
        self._codes = tf.Variable(codes, trainable=False, name="codes")
        self._steps = tf.Variable(steps, trainable=False, name="steps")
        self._leaf_kernel = tf.Variable(kernel, trainable=False, name="leaf_kernel")

    def _of_leaves(self, leaves: tf.Tensor) -> tf.Tensor:
        steps = tf.cast(tf.gather(self._steps, leaves), tf.float32)
        vectors = tf.cast(tf.gather(self._codes, leaves), tf.float32) * steps[..., :1] + steps[..., 1:]
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


def make_logits(network: TwoTowerNetwork, table: LeafTable, first_leaf: NDArray[np.int32]) -> TrainedLogits:
    """The logits with the leaf table in the given form."""
    match table:
        case "float32":
            return TrainedLogits(network, first_leaf)
        case "int8":
            return QuantisedLogits(network, first_leaf)
        case "folded":
            return FoldedLogits(network, first_leaf)


def quantise(vectors: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """Vectors [rows, size] → codes uint8 [rows, size], and step and lowest value of each row, float16 [rows, 2]."""
    low = vectors.min(axis=1, keepdims=True).astype(np.float16)
    # Rounded up, so that the largest value does not exceed the last code.
    step = np.nextafter(((vectors.max(axis=1, keepdims=True) - low) / _LEVELS).astype(np.float16), np.float16(np.inf))
    codes = np.rint((vectors - low.astype(np.float32)) / step.astype(np.float32))
    return np.clip(codes, 0, _LEVELS).astype(np.uint8), np.concatenate([step, low], axis=1)
