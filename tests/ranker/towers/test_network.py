"""The network's shape, its first predictions, and what its towers share."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ranker import keys
from ranker.config.columns import Categorical, DenseEmbedding, Features
from ranker.config.objectives import Objective
from ranker.config.towers import Isotonic, Towers
from ranker.towers.inputs import TowerInputs, tower_inputs
from ranker.towers.network import TwoTowerNetwork
from tests.ranker.towers.planted import (
    CATEGORIES,
    DENSE,
    INPUTS,
    KEYED_INPUTS,
    NUMERIC,
    OBJECTIVES,
    TREES,
    impressions,
    keyed,
)

BASE_RATES = np.array([0.1, 0.4, 0.003, 0.25])
TOWERS = Towers(leaf_embedding_size=8, hidden=(16, 8), leaf_dropout=0.0, members=1)


def _network(
    towers: Towers = TOWERS,
    objectives: Sequence[Objective] = OBJECTIVES,
    inputs: TowerInputs = INPUTS,
    rates: np.ndarray = BASE_RATES,
) -> TwoTowerNetwork:
    return TwoTowerNetwork(inputs, towers, objectives, rates, seed=3)


def _batch(rows: int = 64) -> dict[str, np.ndarray]:
    batch = impressions(rows, seed=5).tensors()
    del batch[keys.LABELS]
    return batch


def _common(network: TwoTowerNetwork, batch: dict[str, np.ndarray], training: bool = False) -> np.ndarray:
    return np.concatenate([part.numpy() for part in network.common_input(batch, training)], axis=1)


@pytest.mark.parametrize("isotonic", [None, Isotonic(), Isotonic(by="device")])
def test_predicts_the_base_rates_before_the_first_step(isotonic: Isotonic | None) -> None:
    network = _network(Towers(hidden=(16,), isotonic=isotonic), inputs=KEYED_INPUTS)
    probabilities = tf.sigmoid(network(keyed(_batch()))).numpy()

    np.testing.assert_allclose(probabilities, np.tile(BASE_RATES, (64, 1)), rtol=1e-5)


@pytest.mark.parametrize(
    ("dense_input", "width"),
    [("none", DENSE), ("batch_norm", DENSE), ("projection", 2), ("batch_norm_projection", 2)],
)
def test_width_of_the_common_input(dense_input: Any, width: int) -> None:
    towers = Towers(leaf_embedding_size=4, hidden=(16,), dense_input=dense_input, dense_projection_size=2)

    common = _common(_network(towers), _batch())

    assert common.shape == (64, 4 * TREES + width + NUMERIC)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["photo#", "größe", "年齢", "-a", 'a"b', "a%b{x}:c"])
def test_a_dense_embedding_may_have_any_name_that_a_config_accepts(name: str) -> None:
    Features(numeric=("age",), dense=(DenseEmbedding(name, 4),))
    network = _network(inputs=TowerInputs(trees=TREES, leaves=INPUTS.leaves, numeric=0, dense={name: 4}))
    batch = {keys.LEAVES: tf.zeros([2, TREES], tf.int32), name: tf.zeros([2, 4])}
    # Keras checks the names of layers only in a graph.
    np.testing.assert_allclose(tf.function(network)(batch), network(batch), atol=1e-6)


def test_leaf_embeddings_lie_side_by_side_in_the_order_of_the_trees() -> None:
    network = _network()
    table = np.arange(INPUTS.leaves * 8, dtype=np.float32).reshape(-1, 8)
    network.leaf_embedding.embeddings.assign(table)
    leaves = _batch()[keys.LEAVES]

    common = _common(network, _batch())

    np.testing.assert_array_equal(common[:, : TREES * 8], table[leaves].reshape(64, -1))


def test_each_categorical_feature_has_vectors_of_its_own() -> None:
    network = _network(Towers(categorical_embedding_size=2, cross_rank=0), inputs=replace(KEYED_INPUTS, ids=()))
    assert network.category_embedding is not None
    table = np.arange(2.0 * sum(CATEGORIES)).reshape(-1, 2)
    network.category_embedding.embeddings.assign(table)
    batch = keyed(_batch())
    first, second = batch[keys.CATEGORICAL].T

    common = _common(network, batch)

    np.testing.assert_array_equal(common[:, -4:-2], table[first])
    np.testing.assert_array_equal(common[:, -2:], table[CATEGORIES[0] + second])


def test_the_cross_layer_multiplies_what_is_beside_the_leaves_with_each_other() -> None:
    crossed, plain = (_network(Towers(dense_input="none", cross_rank=rank), inputs=KEYED_INPUTS) for rank in (3, 0))
    assert crossed.cross is not None
    assert plain.cross is None
    batch, rng = keyed(_batch()), np.random.default_rng(1)
    # At first it is the identity.
    leaves = 4 * TREES
    x = _common(crossed, batch)
    down, up = crossed.cross.layers
    width = x.shape[1] - leaves
    assert down.kernel.shape == (width, 3)
    np.testing.assert_array_equal(x[:, leaves : leaves + DENSE], batch["content"])

    up.kernel.assign(rng.normal(size=up.kernel.shape))
    up.bias.assign(rng.normal(size=up.bias.shape))

    found, beside = _common(crossed, batch), x[:, leaves:]
    expected = beside + beside * (beside @ down.kernel.numpy() @ up.kernel.numpy() + up.bias.numpy())
    np.testing.assert_array_equal(found[:, :leaves], x[:, :leaves])
    np.testing.assert_allclose(found[:, leaves:], expected, rtol=1e-4, atol=1e-4)


def test_batch_norm_takes_out_the_scale_of_a_dense_embedding() -> None:
    network = _network(Towers(dense_input="batch_norm"))
    batch = _batch(2000)
    content = slice(8 * TREES, 8 * TREES + DENSE)

    plain = _common(network, batch, training=True)[:, content]
    scaled = _common(network, {**batch, "content": batch["content"] * 100}, training=True)[:, content]

    np.testing.assert_allclose(scaled, plain, atol=4e-3)
    np.testing.assert_allclose(plain.std(axis=0), 1.0, atol=0.01)


def test_without_numeric_and_dense_inputs() -> None:
    inputs = TowerInputs(trees=TREES, leaves=INPUTS.leaves, numeric=0, dense={})

    network = _network(inputs=inputs)

    assert _common(network, _batch()).shape == (64, 8 * TREES)
    assert network(_batch()).shape == (64, len(OBJECTIVES))


def test_logits_come_in_the_order_of_the_config() -> None:
    network = _network()
    assert network.tower_names == ("passive", "active")
    for tower, indices in zip(network.towers, network.tower_objectives, strict=True):
        tower.layers[-1].bias.assign(np.array(indices, np.float32))

    np.testing.assert_array_equal(network(_batch(2)).numpy(), [[0, 1, 2, 3], [0, 1, 2, 3]])


def test_a_tower_without_objectives_is_left_out() -> None:
    network = _network(objectives=(Objective(name="click", tower="passive"),), rates=np.array([0.2]))

    assert network.tower_names == ("passive",)
    assert len(network.first_layer.kernels) == 1
    assert network(_batch()).shape == (64, 1)


def test_shared_is_one_tower_for_every_objective() -> None:
    network = _network(Towers(shared=True))

    assert network.tower_names == ("shared",)
    assert network.tower_objectives == ((0, 1, 2, 3),)


def _gradient_of(network: TwoTowerNetwork, objective: str, variables: Sequence[Any]) -> list[np.ndarray]:
    index = [o.name for o in OBJECTIVES].index(objective)
    # Behind the zero weights of a fresh output layer no gradient would pass in any tower.
    for tower in network.towers:
        tower.layers[-1].kernel.assign(np.full(tower.layers[-1].kernel.shape, 0.1))
    with tf.GradientTape() as tape:
        logit = network(_batch(), training=True)[:, index]
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.ones_like(logit), logit))
    gradients = tape.gradient(loss, [v.value for v in variables], unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return [tf.convert_to_tensor(g).numpy() for g in gradients]


@pytest.mark.parametrize(
    ("objective", "own", "other"), [("share", "active", "passive"), ("dwell", "passive", "active")]
)
def test_towers_share_no_weights_but_their_input(objective: str, own: str, other: str) -> None:
    network = _network()

    assert all(np.any(g != 0) for g in _gradient_of(network, objective, network.tower_weights(own)))
    assert all(np.all(g == 0) for g in _gradient_of(network, objective, network.tower_weights(other)))
    assert np.any(_gradient_of(network, objective, [network.leaf_embedding.embeddings])[0] != 0)
    names = [{id(v) for v in network.tower_weights(tower)} for tower in ("passive", "active")]
    assert not names[0] & names[1]


def test_dropout_acts_in_training_only() -> None:
    network = _network(Towers(hidden=(16, 8), dropout=0.5, leaf_dropout=0.0, members=1))
    network.towers[0].layers[-1].kernel.assign(np.ones((8, 2)))
    batch = _batch()

    np.testing.assert_array_equal(network(batch), network(batch))
    assert np.any(network(batch, training=True) != network(batch, training=True))


@pytest.mark.parametrize("members", [1, 3])
def test_layers_of_equal_width_can_follow_each_other(members: int) -> None:
    assert _network(replace(TOWERS, hidden=(8, 8, 8, 8), members=members))(_batch()).shape == (64, 4)


def test_first_layer_starts_with_units_of_moderate_size_however_many_trees() -> None:
    for trees in (10, 400):
        inputs = TowerInputs(trees=trees, leaves=trees * 16, numeric=0, dense={})
        network = _network(Towers(hidden=(256,)), inputs=inputs)
        leaves = np.random.default_rng(1).integers(0, 16, (200, trees)) + np.arange(trees) * 16

        units = network.first_layer(network.common_input({keys.LEAVES: leaves.astype(np.int32)}))[0].numpy()

        assert 0.2 < units.std() < 1.5


def test_initial_weights_depend_on_the_seed_alone() -> None:
    first, again, other = (
        TwoTowerNetwork(INPUTS, TOWERS, OBJECTIVES, BASE_RATES, seed).get_weights() for seed in (1, 1, 2)
    )

    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_base_rates_of_zero_or_one_are_refused() -> None:
    with pytest.raises(ValueError, match=r"base_rates: one number in \(0, 1\)"):
        _network(rates=np.array([0.1, 0.4, 0.0, 0.25]))


def test_calibration_is_the_last_layer_and_by_the_key_of_each_impression() -> None:
    network = _network(Towers(hidden=(16,), isotonic=Isotonic(by="device")), inputs=KEYED_INPUTS)
    batch = keyed(_batch())
    for tower in network.towers:
        tower.layers[-1].kernel.assign(np.random.default_rng(1).normal(size=tower.layers[-1].kernel.shape))
    before = network(batch).numpy()
    shifts = np.arange(12.0).reshape(3, len(OBJECTIVES))
    assert network.calibration is not None
    network.calibration.key_bias.assign(shifts)

    np.testing.assert_allclose(network(batch) - before, shifts[batch[keys.CALIBRATION_KEY][:, 0]], atol=1e-5)


def test_a_calibration_key_that_is_no_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"towers\.isotonic\.by: 'device' is the key, but the inputs"):
        _network(Towers(isotonic=Isotonic(by="device")))


def test_sizes_come_from_what_transform_wrote() -> None:
    spec: dict[str, Any] = {
        "content": tf.io.FixedLenFeature([DENSE], tf.float32),
        keys.NUMERIC: tf.io.FixedLenFeature([NUMERIC], tf.float32),
    }
    device = Categorical("device", vocabulary_size=5)
    features = Features(numeric=("age",), categorical=(device,), dense=(DenseEmbedding("content", DENSE),))
    pictures_none = Features(numeric=("age",))
    pictures = Features(numeric=("age",), dense=(DenseEmbedding("picture", DENSE),))
    leaves_alone = Towers(categorical_embedding_size=0)
    by_device = Towers(categorical_embedding_size=0, isotonic=Isotonic(by="device"))

    assert tower_inputs(spec, features, leaves_alone, TREES, INPUTS.leaves) == INPUTS
    with pytest.raises(ValueError, match=r"'categorical', which the towers read, is not among its outputs"):
        tower_inputs(spec, features, Towers(), TREES, INPUTS.leaves)
    spec[keys.CATEGORICAL] = tf.io.FixedLenFeature([1], tf.int64)
    # Five values, the others, and a missing one.
    assert tower_inputs(spec, features, Towers(), TREES, INPUTS.leaves).categorical == (7,)
    assert tower_inputs(spec, pictures_none, Towers(), TREES, INPUTS.leaves).categorical == ()
    assert tower_inputs(spec, features, Towers(numeric_input=False), TREES, INPUTS.leaves).numeric == 0
    with pytest.raises(ValueError, match="'picture' is not among its outputs"):
        tower_inputs(spec, pictures, Towers(), TREES, INPUTS.leaves)
    with pytest.raises(ValueError, match=r"'calibration_key', which .* is not among its outputs"):
        tower_inputs(spec, features, by_device, TREES, INPUTS.leaves)
    spec[keys.CALIBRATION_KEY] = tf.io.FixedLenFeature([1], tf.int64)
    assert tower_inputs(spec, features, by_device, TREES, INPUTS.leaves).calibration_keys == 7
    assert keys.CALIBRATION_KEY not in tower_inputs(spec, features, Towers(), TREES, INPUTS.leaves).tensor_specs()
