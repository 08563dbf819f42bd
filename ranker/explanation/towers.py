"""The towers' part: integrated gradients (Sundararajan et al., 2017) from an average impression to the row.

The path leads through the vectors that the towers read: leaf embeddings, standardised numbers, category embeddings,
dense embeddings, and vectors of ids. Its baseline is each tree's mean vector, the mean number, the mean vector of a
feature's categories, a dense embedding's moving mean (or zero without batch normalisation), and the vector of a
missing id, which is zero. What a product of two ids adds is divided between them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker import keys
from ranker.explanation.paths import LeafPaths
from ranker.towers.network import TwoTowerNetwork, laid_side_by_side

Doubles = NDArray[np.float64]

_LEAVES = "leaf vectors"
_CATEGORIES = "category vectors"

_STEPS, _MOST_STEPS = 16, 512
_TOLERANCE = 1e-3
"""What the sum of the integral may miss before it is refined, in log-odds."""

_ROWS_AT_ONCE = 2048


@dataclass(frozen=True, eq=False)
class TowerParts:
    """What each input adds to the towers' logits.

    Attributes:
        baseline: [objectives], the logits of the average impression.
        forest_inputs: [rows, objectives, inputs], by way of the leaves.
        numeric: [rows, objectives, numbers].
        categorical: [rows, objectives, features].
        dense: column → [rows, objectives].
        ids: [rows, objectives, columns of ids].
        calibration_key: [rows, objectives], what a calibration by the row's key adds on the average impression.
        logits: [rows, objectives], which baseline and parts add up to.
        missed: the largest error of the integral before it was distributed, in log-odds.
    """

    baseline: Doubles
    forest_inputs: Doubles
    numeric: Doubles
    categorical: Doubles
    dense: dict[str, Doubles]
    ids: Doubles
    calibration_key: Doubles
    logits: Doubles
    missed: float


class TowerExplainer:
    """Explains the logits of a network.

    Args:
        network: the served towers.
        leaf_vectors: [leaves, size], the served embeddings; None without a forest.
        paths: of the forest, with these vectors; None without a forest.
        forest_inputs: of the forest.
        categories: of each categorical feature that the towers read, the number of values in its vocabulary.
        codes: of each of them, the number of its codes; the last one stands for a missing value.
        missing_key: the calibration key of a row without one.
    """

    def __init__(
        self,
        network: TwoTowerNetwork,
        leaf_vectors: NDArray[np.float32] | None,
        paths: LeafPaths | None,
        forest_inputs: int,
        categories: Sequence[int],
        codes: Sequence[int],
        missing_key: int,
    ) -> None:
        self._network = network
        self._leaf_vectors = None if leaf_vectors is None else tf.constant(leaf_vectors)
        self._paths = paths
        self._forest_inputs = forest_inputs
        self._first_codes = np.cumsum((0, *codes[:-1])) if codes else np.zeros(0, np.int64)
        self._category_baseline = self._mean_vectors(categories)
        self._missing_key = missing_key
        self._traced: Any = None

    def __call__(self, batch: Mapping[str, NDArray[Any]]) -> TowerParts:
        """Explains rows.

        Args:
            batch: the towers' inputs, `TowerInputs.tensor_specs`.
        """
        vectors = self._vectors(batch)
        rows = len(next(iter(vectors.values())))
        start = self._baseline(vectors)
        key = batch.get(keys.CALIBRATION_KEY)
        logits = self._logits(vectors, key).numpy().astype(np.float64)
        one = {name: value[:1] for name, value in start.items()}
        of_key = self._logits({name: tf.repeat(value, rows, axis=0) for name, value in one.items()}, key).numpy()
        baseline = (
            of_key[0] if key is None else self._logits(one, np.full((1, 1), self._missing_key, np.int64)).numpy()[0]
        )
        averaged = self._integrated(vectors, start, key, logits - of_key)
        return self._parts(batch, vectors, start, averaged, baseline, of_key, logits)

    def logits(self, batch: Mapping[str, NDArray[Any]]) -> Doubles:
        """The logits of rows, [rows, objectives], without what they are made of."""
        logits = self._logits(self._vectors(batch), batch.get(keys.CALIBRATION_KEY))
        return np.asarray(logits.numpy(), np.float64)

    def _vectors(self, batch: Mapping[str, NDArray[Any]]) -> dict[str, tf.Tensor]:
        """What the path leads to, by name."""
        network = self._network
        vectors = {}
        if self._leaf_vectors is not None:
            vectors[_LEAVES] = tf.gather(self._leaf_vectors, batch[keys.LEAVES])
        if keys.NUMERIC in batch:
            vectors[keys.NUMERIC] = tf.constant(batch[keys.NUMERIC], tf.float32)
        if network.category_embedding is not None:
            vectors[_CATEGORIES] = network.category_embedding(batch[keys.CATEGORICAL] + self._first_codes)
        vectors.update({name: tf.constant(batch[name], tf.float32) for name in network.dense_names})
        for i, layer in enumerate(network.id_embeddings):
            vectors[_id(i)] = layer(tf.constant(batch[keys.HASHED_IDS][:, 2 * i : 2 * i + 2]))
        return vectors

    def _baseline(self, vectors: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Where the path begins, with the shapes of `vectors`."""
        network = self._network
        rows = len(next(iter(vectors.values())))
        start = {}
        if self._paths is not None:
            start[_LEAVES] = tf.repeat(tf.constant(self._paths.baseline[None], tf.float32), rows, axis=0)
        if keys.NUMERIC in vectors:
            start[keys.NUMERIC] = tf.zeros_like(vectors[keys.NUMERIC])
        if _CATEGORIES in vectors:
            start[_CATEGORIES] = tf.repeat(self._category_baseline[None], rows, axis=0)
        for name, layers in zip(network.dense_names, network.dense_inputs, strict=True):
            moving = [layer.moving_mean for layer in layers.layers if hasattr(layer, "moving_mean")]
            mean = tf.convert_to_tensor(moving[0]) if moving else tf.zeros(vectors[name].shape[1])
            start[name] = tf.repeat(mean[None], rows, axis=0)
        for i in range(len(network.id_embeddings)):
            start[_id(i)] = tf.zeros_like(vectors[_id(i)])
        return start

    def _logits(self, vectors: Mapping[str, tf.Tensor], key: NDArray[np.int64] | None) -> tf.Tensor:
        """The network from its input vectors on."""
        network = self._network

        looked_up = {id(layer): vectors[_id(i)] for i, layer in enumerate(network.id_embeddings)}
        if network.category_embedding is not None:
            looked_up[id(network.category_embedding)] = vectors[_CATEGORIES]

        def run(layer: Any, x: tf.Tensor) -> tf.Tensor:
            return looked_up[id(layer)] if id(layer) in looked_up else layer(x, training=False)

        batch = {name: vectors[name] for name in (*network.dense_names, keys.NUMERIC) if name in vectors}
        if network.category_embedding is not None:
            # Not looked up: `run` gives the vectors instead.
            batch[keys.CATEGORICAL] = tf.zeros_like(vectors[_CATEGORIES][:, :, 0], tf.int64)
        if network.id_embeddings:
            batch[keys.HASHED_IDS] = tf.zeros_like(vectors[_id(0)][:, :1], tf.int64)
        if key is not None:
            batch[keys.CALIBRATION_KEY] = tf.convert_to_tensor(key)
        leaves = [laid_side_by_side(vectors[_LEAVES])] if _LEAVES in vectors else []
        hidden = network.first_layer([*leaves, *network.beside_leaves(batch, run)])
        of_towers = [tower(h, training=False) for tower, h in zip(network.towers, hidden, strict=True)]
        return network.calibrated(network.in_config_order(of_towers), batch)

    def _gradients(
        self, vectors: dict[str, tf.Tensor], key: tf.Tensor | None
    ) -> tuple[dict[str, list[tf.Tensor]], tf.Tensor]:
        """`_gradients_of` as a graph, which is traced once for any number of rows: a trace costs a second."""
        if self._traced is None:
            rows = {
                name: tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype, name.replace(" ", "_"))
                for name, tensor in vectors.items()
            }
            keys_spec = None if key is None else tf.TensorSpec([None, *key.shape[1:]], key.dtype)
            traced = tf.function(self._gradients_of, autograph=False)
            self._traced = traced.get_concrete_function(rows, keys_spec)
        gradients: tuple[dict[str, list[tf.Tensor]], tf.Tensor] = self._traced(vectors, key)
        return gradients

    def _gradients_of(
        self, vectors: dict[str, tf.Tensor], key: tf.Tensor | None
    ) -> tuple[dict[str, list[tf.Tensor]], tf.Tensor]:
        """Of every objective's logits by the vectors; each rows' own, as rows do not depend on each other."""
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(vectors)
            logits = tf.unstack(self._logits(vectors, key), axis=1)
        by_objective = [tape.gradient(one, vectors, unconnected_gradients="zero") for one in logits]
        return {name: [one[name] for one in by_objective] for name in vectors}, tf.stack(logits, axis=1)

    def _integrated(
        self,
        vectors: Mapping[str, tf.Tensor],
        start: Mapping[str, tf.Tensor],
        key: NDArray[np.int64] | None,
        rise: Doubles,
    ) -> dict[str, Doubles]:
        """Name → the mean gradient along the path, [rows, objectives, …]; refined where the sum misses the rise."""
        rows, objectives = rise.shape
        found: dict[str, Doubles] = {
            name: np.zeros((rows, objectives, *tensor.shape[1:])) for name, tensor in vectors.items()
        }
        steps, open_rows = _STEPS, np.arange(rows)
        while len(open_rows):
            for begin in range(0, len(open_rows), max(1, _ROWS_AT_ONCE // steps)):
                chosen = open_rows[begin : begin + max(1, _ROWS_AT_ONCE // steps)]
                for name, mean in self._mean_gradients(vectors, start, key, chosen, steps).items():
                    found[name][chosen] = mean
            missed = np.abs(_summed(found, vectors, start, open_rows) - rise[open_rows]).max(axis=1)
            open_rows, steps = open_rows[missed > _TOLERANCE], steps * 2
            if steps > _MOST_STEPS:
                break
        return found

    def _mean_gradients(
        self,
        vectors: Mapping[str, tf.Tensor],
        start: Mapping[str, tf.Tensor],
        key: NDArray[np.int64] | None,
        chosen: NDArray[np.int64],
        steps: int,
    ) -> dict[str, Doubles]:
        shares = (np.arange(steps, dtype=np.float32) + 0.5) / steps  # the midpoint rule
        path = {}
        for name, tensor in vectors.items():
            begin, end = tf.gather(start[name], chosen), tf.gather(tensor, chosen)
            share = tf.reshape(shares, [1, steps, *([1] * (len(tensor.shape) - 1))])
            points = begin[:, None] + share * (end - begin)[:, None]
            path[name] = tf.reshape(points, [-1, *tensor.shape[1:]])
        keys_of_path = None if key is None else tf.constant(np.repeat(key[chosen], steps, axis=0))
        gradients, _ = self._gradients(path, keys_of_path)
        return {
            name: np.stack(
                [
                    one.numpy().astype(np.float64).reshape(len(chosen), steps, *one.shape[1:]).mean(axis=1)
                    for one in each
                ],
                axis=1,
            )
            for name, each in gradients.items()
        }

    def _parts(
        self,
        batch: Mapping[str, NDArray[Any]],
        vectors: Mapping[str, tf.Tensor],
        start: Mapping[str, tf.Tensor],
        averaged: Mapping[str, Doubles],
        baseline: NDArray[np.float32],
        of_key: NDArray[np.float32],
        logits: Doubles,
    ) -> TowerParts:
        rows, objectives = logits.shape
        products = {
            name: averaged[name] * (vectors[name] - start[name]).numpy().astype(np.float64)[:, None]
            for name in vectors
            if name != _LEAVES
        }
        inputs = np.zeros((rows, objectives, self._forest_inputs))
        if self._paths is not None:
            leaves = np.asarray(batch[keys.LEAVES], np.int32)
            for o in range(objectives):
                inputs[:, o] = self._paths.divided(leaves, averaged[_LEAVES][:, o], self._forest_inputs)
        nothing = np.zeros((rows, objectives, 0))
        parts = {
            "forest": inputs,
            "numeric": products.get(keys.NUMERIC, nothing),
            "categorical": products[_CATEGORIES].sum(axis=-1) if _CATEGORIES in products else nothing,
            **{f"dense {name}": products[name].sum(axis=-1, keepdims=True) for name in self._network.dense_names},
            "ids": np.concatenate(
                [
                    nothing,
                    *(products[_id(i)].sum(axis=-1, keepdims=True) for i in range(len(self._network.id_embeddings))),
                ],
                axis=2,
            ),
        }
        together = np.concatenate(list(parts.values()), axis=2)
        missing = (logits - of_key) - together.sum(axis=2)
        together = with_rest(together, missing)
        split = dict(
            zip(
                parts,
                np.split(together, np.cumsum([part.shape[2] for part in parts.values()])[:-1], axis=2),
                strict=True,
            )
        )
        return TowerParts(
            baseline=baseline.astype(np.float64),
            forest_inputs=split["forest"],
            numeric=split["numeric"],
            categorical=split["categorical"],
            dense={name: split[f"dense {name}"][:, :, 0] for name in self._network.dense_names},
            ids=split["ids"],
            calibration_key=of_key.astype(np.float64) - baseline,
            logits=logits,
            missed=float(np.abs(missing).max(initial=0.0)),
        )

    def _mean_vectors(self, categories: Sequence[int]) -> tf.Tensor:
        """[features, size], the mean vector of the values in each feature's vocabulary."""
        embedding = self._network.category_embedding
        if embedding is None:
            return tf.zeros([0, 0])
        table = embedding.embeddings.numpy()
        ranges = zip(self._first_codes.tolist(), categories, strict=True)
        return tf.constant(np.stack([table[first : first + max(1, count)].mean(axis=0) for first, count in ranges]))


def _id(number: int) -> str:
    """The name of the vectors of a column of ids."""
    return f"id vectors {number}"


def _summed(
    gradients: Mapping[str, Doubles],
    vectors: Mapping[str, tf.Tensor],
    start: Mapping[str, tf.Tensor],
    rows: NDArray[np.int64],
) -> Doubles:
    """What all inputs together add, [rows, objectives]."""
    total = 0.0
    for name, gradient in gradients.items():
        distance = (tf.gather(vectors[name], rows) - tf.gather(start[name], rows)).numpy().astype(np.float64)[:, None]
        product = gradient[rows] * distance
        total = total + product.reshape(*product.shape[:2], -1).sum(axis=2)
    return np.asarray(total)


def with_rest(parts: Doubles, missing: Doubles) -> Doubles:
    """The parts [rows, objectives, parts], with a small rest [rows, objectives] divided by their sizes."""
    sizes = np.abs(parts)
    total = sizes.sum(axis=2, keepdims=True)
    shares = np.where(total > 0, sizes / np.where(total > 0, total, 1.0), 1.0 / max(1, parts.shape[2]))
    return parts + shares * missing[:, :, None]
