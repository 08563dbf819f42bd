"""The network: leaf embeddings and dense embeddings in, one logit per objective out, through two separate towers.

Follows "Homepage feed multi-task learning using TensorFlow" (LinkedIn, 2021): a row's leaves index one embedding table
over the whole forest, dense embeddings are normalised or projected, and the concatenation is the common input of a
passive and an active tower, which share no weights beyond that input.

Beside the source, categorical features have embeddings of their own, and everything but the leaves goes through a cross
layer first: x becomes x + x * (W x + b), with W of low rank (Wang et al., "DCN V2", WWW 2021). Leaves hold the products
of features that the forest found, and none with a dense embedding, which it does not see.

Ids have vectors of their own (`ranker.towers.ids`). Which viewer likes which author is a product of the two, as in a
factorisation machine (Rendle, ICDM 2010) or in matrix factorisation. A network on sums of its inputs learns a product
badly (Rendle et al., "Neural collaborative filtering vs. matrix factorization revisited", RecSys 2020), so the products
of the numbers of each pair of vectors are inputs of the towers, too.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from ranker import keys
from ranker.config.names import input_name
from ranker.config.objectives import TOWERS, Objective
from ranker.config.towers import Towers
from ranker.towers.first_layer import SideBySide
from ranker.towers.ids import IdEmbedding, multiplied_pairs
from ranker.towers.inputs import TowerBatch, TowerInputs
from ranker.towers.isotonic import IsotonicCalibration
from ranker.towers.leaf_dropout import KeptTrees, LeafDropout
from ranker.towers.members import MemberDense, MemberScale
from ranker.towers.seeds import Seeds


class TwoTowerNetwork(keras.Model):
    """One logit per objective, in the order of the config.

    The output layer starts with zero weights and each objective's log-odds as its bias, so that before the first step
    every prediction is the base rate. A rare objective then learns what raises its odds rather than that it is rare.

    Args:
        inputs: sizes of the batch's tensors.
        towers: the network's shape.
        objectives: in the order of the config; a tower without objectives is left out.
        base_rates: [objectives], each in (0, 1).
        seed: of initialisation and dropout.

    Attributes:
        leaf_embedding: of the leaves; None without a forest.
        leaf_dropout: draws the trees that a training step reads; None where it reads them all.
        tower_names: the towers that there are: a subset of `passive` and `active`, or `shared`.
        tower_objectives: for each of them, the indices of its objectives in the config.
        dense_names: the dense embeddings, in the order of `dense_inputs`.
        numeric: whether the towers read numeric features.
        category_embedding: of the categorical features; None where the towers read none.
        first_codes: the row of `category_embedding` of each categorical feature's first code.
        id_embeddings: of each column of ids; the members of an ensemble share them, as all that is before the first
            layer's product.
        id_pairs: the columns of ids whose vectors are multiplied with each other.
        cross: W x + b of the cross layer; None where the config has none, or nothing is beside the leaves.
        calibration: what the towers' logits go through last; None where the config has none.

    Raises:
        ValueError: base rates that are none, or a calibration by a key without the key among the inputs.
    """

    def __init__(
        self,
        inputs: TowerInputs,
        towers: Towers,
        objectives: Sequence[Objective],
        base_rates: np.ndarray,
        seed: int,
    ) -> None:
        super().__init__(name="two_tower_network")
        if len(base_rates) != len(objectives) or not np.all((base_rates > 0) & (base_rates < 1)):
            raise ValueError(
                f"base_rates: one number in (0, 1) for each of {len(objectives)} objectives, got {base_rates}"
            )
        grid = towers.isotonic
        if grid and grid.by and not inputs.calibration_keys:
            raise ValueError(f"towers.isotonic.by: {grid.by!r} is the key, but the inputs of the towers have no key")
        self.numeric = inputs.numeric > 0
        self.dense_names = tuple(inputs.dense)
        groups = {"shared": list(range(len(objectives)))} if towers.shared else _by_tower(objectives)
        self.tower_names = tuple(groups)
        self.tower_objectives = tuple(tuple(indices) for indices in groups.values())
        self._members = towers.members
        self._to_config_order = np.argsort([index for indices in self.tower_objectives for index in indices])

        seeds = Seeds(seed)
        # Vectors of length about 1: one tree weighs as much as one normalised numeric feature, and the first layer's
        # units start with a variance near 1 however many trees there are.
        size = towers.leaf_embedding_size
        self.leaf_embedding: Any = None
        if inputs.trees:
            self.leaf_embedding = _embedding(inputs.leaves, size, size**-0.5, seeds.next(), "leaf_embedding")
        self.leaf_dropout = None
        if inputs.trees and towers.leaf_dropout:
            self.leaf_dropout = LeafDropout(inputs.trees, towers.leaf_dropout, seeds.next())
        self.dense_inputs = [_dense_input(name, size, towers, seeds) for name, size in inputs.dense.items()]
        beside = inputs.numeric + sum(_dense_width(size, towers) for size in inputs.dense.values())
        self.category_embedding = None
        codes, size = inputs.categorical, towers.categorical_embedding_size
        if codes and size:
            self.first_codes = np.cumsum((0, *codes[:-1]))
            # Numbers as large as a normalised feature's: from smaller ones the cross layer does not learn in an epoch.
            self.category_embedding = _embedding(sum(codes), size, 1.0, seeds.next(), "category_embedding")
            beside += len(codes) * size
        self.id_embeddings = [IdEmbedding(column, number, seeds.next()) for number, column in enumerate(inputs.ids)]
        sizes = [column.dimension for column in inputs.ids]
        self.id_pairs = multiplied_pairs(sizes)
        beside += sum(sizes) + sum(sizes[first] for first, _ in self.id_pairs)
        self.cross = _cross(beside, towers.cross_rank, seeds) if beside and towers.cross_rank else None
        width = inputs.trees * towers.leaf_embedding_size + beside
        leaves = inputs.trees, towers.leaf_embedding_size
        self.first_layer = SideBySide(self.tower_names, width, towers.hidden[0], *leaves, seeds)
        log_odds = np.log(base_rates) - np.log1p(-base_rates)
        self.towers = [
            _tower(name, towers, log_odds[list(indices)], seeds)
            for name, indices in zip(self.tower_names, self.tower_objectives, strict=True)
        ]
        self._keyed = grid is not None and grid.by is not None
        self.calibration = (
            IsotonicCalibration(log_odds, grid, inputs.calibration_keys if self._keyed else 0) if grid else None
        )
        specs = inputs.tensor_specs()
        self({name: tf.zeros([1, *spec.shape[1:]], spec.dtype) for name, spec in specs.items()})

    def call(self, batch: TowerBatch, training: bool = False) -> tf.Tensor:
        """A batch as `TowerInputs.tensor_specs` describes it → logits [batch, objectives]."""
        return self.calibrated(self.in_config_order(self._tower_logits(batch, training)), batch)

    def member_logits(self, batch: TowerBatch, training: bool = False) -> list[tf.Tensor]:
        """The logits of each member of the towers' ensembles, each [batch, objectives]; a plain tower is one member."""
        logits = self._concatenated(self._tower_logits(batch, training))
        return [self.calibrated(member, batch) for member in (ops.unstack(logits) if self._members > 1 else [logits])]

    def common_input(self, batch: TowerBatch, training: bool = False, kept: KeptTrees | None = None) -> list[tf.Tensor]:
        """What both towers read: the leaf embeddings, of all trees or of those that are kept, and `beside_leaves`.

        Returns:
            A tensor [batch, columns] of each of the two that there is.
        """

        def run(layer: Any, x: tf.Tensor) -> tf.Tensor:
            return layer(x, training=training)

        parts = self.beside_leaves(batch, run)
        if self.leaf_embedding is not None:
            leaves = batch[keys.LEAVES]
            if kept is None:
                leaves = self.leaf_embedding(leaves)
            else:
                leaves = self.leaf_embedding(ops.take(leaves, kept.trees, axis=1)) * kept.scale[:, None]
            parts = [laid_side_by_side(leaves), *parts]
        return parts

    def beside_leaves(self, batch: TowerBatch, run: Callable[[Any, tf.Tensor], tf.Tensor]) -> list[tf.Tensor]:
        """All but the leaves, crossed with each other: one [batch, width], or nothing.

        Dense embeddings, numeric and categorical features, ids, and products of ids.

        Args:
            batch: as in `call`.
            run: calls a layer with weights on its input; `common_input` and others who have to see each layer's input
                and output go the same way.
        """
        parts = [run(layer, batch[name]) for name, layer in zip(self.dense_names, self.dense_inputs, strict=True)]
        if self.numeric:
            parts.append(batch[keys.NUMERIC])
        if self.category_embedding is not None:
            vectors = run(self.category_embedding, batch[keys.CATEGORICAL] + self.first_codes)
            parts.append(laid_side_by_side(vectors))
        ids = [run(layer, batch[keys.HASHED_IDS][:, 2 * i : 2 * i + 2]) for i, layer in enumerate(self.id_embeddings)]
        parts += [*ids, *(ids[first] * ids[second] for first, second in self.id_pairs)]
        if not parts:
            return []
        beside = ops.concatenate(parts, axis=1)
        return [beside if self.cross is None else beside + beside * run(self.cross, beside)]

    def in_config_order(self, logits: Sequence[tf.Tensor]) -> tf.Tensor:
        """Each tower's logits → [batch, objectives] in the order of the config, averaged over the members."""
        logits = self._concatenated(logits)
        return ops.mean(logits, axis=0) if self._members > 1 else logits

    def calibrated(self, logits: tf.Tensor, batch: TowerBatch) -> tf.Tensor:
        """The towers' logits [batch, objectives] → what the network predicts."""
        return logits if self.calibration is None else self.calibration(logits, self.calibration_key(batch))

    def calibration_key(self, batch: TowerBatch) -> Any:
        """What the calibration differs by, int64 [batch, 1]; None where it is the same for all impressions."""
        return batch[keys.CALIBRATION_KEY] if self._keyed else None

    def trained_weights(self, leaf_embeddings: bool = True) -> list[Any]:
        """The weights that steps change: all trainable ones, or all but the leaf embeddings."""
        fixed = None if leaf_embeddings or self.leaf_embedding is None else self.leaf_embedding.embeddings
        return [weight for weight in self.trainable_weights if weight is not fixed]

    def tower_weights(self, tower: str) -> list[Any]:
        """The variables that only this tower has, from its first layer to its outputs."""
        index = self.tower_names.index(tower)
        own = [self.first_layer.kernels[index], self.first_layer.biases[index]]
        return own + self.towers[index].trainable_variables

    def _tower_logits(self, batch: TowerBatch, training: bool) -> list[tf.Tensor]:
        """Of each tower [batch, objectives], with the members of an ensemble as the first axis."""
        kept = self.leaf_dropout() if training and self.leaf_dropout is not None else None
        hidden = self.first_layer(self.common_input(batch, training, kept), None if kept is None else kept.trees)
        return [tower(h, training=training) for tower, h in zip(self.towers, hidden, strict=True)]

    def _concatenated(self, logits: Sequence[tf.Tensor]) -> tf.Tensor:
        """Each tower's logits → those of all objectives in the order of the config."""
        return ops.take(ops.concatenate(logits, axis=-1), self._to_config_order, axis=-1)


def laid_side_by_side(vectors: tf.Tensor) -> tf.Tensor:
    """The vectors of a row's ids, [batch, columns, size] → [batch, columns * size]."""
    _, columns, size = vectors.shape
    return ops.reshape(vectors, (-1, columns * size))


def _embedding(ids: int, size: int, deviation: float, seed: int, name: str) -> keras.layers.Embedding:
    """One table for several columns: trees of the forest, or categorical features.

    Ids are numbered over all columns, as leaf ids are over the forest. So a single gather serves all of them, and a row
    holds none twice. Each number of a vector starts from N(0, deviation²).
    """
    initializer = keras.initializers.RandomNormal(stddev=deviation, seed=seed)
    return keras.layers.Embedding(ids, size, embeddings_initializer=initializer, name=name)


def _by_tower(objectives: Sequence[Objective]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {tower: [] for tower in TOWERS}
    for index, objective in enumerate(objectives):
        groups[objective.tower].append(index)
    return {tower: indices for tower, indices in groups.items() if indices}


def _dense_input(name: str, size: int, towers: Towers, seeds: Seeds) -> keras.Sequential:
    """Batch normalisation, then a linear projection, or either or neither."""
    layers: list[Any] = []
    if "batch_norm" in towers.dense_input:
        # Devices that train together normalise by all their rows, or each would have averages of its own.
        together = tf.distribute.has_strategy()
        layers.append(keras.layers.BatchNormalization(name="batch_norm", synchronized=together))
    if "projection" in towers.dense_input:
        kernel = keras.initializers.GlorotUniform(seed=seeds.next())
        layers.append(keras.layers.Dense(towers.dense_projection_size, kernel_initializer=kernel, name="projection"))
    layers = layers or [keras.layers.Identity()]
    # A layer's name is a scope of the graph, which may not hold every character of a column's name.
    return keras.Sequential([keras.Input((size,)), *layers], name=f"dense_input_{input_name(name)}")


def _cross(width: int, rank: int, seeds: Seeds) -> keras.Sequential:
    """W x + b with W of low rank; 0 at first, so that training starts from the features as they are."""
    down = keras.layers.Dense(
        rank, use_bias=False, kernel_initializer=keras.initializers.GlorotUniform(seed=seeds.next()), name="down"
    )
    up = keras.layers.Dense(width, kernel_initializer="zeros", name="up")
    return keras.Sequential([keras.Input((width,)), down, up], name="cross")


def _dense_width(size: int, towers: Towers) -> int:
    return towers.dense_projection_size if "projection" in towers.dense_input else size


def _tower(name: str, towers: Towers, log_odds: np.ndarray, seeds: Seeds) -> keras.Sequential:
    """From the first layer's product to the logits of one tower's objectives."""
    layers: list[Any] = [keras.Input((towers.hidden[0],))]
    if towers.members > 1:
        layers.append(MemberScale(towers.members, towers.hidden[0], seeds.next()))
    layers += _activation(towers, seeds)
    for number, (width, units) in enumerate(pairwise(towers.hidden), start=2):
        layers += [_hidden(f"layer_{number}", width, units, towers.members, seeds), *_activation(towers, seeds)]
    layers.append(_output(towers.hidden[-1], log_odds.astype(np.float32), towers.members))
    return keras.Sequential(layers, name=f"{name}_tower")


def _hidden(name: str, width: int, units: int, members: int, seeds: Seeds) -> keras.layers.Layer:
    initializers = [keras.initializers.HeNormal(seed=seeds.next()) for _ in range(members)]
    if members == 1:
        return keras.layers.Dense(units, kernel_initializer=initializers[0], name=name)
    kernels = [ops.convert_to_numpy(initializer((width, units))) for initializer in initializers]
    return MemberDense(np.stack(kernels), np.zeros(units, np.float32), name)


def _output(width: int, log_odds: np.ndarray, members: int) -> keras.layers.Layer:
    if members > 1:
        return MemberDense(np.zeros((members, width, len(log_odds)), np.float32), log_odds, "logits")
    bias = keras.initializers.Constant(log_odds)
    return keras.layers.Dense(len(log_odds), kernel_initializer="zeros", bias_initializer=bias, name="logits")


def _activation(towers: Towers, seeds: Seeds) -> list[Any]:
    layers: list[Any] = [keras.layers.ReLU()]
    if towers.dropout:
        layers.append(keras.layers.Dropout(towers.dropout, seed=seeds.next()))
    return layers
