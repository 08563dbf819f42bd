"""Layers of an ensemble inside a tower.

The members of an ensemble share the embeddings, the cross layer and the first layer's matrix product, which are most of
a network's cost. Behind it each member scales the units in its own way and has layers of its own. Every member is
trained on its own loss, and their log-odds are averaged. The mean of members that err differently ranks better than any
of them. After TabM (Gorishniy et al., "TabM: Advancing Tabular Deep Learning with Parameter-Efficient Ensembling", ICLR
2025), whose members share the later layers too.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops


class MemberScale(keras.layers.Layer):
    """The units of the first layer → those of each member: [batch, units] → [members, batch, units].

    The scales start as random signs, so that the activation that follows passes other units for each member.

    Args:
        members: of the ensemble.
        units: of the first layer.
        seed: of the signs.
    """

    def __init__(self, members: int, units: int, seed: int) -> None:
        super().__init__(name="member_scale")
        signs = np.random.default_rng(seed).choice(np.array([-1.0, 1.0], np.float32), (members, units))
        self.scale: Any = self.add_weight(
            shape=signs.shape, initializer=keras.initializers.Constant(signs), name="scale"
        )
        self.shift: Any = self.add_weight(shape=signs.shape, initializer="zeros", name="shift")

    def call(self, units: tf.Tensor) -> tf.Tensor:
        """See the class."""
        return units[None] * self.scale[:, None] + self.shift[:, None]


class MemberDense(keras.layers.Layer):
    """A dense layer per member: [members, batch, width] → [members, batch, units].

    Args:
        kernels: the initial kernels, [members, width, units].
        bias: the initial bias of every member, [units].
        name: of the layer.
    """

    def __init__(self, kernels: np.ndarray, bias: np.ndarray, name: str) -> None:
        super().__init__(name=name)
        self.kernel: Any = self.add_weight(
            shape=kernels.shape, initializer=keras.initializers.Constant(kernels), name="kernel"
        )
        biases = np.repeat(bias[None], len(kernels), axis=0)
        self.bias: Any = self.add_weight(
            shape=biases.shape, initializer=keras.initializers.Constant(biases), name="bias"
        )

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """See the class."""
        return ops.matmul(x, self.kernel) + self.bias[:, None]
