"""The pull of an incremental update, compared with its formula."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from ranker.config.towers import Towers
from ranker.config.training import Training
from ranker.towers.fisher import fisher_diagonal
from ranker.towers.pull import incremental_start
from ranker.towers.state import Snapshot, TowerState, snapshot
from ranker.towers.train import train_towers
from tests.ranker.towers.planted import INPUTS, OBJECTIVES, impressions

pytestmark = pytest.mark.slow

STRENGTH, ALPHA = 3.0, 0.25
TOWERS = Towers(leaf_embedding_size=3, hidden=(8,), dense_projection_size=2)
TRAINING = Training(epochs=1, batch_size=64, learning_rate=1e-2, warmup_fraction=0.0)


def arrays(seed: int, low: float = -1.0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    return tuple(rng.uniform(low, 1.0, shape).astype(np.float32) for shape in ((4, 3), (5,)))


@pytest.fixture
def state() -> TowerState:
    return TowerState(
        "forest",
        latest=Snapshot(arrays(1), (np.ones(2, np.float32),), arrays(2, low=0.0)),
        cold=Snapshot(arrays(3), (np.zeros(2, np.float32),), arrays(4, low=0.0)),
    )


def written_out(w: tuple[np.ndarray, ...], state: TowerState) -> float:
    """lambda / 2 · [alpha (w - w0)ᵀ H0 (w - w0) + (1 - alpha) (w - w1)ᵀ H1 (w - w1)]"""
    assert state.cold is not None
    total = 0.0
    for share, of in ((ALPHA, state.cold), (1 - ALPHA, state.latest)):
        for x, x_of, h in zip(w, of.trainable, of.fisher, strict=True):
            total += share * float(np.sum(h * (x - x_of) ** 2))
    return 0.5 * STRENGTH * total


def test_the_penalty_is_the_papers_up_to_a_constant(state: TowerState) -> None:
    _, pull = incremental_start(state, STRENGTH, ALPHA)
    one, other = arrays(5), arrays(6)
    ours = float(pull.penalty(one) - pull.penalty(other))
    assert ours == pytest.approx(written_out(one, state) - written_out(other, state), rel=1e-4)


def test_training_starts_between_the_two_but_keeps_the_latest_averages(state: TowerState) -> None:
    start, _ = incremental_start(state, STRENGTH, ALPHA)
    assert state.cold is not None
    for w, w0, w1 in zip(start.trainable, state.cold.trainable, state.latest.trainable, strict=True):
        np.testing.assert_allclose(w, ALPHA * w0 + (1 - ALPHA) * w1, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(start.other[0], state.latest.other[0])


def test_a_weight_without_information_is_not_pulled(state: TowerState) -> None:
    nothing = tuple(np.zeros_like(h) for h in state.latest.fisher)
    assert state.cold is not None
    undetermined = TowerState("forest", replace(state.latest, fisher=nothing), replace(state.cold, fisher=nothing))
    _, pull = incremental_start(undetermined, STRENGTH, ALPHA)
    assert float(pull.penalty(arrays(5))) == 0.0
    for target, w1 in zip(pull.target, state.latest.trainable, strict=True):
        np.testing.assert_array_equal(target, w1)


def test_without_fisher_information_there_is_no_update(state: TowerState) -> None:
    for without in (replace(state, cold=None), replace(state, latest=replace(state.latest, fisher=()))):
        with pytest.raises(ValueError, match="carry no Fisher information"):
            incremental_start(without, STRENGTH, ALPHA)


def test_the_stronger_the_pull_the_nearer_the_towers_stay() -> None:
    """The outcomes are inverted, so that the new impressions move the weights far away."""
    data = impressions(1_000, seed=1)
    three_epochs = replace(TRAINING, epochs=3)
    cold = train_towers(data.batches(64, 3), data.counts(), INPUTS, OBJECTIVES, TOWERS, three_epochs).network
    before = snapshot(cold, fisher_diagonal(cold, data.batches(64), INPUTS, rows=1_000))
    state = TowerState("forest", before, cold=before)
    turned = data.with_labels(1 - data.labels)

    moved = []
    for strength in (0.0, 30.0, 1_000.0):
        start, pull = incremental_start(state, strength, cold_share=0.1)
        trained = train_towers(
            turned.batches(64, 3), turned.counts(), INPUTS, OBJECTIVES, TOWERS, three_epochs, start=start, pull=pull
        )
        after = snapshot(trained.network)
        moved.append(
            sum(
                float(np.sum(h * (w - w1) ** 2))
                for h, w, w1 in zip(before.fisher, after.trainable, before.trainable, strict=True)
            )
        )
        # The reported loss is that of the impressions alone: the pull's term would dwarf it.
        assert trained.history.loss[-1] < 20.0
    assert moved[0] > moved[1] > moved[2]
    assert moved[0] > 4 * moved[2]


def test_a_warm_start_begins_where_the_last_training_ended() -> None:
    data = impressions(1_000, seed=1)
    first = train_towers(data.batches(64), data.counts(), INPUTS, OBJECTIVES, TOWERS, TRAINING)
    still = replace(TRAINING, learning_rate=1e-12)
    again = train_towers(
        data.batches(64), data.counts(), INPUTS, OBJECTIVES, TOWERS, still, start=snapshot(first.network)
    )
    assert again.history.loss[0] < first.history.loss[0]
    batch = {name: tf.constant(array) for name, array in data.tensors().items()}
    # Except for the moving averages of batch normalisation.
    np.testing.assert_allclose(first.network(batch), again.network(batch), atol=0.1)
