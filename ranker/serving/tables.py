"""The towers' logits from other forms of the leaf table, made at export.

`int8` keeps each leaf's vector as one byte a number, with the vector's own range (row-wise quantisation). `folded` uses
that the first layer is linear: a leaf's vector times its tree's rows of the first layer is a constant of the leaf, so
all that is left to do for a candidate is to add up one such vector a tree.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.config import LeafTable
from ranker import keys
from ranker.towers.inputs import Batch
from ranker.towers.network import TwoTowerNetwork

_LEVELS = 255


class TrainedLogits(tf.Module):
    """The network's logits as they were trained.

    Args:
        network: the fitted towers.
        unused: variables of the network that a subclass has in another form, and that need not be kept.
    """

    def __init__(self, network: TwoTowerNetwork, unused: tuple[keras.Variable, ...] = ()) -> None:
        super().__init__(name="logits")
        # A Keras model as an attribute would bring along a signature of its own; its weights are all that is needed.
        self._network: Callable[[], TwoTowerNetwork] = lambda: network
        self._weights = [v.value for v in network.variables if not any(v is other for other in unused)]

    def __call__(self, batch: Batch) -> tf.Tensor:
        """A batch as the towers read it → logits [batch, objectives]."""
        return self._network().call(batch, training=False)

    def _after_first_layer(self, hidden: list[tf.Tensor]) -> tf.Tensor:
        network = self._network()
        return network.in_config_order(
            [tower(h, training=False) for tower, h in zip(network.towers, hidden, strict=True)]
        )

    def _side_by_side(self, leaves: tf.Tensor, batch: Batch) -> tf.Tensor:
        network = self._network()
        pairs = zip(network.dense_names, network.dense_inputs, strict=True)
        return network.side_by_side(leaves, [layer(batch[name], training=False) for name, layer in pairs], batch)


class QuantisedLogits(TrainedLogits):
    """Logits from leaf vectors of one byte a number; a number is off by about 1/510 of its vector's range."""

    def __init__(self, network: TwoTowerNetwork) -> None:
        super().__init__(network, unused=(network.leaf_embedding.table,))
        codes, steps = quantise(network.leaf_embedding.table.numpy())
        self._codes = tf.Variable(codes, trainable=False, name="codes")
        self._steps = tf.Variable(steps, trainable=False, name="steps")

    def __call__(self, batch: Batch) -> tf.Tensor:
        """See `TrainedLogits`."""
        leaves = batch[keys.LEAVES]
        steps = tf.cast(tf.gather(self._steps, leaves), tf.float32)
        vectors = tf.cast(tf.gather(self._codes, leaves), tf.float32) * steps[..., :1] + steps[..., 1:]
        common = self._side_by_side(tf.reshape(vectors, [-1, leaves.shape[1] * self._codes.shape[1]]), batch)
        return self._after_first_layer(self._network().first_layer(common))


class FoldedLogits(TrainedLogits):
    """Logits from leaf vectors that the first layer has been multiplied into.

    Args:
        network: the fitted towers.
        first_leaf: int32 [trees + 1], where each tree's leaves begin.
    """

    def __init__(self, network: TwoTowerNetwork, first_leaf: NDArray[np.int32]) -> None:
        first, table = network.first_layer, network.leaf_embedding.table
        super().__init__(network, unused=(table, *first.kernels, *first.biases))
        self._towers = len(first.kernels)
        kernel = np.concatenate([k.numpy() for k in first.kernels], axis=1)
        vectors, size = table.numpy(), table.shape[1]
        trees = len(first_leaf) - 1
        folded = [
            vectors[first_leaf[tree] : first_leaf[tree + 1]] @ kernel[tree * size : (tree + 1) * size]
            for tree in range(trees)
        ]
        self._folded = tf.Variable(np.concatenate(folded), trainable=False, name="folded")
        self._kernel = tf.Variable(kernel[trees * size :], trainable=False, name="kernel")
        self._bias = tf.Variable(np.concatenate([b.numpy() for b in first.biases]), trainable=False, name="bias")

    def __call__(self, batch: Batch) -> tf.Tensor:
        """See `TrainedLogits`."""
        leaves = batch[keys.LEAVES]
        rows = tf.shape(leaves)[0]
        of_leaves = tf.raw_ops.SparseSegmentSum(
            data=self._folded,
            indices=tf.reshape(leaves, [-1]),
            segment_ids=tf.repeat(tf.range(rows), leaves.shape[1]),
        )
        others = self._side_by_side(tf.zeros([rows, 0]), batch)
        product = of_leaves + others @ self._kernel + self._bias
        return self._after_first_layer(tf.split(product, self._towers, axis=1))


def make_logits(network: TwoTowerNetwork, table: LeafTable, first_leaf: NDArray[np.int32]) -> TrainedLogits:
    """The logits with the leaf table in the form asked for."""
    match table:
        case "float32":
            return TrainedLogits(network)
        case "int8":
            return QuantisedLogits(network)
        case "folded":
            return FoldedLogits(network, first_leaf)


def quantise(vectors: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """Vectors [rows, size] → codes uint8 [rows, size], and float16 [rows, 2], each row's step and lowest value."""
    low = vectors.min(axis=1, keepdims=True).astype(np.float16)
    # Rounded up, so that the largest value is not beyond the last code.
    step = np.nextafter(((vectors.max(axis=1, keepdims=True) - low) / _LEVELS).astype(np.float16), np.float16(np.inf))
    codes = np.rint((vectors - low.astype(np.float32)) / step.astype(np.float32))
    return np.clip(codes, 0, _LEVELS).astype(np.uint8), np.concatenate([step, low], axis=1)
