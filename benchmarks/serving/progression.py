"""The source's progression: the cost of scoring with string features, with leaves and with a dense tensor of leaves.

All four stages have the same dense operations, the first layer and the towers of one network, and differ in the
operations before. The cost of the dense operations is the total without those.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.harness import Figure, alternate
from benchmarks.serving.sessions import CANDIDATES, Workshop
from ranker import keys
from ranker.towers.inputs import TowerInputs
from ranker.towers.network import TwoTowerNetwork, laid_side_by_side

_VALUES = 16  # number of values of a string feature: the number of leaves of a tree of depth 4
_ROUNDS, _QUICK_ROUNDS = 31, 3


@dataclass(frozen=True)
class Stage:
    """A step of the progression, in median seconds for a session's candidates.

    Attributes:
        name: the operations before the dense ones.
        conversion: from the request's tensors to the first layer's input.
        total: from the request's tensors to logits.
    """

    name: str
    conversion: float
    total: float

    @property
    def dense(self) -> float:
        """The seconds of the dense operations."""
        return max(self.total - self.conversion, 0.0)


class StringFeatures(tf.Module):
    """Many sparse string features: each looked up in its own vocabulary, then all concatenated as sparse tensors.

    Args:
        features: number of features; as many as trees, so that the first layer has the same width.
        size: size of each value's embedding.
    """

    def __init__(self, features: int, size: int) -> None:
        super().__init__(name="string_features")
        random = np.random.default_rng(0)
        self._size = size
        self._vocabularies = []
        for feature in range(features):
            texts = tf.constant([f"feature_{feature}=value_{value}" for value in range(_VALUES)])
            ids = tf.range(feature * _VALUES, (feature + 1) * _VALUES, dtype=tf.int64)
            table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(texts, ids), default_value=0)
            self._vocabularies.append(table)
        self.embeddings = tf.Variable(random.normal(size=(features * _VALUES, size)).astype(np.float32))

    def inputs(self, rows: int) -> dict[str, tf.Tensor]:
        """Texts [rows, features] and the indices [rows, 2] that each feature's sparse tensor has."""
        random = np.random.default_rng(1)
        values = random.integers(_VALUES, size=(rows, len(self._vocabularies)))
        texts = [[f"feature_{f}=value_{v}".encode() for f, v in enumerate(row)] for row in values.tolist()]
        return {
            "texts": tf.constant(np.array(texts, object)),
            "indices": tf.constant(np.stack([np.arange(rows), np.zeros(rows)], axis=1).astype(np.int64)),
        }

    def __call__(self, texts: tf.Tensor, indices: tf.Tensor) -> tf.Tensor:
        """The features' embeddings, concatenated; [rows, features * size]."""
        rows = tf.shape(texts, tf.int64)[0]
        columns = [
            tf.SparseTensor(indices, table.lookup(text), tf.stack([rows, 1]))
            for table, text in zip(self._vocabularies, tf.unstack(texts, axis=1), strict=True)
        ]
        ids = tf.sparse.to_dense(tf.sparse.concat(1, columns))
        return tf.reshape(tf.gather(self.embeddings, ids), [rows, len(self._vocabularies) * self._size])


def progression(workshop: Workshop, quick: bool) -> list[Stage]:
    """Measures the four stages, interleaved."""
    inputs = workshop.inputs(workshop.forest)
    config = workshop.config
    base_rates = np.full(len(config.objectives), 0.1)
    network = TwoTowerNetwork(inputs, config.towers, config.objectives, base_rates, seed=1)
    runs: dict[str, Callable[[], object]] = {}
    names = []
    for name, conversion, tensors in _stages(workshop, inputs, network):
        names.append(name)
        runs[f"{name}, conversion"] = _conversion(conversion, tensors)
        runs[f"{name}, total"] = _total(conversion, tensors, network, inputs)
    for run in runs.values():
        run()
    seconds = alternate(runs, _QUICK_ROUNDS if quick else _ROUNDS)
    return [Stage(name, seconds[f"{name}, conversion"], seconds[f"{name}, total"]) for name in names]


def figures(stages: list[Stage]) -> list[Figure]:
    """The cost of the last stage compared with the first, without and with the dense operations."""
    first, last = stages[0], stages[-1]
    return [
        Figure(
            "conversion_and_lookup",
            ours=1000 * last.conversion,
            rival=1000 * first.conversion,
            unit="ms",
            note=f"{last.name} compared with {first.name}, {CANDIDATES} candidates, without the dense operations",
        ),
        Figure(
            "progression_whole",
            ours=1000 * last.total,
            rival=1000 * first.total,
            unit="ms",
            note="the same with the dense operations, which are the same in both",
        ),
    ]


def _stages(
    workshop: Workshop, inputs: TowerInputs, network: TwoTowerNetwork
) -> list[tuple[str, Callable[..., tf.Tensor], dict[str, tf.Tensor]]]:
    strings = StringFeatures(inputs.trees, workshop.config.towers.leaf_embedding_size)
    random = np.random.default_rng(2)
    first_leaf = workshop.forest.first_leaf
    local = (random.random((CANDIDATES, inputs.trees)) * np.diff(first_leaf)).astype(np.int32)
    leaves = (local + first_leaf[:-1]).astype(np.int64)
    rows, trees = np.meshgrid(np.arange(CANDIDATES), np.arange(inputs.trees), indexing="ij")
    sparse = {
        "values": tf.constant(leaves.reshape(-1)),
        "indices": tf.constant(np.stack([rows.reshape(-1), trees.reshape(-1)], axis=1).astype(np.int64)),
        "shape": tf.constant([CANDIDATES, inputs.trees], tf.int64),
    }

    def of_sparse(values: tf.Tensor, indices: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
        dense = tf.sparse.to_dense(tf.SparseTensor(indices, values, shape))
        return of_dense(tf.ensure_shape(dense, [None, inputs.trees]))

    def of_dense(ids: tf.Tensor) -> tf.Tensor:
        return laid_side_by_side(network.leaf_embedding(ids))

    def of_bytes(local: tf.Tensor) -> tf.Tensor:
        return of_dense(tf.cast(local, tf.int32) + first_leaf[:-1])

    return [
        ("string features", strings, strings.inputs(CANDIDATES)),
        ("leaves as a sparse tensor", of_sparse, sparse),
        ("leaves as a dense tensor", of_dense, {"ids": tf.constant(leaves)}),
        ("leaves as one byte a tree", of_bytes, {"local": tf.constant(local.astype(np.uint8))}),
    ]


def _conversion(convert: Callable[..., tf.Tensor], tensors: dict[str, tf.Tensor]) -> Callable[[], Any]:
    function = tf.function(lambda tensors: convert(**tensors))
    return lambda: function(tensors)


def _total(
    convert: Callable[..., tf.Tensor], tensors: dict[str, tf.Tensor], network: TwoTowerNetwork, inputs: TowerInputs
) -> Callable[[], Any]:
    others = {
        name: tf.zeros([CANDIDATES, *spec.shape[1:]], spec.dtype)
        for name, spec in inputs.tensor_specs().items()
        if name != keys.LEAVES
    }

    def score(tensors: dict[str, tf.Tensor]) -> tf.Tensor:
        beside = network.beside_leaves(others, lambda layer, x: layer(x, training=False))
        hidden = network.first_layer([convert(**tensors), *beside])
        towers = zip(network.towers, hidden, strict=True)
        logits = network.in_config_order([tower(layer, training=False) for tower, layer in towers])
        return network.calibrated(logits, others)

    function = tf.function(score)
    return lambda: function(tensors)
