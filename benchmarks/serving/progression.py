"""The source's progression: what scoring costs as features become leaves, and leaves a dense tensor.

All four feed the very same dense operations, the first layer and the towers of one network, and differ in what comes
before. The dense operations' cost is what is left of the whole without that.
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

_VALUES = 16  # of a string feature, as many as a tree of depth 4 has leaves
_ROUNDS, _QUICK_ROUNDS = 31, 3


@dataclass(frozen=True)
class Stage:
    """A step of the progression, in median seconds for a session's candidates.

    Attributes:
        name: what comes before the dense operations.
        conversion: from the request's tensors to the first layer's input.
        whole: from the request's tensors to logits.
    """

    name: str
    conversion: float
    whole: float

    @property
    def dense(self) -> float:
        """The dense operations' share of the whole."""
        return max(self.whole - self.conversion, 0.0)


class StringFeatures(tf.Module):
    """Many sparse string features: each looked up in its own vocabulary, then all concatenated as sparse tensors.

    Args:
        features: how many; as many as there are trees, so that the first layer is as wide.
        size: floats of each value's embedding.
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
        """The features' embeddings side by side; [rows, features * size]."""
        rows = tf.shape(texts, tf.int64)[0]
        columns = [
            tf.SparseTensor(indices, table.lookup(text), tf.stack([rows, 1]))
            for table, text in zip(self._vocabularies, tf.unstack(texts, axis=1), strict=True)
        ]
        ids = tf.sparse.to_dense(tf.sparse.concat(1, columns))
        return tf.reshape(tf.gather(self.embeddings, ids), [rows, len(self._vocabularies) * self._size])


def progression(workshop: Workshop, quick: bool) -> list[Stage]:
    """Measures the four stages in turns."""
    inputs = workshop.inputs(workshop.forest)
    config = workshop.config
    base_rates = np.full(len(config.objectives), 0.1)
    network = TwoTowerNetwork(inputs, config.towers, config.objectives, base_rates, seed=1)
    runs: dict[str, Callable[[], object]] = {}
    names = []
    for name, conversion, tensors in _stages(workshop, inputs, network):
        names.append(name)
        runs[f"{name}, conversion"] = _conversion(conversion, tensors)
        runs[f"{name}, whole"] = _whole(conversion, tensors, network, inputs)
    for run in runs.values():
        run()
    seconds = alternate(runs, _QUICK_ROUNDS if quick else _ROUNDS)
    return [Stage(name, seconds[f"{name}, conversion"], seconds[f"{name}, whole"]) for name in names]


def figures(stages: list[Stage]) -> list[Figure]:
    """What the last stage costs of the first, without the dense operations and with them."""
    first, last = stages[0], stages[-1]
    return [
        Figure(
            "conversion_and_lookup",
            ours=1000 * last.conversion,
            rival=1000 * first.conversion,
            unit="ms",
            note=f"{last.name} beside {first.name}, {CANDIDATES} candidates, without the dense operations",
        ),
        Figure(
            "progression_whole",
            ours=1000 * last.whole,
            rival=1000 * first.whole,
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


def _whole(
    convert: Callable[..., tf.Tensor], tensors: dict[str, tf.Tensor], network: TwoTowerNetwork, inputs: TowerInputs
) -> Callable[[], Any]:
    others = {
        name: tf.zeros([CANDIDATES, *spec.shape[1:]], spec.dtype)
        for name, spec in inputs.tensor_specs().items()
        if name != keys.LEAVES
    }

    def score(tensors: dict[str, tf.Tensor]) -> tf.Tensor:
        beside = network.beside_leaves(others, lambda layer, x: layer(x, training=False))
        hidden = network.first_layer(tf.concat([convert(**tensors), *beside], axis=1))
        towers = zip(network.towers, hidden, strict=True)
        logits = network.in_config_order([tower(layer, training=False) for tower, layer in towers])
        return network.calibrated(logits, others)

    function = tf.function(score)
    return lambda: function(tensors)
