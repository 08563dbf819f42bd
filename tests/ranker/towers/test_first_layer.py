"""A training step reads only the trees that leaf dropout keeps."""

import numpy as np
import tensorflow as tf

from ranker import keys
from ranker.config.towers import Towers
from ranker.towers.inputs import TowerInputs
from ranker.towers.network import TwoTowerNetwork
from tests.ranker.towers.planted import OBJECTIVES

TOWERS = Towers(leaf_embedding_size=8, hidden=(16, 8), leaf_dropout=0.5, members=1)


def _wide() -> tuple[TwoTowerNetwork, dict[str, np.ndarray]]:
    """A network with leaf dropout on more trees than a step reads, and a batch."""
    inputs = TowerInputs(trees=100, leaves=1_600, numeric=3, dense={})
    rng = np.random.default_rng(2)
    leaves = (rng.integers(0, 16, (64, 100)) + np.arange(100) * 16).astype(np.int32)
    batch = {keys.LEAVES: leaves, keys.NUMERIC: rng.normal(size=(64, 3)).astype(np.float32)}
    return TwoTowerNetwork(inputs, TOWERS, OBJECTIVES, np.full(len(OBJECTIVES), 0.2), seed=3), batch


def test_a_step_on_the_trees_that_leaf_dropout_keeps_is_one_on_all_with_zeros_for_the_others() -> None:
    network, batch = _wide()
    assert network.leaf_dropout is not None
    kept = network.leaf_dropout()
    weights = [variable.value for variable in (network.leaf_embedding.embeddings, *network.first_layer.weights)]
    factors = np.zeros(100, np.float32)
    factors[kept.trees.numpy()] = kept.scale.numpy()
    columns = np.repeat(factors, TOWERS.leaf_embedding_size)

    with tf.GradientTape(persistent=True) as tape:
        few = network.first_layer(network.common_input(batch, training=True, kept=kept), kept.trees)
        leaves, beside = network.common_input(batch, training=True)
        every = network.first_layer([leaves * columns, beside])
        sums = [tf.add_n([tf.reduce_sum(tf.square(units)) for units in found]) for found in (few, every)]

    assert len(kept.trees) < 100
    np.testing.assert_allclose(few, every, atol=1e-5)
    for weight in weights:
        found, expected = (tf.convert_to_tensor(tape.gradient(total, weight)) for total in sums)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_leaf_dropout_acts_in_training_only() -> None:
    network, batch = _wide()
    for tower in network.towers:
        tower.layers[-1].kernel.assign(tf.ones_like(tower.layers[-1].kernel))

    np.testing.assert_array_equal(network(batch), network(batch))
    assert np.any(network(batch, training=True) != network(batch, training=True))
