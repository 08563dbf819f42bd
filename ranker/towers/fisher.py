"""The exact diagonal of the towers' empirical Fisher information, in about the time of one training step per batch.

For weight w it is the mean over impressions of (d loss / d w)², where the loss is the impression's cross entropy summed
over the objectives. A batch's gradient is a sum over impressions, and its square is not the sum of their squares. But
where a layer computes z = x W, one impression's gradient is the outer product of its input x and of d loss / d z. Its
square is the outer product of their squares, and summing these over a batch is one more matrix product (Goodfellow,
"Efficient per-example gradient computations", 2015). A weight of the calibration affects only one logit of an
impression, so (d loss / d w)² is (d loss / d logit)² times (d logit / d w)².
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from ranker import keys
from ranker.towers.blend import Blend
from ranker.towers.first_layer import SideBySide
from ranker.towers.ids import IdEmbedding
from ranker.towers.inputs import TowerBatch, TowerInputs
from ranker.towers.isotonic import IsotonicCalibration
from ranker.towers.members import MemberDense, MemberScale
from ranker.towers.network import TwoTowerNetwork, laid_side_by_side
from ranker.towers.relevance import examined

_Pass = tuple[Any, Any, list[tf.Tensor]]  # a layer, its input, and its outputs


def fisher_diagonal(
    network: TwoTowerNetwork,
    batches: Iterable[TowerBatch],
    inputs: TowerInputs,
    rows: int,
    blend: Blend | None = None,
    examination: bool = False,
    weighted: bool = False,
) -> tuple[NDArray[np.float32], ...]:
    """The diagonal for each of `network.trainable_weights`, with the same shapes.

    Batch normalisation and dropout run in inference mode.

    Args:
        network: fitted towers.
        batches: with labels, as `data.training_batches` yields them.
        inputs: sizes of the batch's tensors.
        rows: impressions to average over; all of them where the batches hold fewer.
        blend: computes the logits of the loss; None uses the towers' own logits.
        examination: whether the batches have `keys.LOG_EXAMINATION`.
        weighted: whether the batches have `keys.LOSS_WEIGHTS`.

    Raises:
        ValueError: there is no impression.
    """
    objectives = sum(len(indices) for indices in network.tower_objectives)
    specs = {**inputs.tensor_specs(), keys.LABELS: tf.TensorSpec([None, objectives], tf.float32)}
    if examination:
        specs[keys.LOG_EXAMINATION] = tf.TensorSpec([None, 1], tf.float32)
    if weighted:
        specs[keys.LOSS_WEIGHTS] = tf.TensorSpec([None, objectives], tf.float32)
    squares = tf.function(_Squares(network, blend).of_batch, input_signature=[specs], autograph=False)
    sums = [np.zeros(weight.shape) for weight in network.trainable_weights]
    seen = 0
    for batch in batches:
        kept = {name: batch[name][: rows - seen] for name in specs}
        for total, part in zip(sums, squares(kept), strict=True):
            total += part.numpy()
        seen += len(kept[keys.LABELS])
        if seen >= rows:
            break
    if seen == 0:
        raise ValueError("fisher information: there is no impression to average over")
    return tuple((total / seen).astype(np.float32) for total in sums)


class _Squares:
    """Sums the squared gradients of the impressions over a batch.

    A forward pass records the input and output of every layer with weights. The gradient with respect to the output
    then has one row per impression, since no layer mixes impressions.
    """

    def __init__(self, network: TwoTowerNetwork, blend: Blend | None) -> None:
        self._network = network
        self._blend = blend

    def of_batch(self, batch: TowerBatch) -> list[tf.Tensor]:
        """The sums: one tensor per trainable weight, with its shape."""
        passes: list[_Pass] = []
        with tf.GradientTape() as tape:
            # The outputs depend on variables, which the tape watches, so it can differentiate by the outputs too.
            logits = self._forward(batch, passes)
            if self._blend is not None:
                logits = self._blend(logits, batch[keys.LEAVES])
            logits = examined(logits, batch)
            losses = tf.nn.sigmoid_cross_entropy_with_logits(batch[keys.LABELS], logits)
            loss = tf.reduce_sum(losses * batch[keys.LOSS_WEIGHTS] if keys.LOSS_WEIGHTS in batch else losses)
        outputs = [output for _, _, layer_outputs in passes for output in layer_outputs]
        slopes = iter(tape.gradient(loss, outputs))
        sums: dict[int, tf.Tensor] = {}
        for layer, x, layer_outputs in passes:
            squares = [tf.square(next(slopes)) for _ in layer_outputs]
            for weight, total in _per_weight(layer, x, squares):
                sums[id(weight)] = total
        weights = self._network.trainable_weights
        if unknown := [weight.path for weight in weights if id(weight) not in sums]:
            raise NotImplementedError(f"fisher information: no rule for the weights {unknown}")
        return [sums[id(weight)] for weight in weights]

    def _forward(self, batch: TowerBatch, passes: list[_Pass]) -> tf.Tensor:
        """The network's `call`, one layer at a time; returns the logits [batch, objectives]."""
        network = self._network
        run = partial(_through, passes)
        parts = network.beside_leaves(batch, run)
        if network.leaf_embedding is not None:
            parts = [laid_side_by_side(run(network.leaf_embedding, batch[keys.LEAVES])), *parts]
        common = ops.concatenate(parts, axis=1)
        hidden = network.first_layer([common])
        passes.append((network.first_layer, common, hidden))
        logits = network.in_config_order([run(tower, h) for tower, h in zip(network.towers, hidden, strict=True)])
        calibrated = network.calibrated(logits, batch)
        if network.calibration is not None:
            passes.append((network.calibration, (logits, network.calibration_key(batch)), [calibrated]))
        return calibrated


def _through(passes: list[_Pass], layers: Any, x: tf.Tensor) -> tf.Tensor:
    """The output of one layer or of several in sequence; each layer's pass is recorded."""
    for layer in layers.layers if isinstance(layers, keras.Sequential) else [layers]:
        output = layer(x, training=False)
        if layer.trainable_weights:
            passes.append((layer, x, [output]))
        x = output
    return x


def _per_weight(layer: Any, x: Any, squares: list[tf.Tensor]) -> list[tuple[Any, tf.Tensor]]:
    """Each weight of a layer with the sum over the batch of its squared gradients.

    Args:
        layer: a layer of the network.
        x: its input, [batch, …], or several such tensors.
        squares: the squared gradient with respect to each of its outputs, [batch, units]; of an embedding
            [batch, columns, size]; of a member's layer [members, batch, units].
    """
    match layer:
        case keras.layers.Embedding():
            # A row never has an id twice, as each column has its own ids.
            [square] = squares
            ids, size = layer.embeddings.shape
            by_id = tf.math.unsorted_segment_sum(tf.reshape(square, [-1, size]), tf.reshape(x, [-1]), ids)
            return [(layer.embeddings, by_id)]
        case IdEmbedding():
            [square] = squares
            count, size = layer.table.shape
            of_rows = tf.repeat(square * layer.known(x), 2, axis=0)
            by_row = tf.math.unsorted_segment_sum(of_rows, tf.reshape(layer.rows(x), [-1]), count)
            return [(layer.table, tf.ensure_shape(by_row, [count, size]))]
        case SideBySide():
            kernels = [_of_kernel(x, square) for square in squares]
            biases = [ops.sum(square, axis=0) for square in squares]
            return [*zip(layer.kernels, kernels, strict=True), *zip(layer.biases, biases, strict=True)]
        case keras.layers.Dense():
            [square] = squares
            bias = [(layer.bias, ops.sum(square, axis=0))] if layer.use_bias else []
            return [(layer.kernel, _of_kernel(x, square)), *bias]
        case MemberScale():
            [square] = squares
            return [(layer.scale, ops.sum(square * x * x, axis=1)), (layer.shift, ops.sum(square, axis=1))]
        case MemberDense():
            [square] = squares
            return [(layer.kernel, _of_kernel(x, square)), (layer.bias, ops.sum(square, axis=1))]
        case keras.layers.BatchNormalization():
            [square] = squares
            normalised = (x - layer.moving_mean) * ops.rsqrt(layer.moving_variance + layer.epsilon)
            gamma = ops.sum(square * normalised * normalised, axis=0)
            return [(layer.gamma, gamma), (layer.beta, ops.sum(square, axis=0))]
        case IsotonicCalibration():
            [square] = squares
            slopes = square[..., None] * tf.square(layer.by_slope_weights(*x))
            return [
                *_with_its_key(layer.slopes, layer.key_slopes, slopes, x[1]),
                *_with_its_key(layer.bias, layer.key_bias, square, x[1]),
            ]
    return []


def _with_its_key(weight: Any, key_weight: Any, squares: tf.Tensor, key: Any) -> list[tuple[Any, tf.Tensor]]:
    """A weight of the calibration and its counterpart by key, each with the sum of the impressions' squares."""
    of_all = [(weight, ops.sum(squares, axis=0))]
    if key_weight is None:
        return of_all
    return [*of_all, (key_weight, tf.math.unsorted_segment_sum(squares, key[:, 0], key_weight.shape[0]))]


def _of_kernel(x: tf.Tensor, square: tf.Tensor) -> tf.Tensor:
    return tf.matmul(x * x, square, transpose_a=True)
