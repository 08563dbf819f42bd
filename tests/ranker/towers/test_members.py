"""The members of the towers' ensembles."""

import keras
import numpy as np
import tensorflow as tf

from ranker import keys
from ranker.config.towers import Towers
from ranker.towers.network import TwoTowerNetwork
from ranker.towers.step import cross_entropies
from tests.ranker.towers.planted import INPUTS, OBJECTIVES, impressions

BASE_RATES = np.array([0.1, 0.4, 0.003, 0.25])
TOWERS = Towers(leaf_embedding_size=8, hidden=(16, 8), leaf_dropout=0.0, members=3)


def _network() -> TwoTowerNetwork:
    return TwoTowerNetwork(INPUTS, TOWERS, OBJECTIVES, BASE_RATES, seed=3)


def _batch() -> dict[str, np.ndarray]:
    batch = impressions(64, seed=5).tensors()
    del batch[keys.LABELS]
    return batch


def _ensemble(seed: int = 5) -> TwoTowerNetwork:
    """An ensemble of three whose output layers differ, as they do after training."""
    network = _network()
    rng = np.random.default_rng(seed)
    for tower in network.towers:
        kernel = tower.layers[-1].kernel
        kernel.assign(rng.normal(0, 0.3, kernel.shape))
    return network


def test_the_members_of_an_ensemble_start_from_the_base_rates_and_differ_behind_the_first_layer() -> None:
    network = _network()
    for logits in network.member_logits(_batch()):
        np.testing.assert_allclose(tf.sigmoid(logits), np.tile(BASE_RATES, (64, 1)), rtol=1e-5)
    hidden = network.first_layer(network.common_input(_batch()))[0]
    members = keras.Sequential(network.towers[0].layers[:-1])(hidden).numpy()
    assert members.shape == (3, 64, 8)
    assert not np.allclose(members[0], members[1])


def test_an_ensemble_predicts_the_mean_of_its_members_log_odds() -> None:
    network = _ensemble()
    members = np.stack([logits.numpy() for logits in network.member_logits(_batch())])
    assert members.shape == (3, 64, 4)
    assert np.all(members.std(axis=0) > 0)
    np.testing.assert_allclose(network(_batch()), members.mean(axis=0), rtol=1e-5, atol=1e-6)


def test_each_member_learns_from_its_own_loss() -> None:
    network = _ensemble()
    labels = np.random.default_rng(2).integers(0, 2, (64, 4)).astype(np.float32)
    batch = {**_batch(), keys.LABELS: tf.constant(labels)}
    with tf.GradientTape(persistent=True) as tape:
        losses = tf.reduce_sum(cross_entropies(network, batch, training=False))
        own = [
            tf.reduce_sum(tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits), axis=0))
            for logits in network.member_logits(batch)
        ]
    np.testing.assert_allclose(losses, np.mean(own), rtol=1e-5)
    kernel = network.towers[0].layers[-1].kernel.value
    gradient = tape.gradient(losses, kernel).numpy()
    for member, loss in enumerate(own):
        np.testing.assert_allclose(
            gradient[member], tape.gradient(loss, kernel).numpy()[member] / 3, rtol=1e-4, atol=1e-8
        )
