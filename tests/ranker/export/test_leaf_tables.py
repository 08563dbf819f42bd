"""Other forms of the leaf table give the scores of the trained one, within their error bounds."""

import numpy as np
import pytest
import tensorflow as tf

from ranker.config.towers import Towers
from ranker.export.leaf_tables import FoldedLogits, QuantisedLogits, TrainedLogits, make_logits, quantise
from ranker.towers.network import TwoTowerNetwork
from tests.ranker.export.feed import OBJECTIVES, TinyFeed


def _probabilities(logits: TrainedLogits, feed: TinyFeed) -> np.ndarray:
    batch = {name: tf.constant(values) for name, values in feed.batch().items()}
    return tf.sigmoid(tf.function(logits)(batch)).numpy()


def test_the_trained_table_scores_as_the_network(feed: TinyFeed) -> None:
    expected = tf.sigmoid(feed.network(feed.batch())).numpy()

    np.testing.assert_allclose(
        _probabilities(TrainedLogits(feed.network, feed.forest.first_leaf), feed), expected, atol=1e-6
    )


def test_an_ensemble_scores_as_the_network(feed: TinyFeed) -> None:
    towers = Towers(leaf_embedding_size=3, hidden=(8, 6), dense_projection_size=2, members=3)
    network = TwoTowerNetwork(feed.inputs, towers, OBJECTIVES, np.full(len(OBJECTIVES), 0.2), seed=1)
    rng = np.random.default_rng(2)
    for variable in network.variables:
        variable.assign(variable + np.abs(rng.normal(scale=0.2, size=variable.shape)))
    expected = tf.sigmoid(network(feed.batch())).numpy()

    logits = TrainedLogits(network, feed.forest.first_leaf)
    exported = _probabilities(logits, feed)

    # The random states of dropout are named by a counter of the process, so they would make equal models differ.
    assert not [variable.name for variable in logits.variables if "seed" in variable.name]
    assert any("seed" in variable.path for variable in network.variables)
    assert expected.std() > 0
    np.testing.assert_allclose(exported, expected, atol=1e-6)


def test_folding_changes_a_score_by_rounding_only(feed: TinyFeed) -> None:
    expected = tf.sigmoid(feed.network(feed.batch())).numpy()

    folded = _probabilities(FoldedLogits(feed.network, feed.forest.first_leaf), feed)

    np.testing.assert_allclose(folded, expected, atol=1e-5)


def test_quantising_changes_a_score_a_little(feed: TinyFeed) -> None:
    expected = tf.sigmoid(feed.network(feed.batch())).numpy()

    quantised = _probabilities(QuantisedLogits(feed.network, feed.forest.first_leaf), feed)

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
    logits = make_logits(feed.network, table, feed.forest.first_leaf)  # type: ignore[arg-type]

    first = feed.network.first_layer
    kept = {id(variable) for variable in logits.variables}
    replaced = (feed.network.leaf_embedding.embeddings, *first.kernels, *first.biases)
    assert not kept & {id(variable.value) for variable in replaced}
    original = feed.network.leaf_embedding.embeddings
    leaves = [v for v in logits.variables if v.shape[0] == original.shape[0]]
    size = sum(v.numpy().nbytes for v in leaves)
    assert size == pytest.approx(share * original.numpy().nbytes, rel=0.2)
