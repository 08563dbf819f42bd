"""The network without its leaf embeddings as few and large operations: what is known at export is folded.

Both towers and all members of their ensembles are one batched product per layer. A normalisation and the projection
after it are one affine map. The mean over the members, the order of the objectives and the weight of the towers in the
blend are folded into the last layer.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker import keys
from ranker.towers.inputs import TowerBatch
from ranker.towers.members import MemberDense, MemberScale
from ranker.towers.network import TwoTowerNetwork, laid_side_by_side

Floats = NDArray[np.float32]


class ServedTowers(tf.Module):
    """From the first layer's product of the leaves to logits.

    Args:
        network: the fitted towers.
        leaf_width: numbers of the leaf vectors of a row.
        weight: of the towers' logits in the result.
        added: [objectives], is added to the weighted logits.

    Attributes:
        leaf_kernel: float32 [leaf_width, units], the first layer's rows for the leaf vectors; no part of the module.
    """

    def __init__(self, network: TwoTowerNetwork, leaf_width: int, weight: float, added: Floats) -> None:
        super().__init__(name="towers")
        first = network.first_layer
        kernel = np.concatenate([k.numpy() for k in first.kernels], axis=1)
        self.leaf_kernel = kernel[:leaf_width].copy()
        self._kernel = _variable(kernel[leaf_width:], "kernel")
        self._bias = _variable(np.concatenate([b.numpy() for b in first.biases]), "bias")
        self._towers = len(network.towers)
        self._numeric = network.numeric
        self._dense = {
            name: _Affine(layer, name) for name, layer in zip(network.dense_names, network.dense_inputs, strict=True)
        }
        if network.category_embedding is not None:
            self._first_codes = tf.constant(network.first_codes, tf.int64)
            self._categories = _variable(network.category_embedding.embeddings.numpy(), "categories")
        self._categorical = network.category_embedding is not None
        self._buckets = [layer.buckets for layer in network.id_embeddings]
        self._ids = [
            _variable(_with_unknown(layer.table.numpy()), f"ids_{number}")
            for number, layer in enumerate(network.id_embeddings)
        ]
        self._id_pairs = network.id_pairs
        self._crossed = network.cross is not None
        if network.cross is not None:
            down, up = network.cross.layers
            self._down = _variable(down.kernel.numpy(), "cross_down")
            self._up = _variable(up.kernel.numpy(), "cross_up")
            self._up_bias = _variable(up.bias.numpy(), "cross_bias")
        layers = [_weighted(tower) for tower in network.towers]
        self._members = 1
        if isinstance(layers[0][0], MemberScale):
            scales = [tower.pop(0) for tower in layers]
            self._members = int(scales[0].scale.shape[0])
            self._scale = _variable(np.stack([s.scale.numpy() for s in scales])[:, :, np.newaxis], "scale")
            self._shift = _variable(np.stack([s.shift.numpy() for s in scales])[:, :, np.newaxis], "shift")
        *hidden, last = zip(*layers, strict=True)
        # Keras models as attributes would add signatures of their own; only the calibration's weights are needed.
        self._calibrated: Callable[[tf.Tensor, TowerBatch], tf.Tensor] = lambda logits, batch: network.calibrated(
            logits, batch
        )
        self._has_calibration = network.calibration is not None
        self._weight, self._added = weight, tf.constant(added)
        if network.calibration is not None:
            self._calibration = [v.value for v in network.calibration.weights]
            weight, added = 1.0, np.zeros_like(added)
        self._kernels = []
        self._biases = []
        for number, of_towers in enumerate(hidden):
            self._kernels.append(
                _variable(np.concatenate([_kernels(layer) for layer in of_towers]), f"kernel_{number}")
            )
            self._biases.append(_variable(np.concatenate([_biases(layer) for layer in of_towers]), f"bias_{number}"))
        kernels, bias = _last(last, network.tower_objectives, self._members)
        self._kernels.append(_variable(weight * kernels, "kernel_of_logits"))
        self._biases.append(_variable(weight * bias + added, "bias_of_logits"))

    def __call__(self, of_leaves: tf.Tensor, batch: TowerBatch) -> tf.Tensor:
        """The leaves' part of the first layer's output, [batch, units], and the other inputs → [batch, objectives]."""
        product = of_leaves + self._bias
        parts = self._beside(batch)
        if parts:
            beside = tf.concat(parts, axis=1) if len(parts) > 1 else parts[0]
            if self._crossed:
                beside += beside * (beside @ self._down @ self._up + self._up_bias)
            product += beside @ self._kernel
        logits = self._behind_first(product)
        return self._weight * self._calibrated(logits, batch) + self._added if self._has_calibration else logits

    def _beside(self, batch: TowerBatch) -> list[tf.Tensor]:
        """In the order of the network's `beside_leaves`."""
        parts = [affine(batch[name]) for name, affine in self._dense.items()]
        if self._numeric:
            parts.append(batch[keys.NUMERIC])
        if self._categorical:
            vectors = tf.gather(tf.convert_to_tensor(self._categories), batch[keys.CATEGORICAL] + self._first_codes)
            parts.append(laid_side_by_side(vectors))
        ids = [
            tf.reduce_sum(
                tf.gather(
                    tf.convert_to_tensor(table),
                    batch[keys.HASHED_IDS][:, 2 * i : 2 * i + 2] + tf.constant([0, buckets + 1], tf.int64),
                ),
                axis=1,
            )
            for i, (table, buckets) in enumerate(zip(self._ids, self._buckets, strict=True))
        ]
        return [*parts, *ids, *(ids[first] * ids[second] for first, second in self._id_pairs)]

    def _behind_first(self, product: tf.Tensor) -> tf.Tensor:
        """The first layer's output [batch, towers * units] → [batch, objectives]."""
        units = product.shape[1] // self._towers
        many = self._towers * self._members
        x = product
        if self._towers > 1:
            x = tf.transpose(tf.reshape(x, [-1, self._towers, units]), [1, 0, 2])
        if self._members > 1:
            x = tf.reshape(x, tf.stack([self._towers, 1, tf.shape(product)[0], units])) * self._scale + self._shift
            x = tf.reshape(x, tf.stack([many, tf.shape(product)[0], units]))
        if many == 1:
            kernels = [tf.squeeze(kernel, 0) for kernel in self._kernels]
            biases = [*(tf.reshape(bias, [-1]) for bias in self._biases[:-1]), self._biases[-1]]
        else:
            kernels, biases = self._kernels, self._biases
        for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):
            x = tf.matmul(tf.nn.relu(x), kernel) + bias
        logits = tf.matmul(tf.nn.relu(x), kernels[-1])
        return (logits if many == 1 else tf.reduce_sum(logits, axis=0)) + biases[-1]


def _with_unknown(table: Floats) -> Floats:
    """Both tables with a row of zeros at the end of each, for a missing id."""
    rows, size = len(table) // 2, table.shape[1]
    return np.pad(table.reshape(2, rows, size), ((0, 0), (0, 1), (0, 0))).reshape(-1, size)


class _Affine(tf.Module):
    """A dense embedding's layers as one product, or as a scale and a shift where there is no projection."""

    def __init__(self, layers: keras.Sequential, name: str) -> None:
        super().__init__(name="dense_input")
        scale: Any = np.float64(1.0)
        shift: Any = np.float64(0.0)
        kernel: Any = None
        for layer in layers.layers:
            match layer:
                case keras.layers.BatchNormalization():
                    scale = np.float64(layer.gamma.numpy()) / np.sqrt(
                        np.float64(layer.moving_variance.numpy()) + layer.epsilon
                    )
                    shift = layer.beta.numpy() - layer.moving_mean.numpy() * scale
                case keras.layers.Dense():
                    kernel = np.float64(layer.kernel.numpy())
                    shift = shift @ kernel + layer.bias.numpy() if np.ndim(shift) else layer.bias.numpy()
                    kernel = kernel * scale[:, np.newaxis] if np.ndim(scale) else kernel
                case keras.layers.Identity():
                    pass
                case _:
                    raise TypeError(f"{name}: {layer} cannot be folded")
        self._product = kernel is not None
        self._factor = _variable(scale if kernel is None else kernel, "factor")
        self._shift = _variable(shift, "shift")

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """Vectors [batch, size] → the towers' input [batch, width]."""
        return (x @ self._factor if self._product else x * self._factor) + self._shift


def _weighted(tower: keras.Sequential) -> list[Any]:
    """The layers with weights, between which there are activations."""
    found: list[Any] = []
    for layer in tower.layers:
        if isinstance(layer, (MemberScale, MemberDense, keras.layers.Dense)):
            found.append(layer)
        elif not isinstance(layer, (keras.layers.ReLU, keras.layers.Dropout)):
            raise TypeError(f"{tower.name}: {layer} cannot be folded")
    return found


def _kernels(layer: Any) -> Floats:
    """[members, width, units]."""
    kernel = layer.kernel.numpy()
    return kernel if isinstance(layer, MemberDense) else kernel[np.newaxis]


def _biases(layer: Any) -> Floats:
    """[members, 1, units]."""
    bias = layer.bias.numpy()
    return bias[:, np.newaxis] if isinstance(layer, MemberDense) else bias[np.newaxis, np.newaxis]


def _last(layers: Sequence[Any], objectives: Sequence[Sequence[int]], members: int) -> tuple[Floats, Floats]:
    """The last layers' kernels [towers * members, width, objectives] and bias [objectives], as parts of a mean."""
    total = sum(map(len, objectives))
    parts, bias = [], np.zeros(total, np.float32)
    for layer, indices in zip(layers, objectives, strict=True):
        own = _kernels(layer)
        placed = np.zeros((*own.shape[:2], total), np.float32)
        placed[:, :, list(indices)] = own / members
        parts.append(placed)
        bias[list(indices)] = _biases(layer).mean(axis=(0, 1))
    return np.concatenate(parts), bias


def _variable(values: Any, name: str) -> tf.Variable:
    return tf.Variable(np.asarray(values, np.float32), trainable=False, name=name)
