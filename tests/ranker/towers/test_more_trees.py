"""Towers that read more trees than in the earlier training."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from ranker import keys
from ranker.config.towers import Towers
from ranker.towers.more_trees import with_more_trees
from ranker.towers.network import TwoTowerNetwork
from ranker.towers.pull import incremental_start
from ranker.towers.state import Snapshot, TowerState, restore, snapshot
from tests.ranker.towers.planted import INPUTS, OBJECTIVES, impressions

pytestmark = pytest.mark.slow

TOWERS = Towers(leaf_embedding_size=3, hidden=(8,), dense_projection_size=2, members=2)
MORE_TREES, MORE_LEAVES = 2, 5
MORE = replace(INPUTS, trees=INPUTS.trees + MORE_TREES, leaves=INPUTS.leaves + MORE_LEAVES)
RATES = np.full(len(OBJECTIVES), 0.3)


def network(inputs: object, seed: int) -> TwoTowerNetwork:
    """With random weights everywhere; a new one has kernels of 0 in its last layer."""
    made = TwoTowerNetwork(inputs, TOWERS, OBJECTIVES, RATES, seed)  # type: ignore[arg-type]
    rng = np.random.default_rng(seed)
    for weight in made.trainable_weights:
        weight.assign(rng.normal(0.0, 0.5, weight.shape))
    return made


def predictions(network: TwoTowerNetwork, more: int = 0) -> np.ndarray:
    tensors = impressions(50, seed=1).tensors()
    rng = np.random.default_rng(2)
    new = rng.integers(INPUTS.leaves, INPUTS.leaves + MORE_LEAVES, (50, more))
    tensors[keys.LEAVES] = np.concatenate([tensors[keys.LEAVES], new], axis=1).astype(np.int32)
    return np.asarray(network({name: tf.constant(values) for name, values in tensors.items()}))


@pytest.fixture(scope="module")
def earlier() -> TwoTowerNetwork:
    return network(INPUTS, seed=3)


def test_they_predict_what_they_did_and_can_learn_from_the_new_leaves(earlier: TwoTowerNetwork) -> None:
    new = TwoTowerNetwork(MORE, TOWERS, OBJECTIVES, RATES, seed=4)
    state = with_more_trees(TowerState("old", snapshot(earlier)), INPUTS.trees, "new", new)
    assert (state.forest_fingerprint, state.cold) == ("new", None)
    restore(new, state.latest)
    np.testing.assert_allclose(predictions(new, MORE_TREES), predictions(earlier), rtol=1e-5, atol=1e-6)
    table = new.leaf_embedding.embeddings.numpy()
    np.testing.assert_array_equal(table[: INPUTS.leaves], earlier.leaf_embedding.embeddings.numpy())
    # A kernel of 0 learns only if the embeddings are not 0, too.
    assert np.all(np.abs(table[INPUTS.leaves :]).sum(axis=1) > 0)
    begin, end = INPUTS.trees * 3, MORE.trees * 3
    for kernel in new.first_layer.kernels:
        assert not kernel.numpy()[begin:end].any()
        kernel.assign(tf.ones_like(kernel))
    assert not np.allclose(predictions(new, MORE_TREES), predictions(earlier))


def test_an_incremental_start_is_free_to_move_what_is_new(earlier: TwoTowerNetwork) -> None:
    fisher = [np.ones(weight.shape, np.float32) for weight in earlier.trainable_weights]
    monday, tuesday = snapshot(earlier, fisher), snapshot(network(INPUTS, seed=5), fisher)
    new = TwoTowerNetwork(MORE, TOWERS, OBJECTIVES, RATES, seed=4)
    state = with_more_trees(TowerState("old", tuesday, monday), INPUTS.trees, "new", new)
    assert state.cold is not None
    assert state.cold is not state.latest
    start, pull = incremental_start(state, strength=1.0, cold_share=0.5)
    restore(new, start)
    [table] = [s for s in pull.stiffness if s.shape == (MORE.leaves, 3)]
    assert np.all(table.numpy()[: INPUTS.leaves] == 1)
    assert not table.numpy()[INPUTS.leaves :].any()
    both = with_more_trees(TowerState("old", monday, monday), INPUTS.trees, "new", new)
    assert both.cold is both.latest


def test_the_state_of_another_network_is_refused(earlier: TwoTowerNetwork) -> None:
    fewer = snapshot(earlier)
    state = TowerState("old", Snapshot(fewer.trainable[:-1], fewer.other))
    new = TwoTowerNetwork(MORE, TOWERS, OBJECTIVES, RATES, seed=4)
    with pytest.raises(ValueError, match="another network needs a cold start"):
        with_more_trees(state, INPUTS.trees, "new", new)
