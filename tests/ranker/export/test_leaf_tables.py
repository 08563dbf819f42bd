"""Other forms of the leaf table give the scores of the trained one, within their error bounds."""

import numpy as np
import pytest
import tensorflow as tf

from ranker import keys
from ranker.config.towers import Isotonic, Towers
from ranker.export.leaf_tables import FoldedLogits, QuantisedLogits, TrainedLogits, make_logits, quantise
from ranker.forest.graph import ForestLeaves
from ranker.forest.graph.codes import has_codes
from ranker.forest.margins import ForestMargins
from ranker.towers.inputs import TowerInputs
from ranker.towers.network import TwoTowerNetwork
from tests.ranker.export.feed import OBJECTIVES, TinyFeed, make_towers
from tests.ranker.forest.boosters import grow, leaves_by_xgboost


def _probabilities(logits: TrainedLogits, feed: TinyFeed) -> np.ndarray:
    batch = {name: tf.constant(values) for name, values in feed.batch().items()}
    return tf.sigmoid(tf.function(logits)(batch)).numpy()


@pytest.mark.slow
def test_the_trained_table_scores_as_the_network(feed: TinyFeed) -> None:
    expected = tf.sigmoid(feed.network(feed.batch())).numpy()

    np.testing.assert_allclose(
        _probabilities(TrainedLogits(feed.network, ForestLeaves(feed.forest)), feed), expected, atol=1e-6
    )


def test_an_ensemble_scores_as_the_network(feed: TinyFeed) -> None:
    towers = Towers(leaf_embedding_size=3, hidden=(8, 6), dense_projection_size=2, members=3, dropout=0.3)
    network = TwoTowerNetwork(feed.inputs, towers, OBJECTIVES, np.full(len(OBJECTIVES), 0.2), seed=1)
    rng = np.random.default_rng(2)
    for variable in network.variables:
        variable.assign(variable + np.abs(rng.normal(scale=0.2, size=variable.shape)))
    expected = tf.sigmoid(network(feed.batch())).numpy()

    logits = TrainedLogits(network, ForestLeaves(feed.forest))
    exported = _probabilities(logits, feed)

    # The random states of dropout are named by a counter of the process, so they would make equal models differ.
    assert not [variable.name for variable in logits.variables if "seed" in variable.name]
    assert any("seed" in variable.path for variable in network.variables)
    assert expected.std() > 0
    np.testing.assert_allclose(exported, expected, atol=1e-6)


SHAPES = {
    "plain": Towers(leaf_embedding_size=4, hidden=(8, 6), members=1),
    "one layer": Towers(leaf_embedding_size=2, hidden=(8,), members=1),
    "one tower": Towers(leaf_embedding_size=4, hidden=(8, 6), members=1, shared=True),
    "one tower, members": Towers(leaf_embedding_size=4, hidden=(8, 6, 4), members=3, shared=True),
    "members, one layer": Towers(leaf_embedding_size=4, hidden=(8,), members=2),
    "no cross": Towers(hidden=(8, 6), cross_rank=0),
    "vectors as they are": Towers(hidden=(8, 6), dense_input="none"),
    "normalised vectors": Towers(hidden=(8, 6), dense_input="batch_norm"),
    "projected vectors": Towers(hidden=(8, 6), dense_input="projection", dense_projection_size=2),
    "dropout": Towers(hidden=(8, 6), dropout=0.3),
    "isotonic": Towers(hidden=(8, 6), isotonic=Isotonic()),
    "isotonic by device": Towers(hidden=(8, 6), isotonic=Isotonic(by="device")),
}


@pytest.fixture(scope="module", params=SHAPES)
def shaped(feed: TinyFeed, request: pytest.FixtureRequest) -> tuple[TowerInputs, TwoTowerNetwork]:
    """Towers of each shape."""
    return make_towers(feed.graph, feed.forest, SHAPES[request.param], feed.transformed[keys.LABELS])


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_folded_towers_score_as_the_network_and_the_forest(
    feed: TinyFeed, shaped: tuple[TowerInputs, TwoTowerNetwork], share: float
) -> None:
    inputs, network = shaped
    batch = {name: {**feed.transformed, keys.LEAVES: feed.leaves}[name] for name in inputs.tensor_specs()}
    margins = ForestMargins(feed.forest, np.array([0.5, -1.0, 0.25], np.float32))
    expected = network(batch).numpy()
    if share:
        expected = (1 - share) * expected + share * margins(feed.leaves).numpy()

    logits = make_logits(network, "float32", ForestLeaves(feed.forest), margins if share else None, share)
    features = tf.constant(feed.transformed[keys.FOREST_FEATURES])
    others = {name: tf.constant(values) for name, values in batch.items() if name != keys.LEAVES}

    assert np.abs(expected).max() < 50
    by_leaves = tf.function(logits)({name: tf.constant(values) for name, values in batch.items()})
    by_features = tf.function(logits.of_features)(features, others)
    for found in (by_leaves, by_features):
        np.testing.assert_allclose(tf.sigmoid(found), tf.sigmoid(expected), atol=1e-6)
        np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-5)


def test_towers_without_anything_but_leaves(feed: TinyFeed) -> None:
    inputs = TowerInputs(feed.forest.trees, feed.forest.leaves, 0, {})
    network = TwoTowerNetwork(inputs, Towers(hidden=(8, 6)), OBJECTIVES, np.full(len(OBJECTIVES), 0.2), seed=1)
    for variable in network.variables:
        variable.assign(variable + 0.1)
    found = make_logits(network, "float32", ForestLeaves(feed.forest)).of_features(
        tf.constant(feed.transformed[keys.FOREST_FEATURES]), {}
    )
    np.testing.assert_allclose(found, network({keys.LEAVES: feed.leaves}), atol=1e-5, rtol=1e-5)


def test_a_deep_forest_is_read_by_its_leaves(feed: TinyFeed) -> None:
    features = feed.transformed[keys.FOREST_FEATURES]
    forest = grow(features, 2, 2, np.random.default_rng(0), max_depth=12)
    assert not has_codes(forest)
    inputs = TowerInputs(forest.trees, forest.leaves, 0, {})
    objectives = OBJECTIVES[:2]
    network = TwoTowerNetwork(inputs, Towers(hidden=(8, 6)), objectives, np.full(2, 0.2), seed=1)
    logits = make_logits(network, "float32", ForestLeaves(forest), ForestMargins(forest), 0.5)
    leaves = leaves_by_xgboost(forest, features).astype(np.int32)
    expected = 0.5 * network({keys.LEAVES: leaves}) + 0.5 * ForestMargins(forest)(leaves)
    np.testing.assert_allclose(logits.of_features(tf.constant(features), {}), expected, atol=1e-5, rtol=1e-5)


def test_folding_changes_a_score_by_rounding_only(feed: TinyFeed) -> None:
    expected = tf.sigmoid(feed.network(feed.batch())).numpy()

    folded = _probabilities(FoldedLogits(feed.network, ForestLeaves(feed.forest)), feed)

    np.testing.assert_allclose(folded, expected, atol=1e-5)


@pytest.mark.parametrize("depth", [3, 12])
def test_products_of_less_precision_change_a_score_a_little(feed: TinyFeed, depth: int) -> None:
    features = feed.transformed[keys.FOREST_FEATURES]
    forest = grow(features, len(OBJECTIVES), 2, np.random.default_rng(0), max_depth=depth)
    inputs, network = make_towers(feed.graph, forest, Towers(hidden=(8, 6)), feed.transformed[keys.LABELS])
    others = {name: tf.constant(feed.transformed[name]) for name in inputs.tensor_specs() if name != keys.LEAVES}
    leaves = tf.constant(leaves_by_xgboost(forest, features).astype(np.int32))
    expected = tf.sigmoid(network({**others, keys.LEAVES: leaves})).numpy()

    logits = make_logits(network, "bfloat16", ForestLeaves(forest))

    assert {v.dtype for v in logits.variables if v.shape[0] > forest.leaves - 1 and v.shape.rank == 2} >= {tf.bfloat16}
    for found in (logits({**others, keys.LEAVES: leaves}), logits.of_features(tf.constant(features), others)):
        assert found.dtype == tf.float32
        assert 0 < np.abs(tf.sigmoid(found) - expected).max() < 1e-2


def test_quantising_changes_a_score_a_little(feed: TinyFeed) -> None:
    expected = tf.sigmoid(feed.network(feed.batch())).numpy()

    quantised = _probabilities(QuantisedLogits(feed.network, ForestLeaves(feed.forest)), feed)

    assert 0 < np.abs(quantised - expected).max() < 5e-3


def test_quantised_numbers_are_off_by_half_a_step() -> None:
    vectors = np.random.default_rng(0).normal(size=(500, 8)).astype(np.float32)
    vectors[3] = 0.25  # a constant vector

    codes, steps = quantise(vectors)

    step, low = steps.astype(np.float32).T[:, :, np.newaxis]
    assert np.all(np.abs(codes * step + low - vectors) <= step / 2 + 2e-3)
    np.testing.assert_allclose(codes[3] * step[3] + low[3], 0.25, atol=1e-3)


@pytest.mark.parametrize(("table", "share"), [("int8", 0.6), ("folded", 8.5)])
def test_only_the_requested_form_is_stored(feed: TinyFeed, table: str, share: float) -> None:
    logits = make_logits(feed.network, table, ForestLeaves(feed.forest))  # type: ignore[arg-type]

    first = feed.network.first_layer
    kept = {id(variable) for variable in logits.variables}
    replaced = (feed.network.leaf_embedding.embeddings, *first.kernels, *first.biases)
    assert not kept & {id(variable.value) for variable in replaced}
    original = feed.network.leaf_embedding.embeddings
    leaves = [v for v in logits.variables if v.shape[0] == original.shape[0]]
    size = sum(v.numpy().nbytes for v in leaves)
    assert size == pytest.approx(share * original.numpy().nbytes, rel=0.2)
