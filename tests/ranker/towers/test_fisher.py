"""The Fisher information compared with its definition, one impression at a time."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ranker import keys
from ranker.config.towers import Isotonic, Towers
from ranker.towers.blend import Blend
from ranker.towers.fisher import fisher_diagonal
from ranker.towers.network import TwoTowerNetwork
from tests.ranker.towers.planted import KEYED_INPUTS, OBJECTIVES, impressions

ROWS = 20
RATES = np.array([0.1, 0.4, 0.05, 0.5])


def network_of(towers: Towers) -> TwoTowerNetwork:
    """A network in which no weight has its initial zero."""
    network = TwoTowerNetwork(KEYED_INPUTS, towers, OBJECTIVES, RATES, seed=1)
    rng = np.random.default_rng(2)
    for weight in network.weights:
        weight.assign(weight + np.abs(rng.normal(scale=0.2, size=weight.shape)))
    return network


def squared_gradients(network: TwoTowerNetwork, rows: int, blend: Blend | None = None) -> list[np.ndarray]:
    """The definition: the mean over impressions of the squared gradient of each impression's loss."""
    totals = [np.zeros(weight.shape) for weight in network.trainable_weights]
    for batch in impressions(rows, seed=3).batches(1):
        with tf.GradientTape() as tape:
            logits = network(batch, training=False)
            if blend is not None:
                logits = blend(logits, batch[keys.LEAVES])
            loss = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(batch[keys.LABELS], logits))
        for total, gradient in zip(
            totals, tape.gradient(loss, [weight.value for weight in network.trainable_weights]), strict=True
        ):
            total += np.square(tf.convert_to_tensor(gradient).numpy())
    return [total / rows for total in totals]


@pytest.mark.slow
@pytest.mark.parametrize(
    "towers",
    [
        Towers(leaf_embedding_size=3, hidden=(8, 6), dense_projection_size=2),
        Towers(leaf_embedding_size=2, hidden=(8, 6), categorical_embedding_size=0, cross_rank=0),
        Towers(leaf_embedding_size=2, hidden=(8, 6), categorical_embedding_size=3, cross_rank=2, numeric_input=False),
        Towers(leaf_embedding_size=2, hidden=(5,), dense_input="none", shared=True, dropout=0.5),
        Towers(leaf_embedding_size=2, hidden=(5, 4, 3), dense_input="batch_norm"),
        Towers(leaf_embedding_size=2, hidden=(5, 4), members=3, leaf_dropout=0.5),
        Towers(leaf_embedding_size=2, hidden=(5,), members=2, shared=True, isotonic=Isotonic(buckets=5)),
        Towers(leaf_embedding_size=2, hidden=(5,), isotonic=Isotonic(buckets=5)),
        Towers(leaf_embedding_size=2, hidden=(5,), isotonic=Isotonic(buckets=5, low=-3.0, high=1.0, by="device")),
    ],
)
def test_it_is_the_mean_of_each_impressions_squared_gradient(towers: Towers) -> None:
    network = network_of(towers)
    found = fisher_diagonal(network, impressions(ROWS, seed=3).batches(16), KEYED_INPUTS, rows=1000)
    expected = squared_gradients(network, ROWS)
    assert [array.shape for array in found] == [tuple(w.shape) for w in network.trainable_weights]
    for weight, ours, theirs in zip(network.trainable_weights, found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=1e-9, err_msg=weight.path)


@pytest.mark.slow
def test_the_fisher_information_is_that_of_the_served_blend() -> None:
    network = network_of(Towers(leaf_embedding_size=2, hidden=(5,)))
    blend = Blend(lambda leaves: tf.fill([tf.shape(leaves)[0], len(OBJECTIVES)], -2.0), share=0.3)
    found = fisher_diagonal(network, impressions(ROWS, seed=3).batches(16), KEYED_INPUTS, 1000, blend)
    for ours, theirs in zip(found, squared_gradients(network, ROWS, blend), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=1e-9)


@pytest.mark.slow
def test_no_more_rows_are_read_than_requested() -> None:
    network = network_of(Towers(leaf_embedding_size=2, hidden=(4,)))
    first = fisher_diagonal(network, impressions(20, seed=3).batches(16), KEYED_INPUTS, rows=20)
    # The rows after the twentieth would change the result.
    capped = fisher_diagonal(network, impressions(20, seed=3).batches(16).repeat(2), KEYED_INPUTS, rows=20)
    for one, other in zip(first, capped, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_weight_without_a_rule_is_an_error_and_not_a_zero() -> None:
    network = network_of(Towers(leaf_embedding_size=2, hidden=(4,), members=1))
    network.towers[0].add(keras.layers.PReLU())
    with pytest.raises(NotImplementedError, match=r"no rule for the weights \['.*p_re_lu"):
        fisher_diagonal(network, impressions(4, seed=3).batches(4), KEYED_INPUTS, rows=4)


def test_without_impressions_there_is_nothing_to_average() -> None:
    network = network_of(Towers(leaf_embedding_size=2, hidden=(4,)))
    with pytest.raises(ValueError, match="no impression to average over"):
        fisher_diagonal(network, [], KEYED_INPUTS, rows=4)
