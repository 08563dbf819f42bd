"""A chain of days, each of which continues from the previous one."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from ranker import keys
from ranker.config.retraining import Retraining
from ranker.config.towers import Towers
from ranker.config.training import Training
from ranker.towers.blend import Blend
from ranker.towers.retrain import Task, retrain
from ranker.towers.state import TowerState
from tests.ranker.towers.planted import INPUTS, OBJECTIVES, Impressions, impressions

pytestmark = pytest.mark.slow

# Without dropout and ensemble, so that a few steps on a few rows learn what they have to.
TOWERS = Towers(leaf_embedding_size=3, hidden=(8,), dense_projection_size=2, leaf_dropout=0.0, members=1)
TRAINING = Training(epochs=4, batch_size=64, learning_rate=1e-2)
DAYS = [impressions(600, seed=day) for day in range(3)]


def day(
    data: Impressions, start: str, retraining: Retraining, parent: TowerState | None = None, forest: str = "forest"
) -> tuple[float, TowerState]:
    """Trains on a day; returns its first loss and its final state."""
    task = Task(data.counts(), INPUTS, OBJECTIVES, TOWERS, TRAINING, retraining, forest, None)
    trained, state = retrain(start, task, lambda: data.batches(64, 4), parent)  # type: ignore[arg-type]
    return trained.history.loss[0], state


@pytest.fixture(scope="module")
def cold() -> tuple[float, TowerState]:
    """The first loss and the final state of a cold start on the first day."""
    return day(DAYS[0], "cold", Retraining())


def test_a_warm_day_starts_from_the_weights_of_the_day_before(cold: tuple[float, TowerState]) -> None:
    cold_loss, monday = cold
    warm_loss, tuesday = day(DAYS[1], "warm", Retraining(start="warm"), monday)
    assert warm_loss < 0.98 * cold_loss
    assert monday.cold is None
    assert tuesday.latest.fisher == ()


@pytest.mark.parametrize("start", ["warm", "incremental"])
@pytest.mark.parametrize("trained", [False, True])
def test_a_later_day_trains_the_leaf_embeddings_only_if_asked_to(start: str, trained: bool) -> None:
    asked_to = {"train_leaf_embeddings": True} if trained else {}
    settings = Retraining(start=start, **asked_to)  # type: ignore[arg-type]
    state = day(DAYS[0], "cold", settings)[1]
    monday, tuesday = state.latest.trainable, day(DAYS[1], start, settings, state)[1].latest.trainable
    assert monday[0].shape == (INPUTS.leaves, TOWERS.leaf_embedding_size)
    assert np.array_equal(monday[0], tuesday[0]) == (not trained)
    assert not any(np.array_equal(before, after) for before, after in zip(monday[1:], tuesday[1:], strict=True))


def test_towers_without_leaves_start_warm_and_incrementally() -> None:
    inputs = replace(INPUTS, trees=0, leaves=0)
    settings = Retraining(start="incremental", fisher_strength=1.0)
    task = Task(DAYS[0].counts(), inputs, OBJECTIVES, TOWERS, TRAINING, settings, "forest", None)
    cold, monday = retrain("cold", task, lambda: DAYS[0].batches(64, 4))  # type: ignore[arg-type]
    assert [h.shape for h in monday.latest.fisher] == [w.shape for w in monday.latest.trainable]
    for start in ("warm", "incremental"):
        trained, _ = retrain(start, task, lambda: DAYS[1].batches(64, 4), monday)  # type: ignore[arg-type]
        # Without leaves there is less to learn: it begins with more than half of what the cold start learnt.
        learnt = cold.history.loss[0] - cold.history.loss[-1]
        assert trained.history.loss[0] < cold.history.loss[0] - 0.5 * learnt


def test_a_warm_day_has_a_lower_peak_rate(cold: tuple[float, TowerState]) -> None:
    data = DAYS[0]
    peaks = []
    for start, parent in (("cold", None), ("warm", cold[1])):
        task = Task(
            data.counts(), INPUTS, OBJECTIVES, TOWERS, TRAINING, Retraining(learning_rate_fraction=0.25), "forest", None
        )
        trained, _ = retrain(start, task, lambda: data.batches(64, 4), parent)  # type: ignore[arg-type]
        peaks.append(max(trained.history.learning_rate))
    assert peaks[1] == pytest.approx(0.25 * peaks[0])


def test_an_incremental_chain_keeps_the_cold_start_and_renews_the_latest() -> None:
    incremental = Retraining(start="incremental", fisher_strength=1.0)
    _, monday = day(DAYS[0], "cold", incremental)
    assert monday.cold is monday.latest
    assert all(np.all(h >= 0) and np.any(h > 0) for h in monday.latest.fisher)
    _, tuesday = day(DAYS[1], "incremental", incremental, monday)
    _, wednesday = day(DAYS[2], "incremental", incremental, tuesday)
    assert wednesday.cold is monday.latest
    np.testing.assert_array_equal(wednesday.latest.trainable[0], monday.latest.trainable[0])  # the leaf embeddings
    for before, after in zip(tuesday.latest.trainable[1:], wednesday.latest.trainable[1:], strict=True):
        assert not np.array_equal(before, after)
    assert not np.array_equal(wednesday.latest.fisher[0], tuesday.latest.fisher[0])
    # Later days are pulled towards the next cold start.
    _, thursday = day(DAYS[0], "cold", incremental, None)
    assert thursday.cold is thursday.latest


def test_the_fisher_information_is_that_of_all_impressions() -> None:
    data, incremental = DAYS[0], Retraining(start="incremental")
    half = replace(
        data, leaves=data.leaves[::2], numeric=data.numeric[::2], content=data.content[::2], labels=data.labels[::2]
    )
    task = Task(half.counts(), INPUTS, OBJECTIVES, TOWERS, TRAINING, incremental, "forest", None)
    states = [
        retrain("cold", task, lambda: half.batches(64, 4), everything=everything)[1].latest
        for everything in (None, lambda: data.batches(64, 4))
    ]
    np.testing.assert_array_equal(states[0].trainable[0], states[1].trainable[0])
    assert not np.array_equal(states[0].fisher[0], states[1].fisher[0])


def test_an_incompatible_start_is_refused(cold: tuple[float, TowerState]) -> None:
    _, monday = cold
    with pytest.raises(ValueError, match="a start that is warm needs the state of an earlier training"):
        day(DAYS[1], "warm", Retraining())
    with pytest.raises(ValueError, match=r"leaves of forest forest, .* by forest other"):
        day(DAYS[1], "warm", Retraining(), monday, forest="other")
    with pytest.raises(ValueError, match="carry no Fisher information"):
        day(DAYS[1], "incremental", Retraining(start="incremental"), monday)


def test_the_same_chain_gives_the_same_weights(cold: tuple[float, TowerState]) -> None:
    chains = (cold[1], day(DAYS[0], "cold", Retraining())[1])
    states = [day(DAYS[1], "warm", Retraining(), monday)[1] for monday in chains]
    for one, other in zip(states[0].latest.trainable, states[1].latest.trainable, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("start", ["cold", "warm"])
def test_towers_learn_from_a_forest_that_has_seen_the_day(start: str) -> None:
    """A forest that predicts almost 0 lowers the towers' predictions by its share in the labels."""
    data, rare = DAYS[0], 0.01
    quick = Retraining(learning_rate_fraction=1.0)
    task = Task(data.counts(), INPUTS, OBJECTIVES, TOWERS, TRAINING, quick, "forest", None)
    parent = None if start == "cold" else day(DAYS[1], "cold", quick)[1]
    log_odds = float(np.log(rare / (1 - rare)))
    taught = replace(task, margins=lambda leaves: tf.fill([tf.shape(leaves)[0], len(OBJECTIVES)], log_odds))

    def mean_prediction(task: Task) -> np.ndarray:
        trained, _ = retrain(start, task, lambda: data.batches(64, 4), parent)  # type: ignore[arg-type]
        predicted = [tf.sigmoid(trained.network(batch)).numpy() for batch in data.batches(64, 1)]
        return np.concatenate(predicted).mean(axis=0)

    share = TRAINING.distillation
    expected = (1 - share) * mean_prediction(task) + share * rare
    np.testing.assert_allclose(mean_prediction(taught), expected, atol=0.04)


def test_a_later_day_compensates_for_a_forest_without_refresh() -> None:
    """Towers do not learn from a forest that predicts almost 0, and compensate for its share in the served blend."""
    data, share = DAYS[1], 0.4
    margins = lambda leaves: tf.fill([tf.shape(leaves)[0], len(OBJECTIVES)], -4.0)  # noqa: E731
    towers = replace(TOWERS, forest_share=share)
    quick, longer = Retraining(refresh_forest=False, learning_rate_fraction=1.0), replace(TRAINING, epochs=8)
    task = Task(data.counts(), INPUTS, OBJECTIVES, towers, longer, quick, "forest", None)
    _, monday = retrain("cold", task, lambda: data.batches(64, 8))  # type: ignore[arg-type]

    trained, _ = retrain("warm", replace(task, margins=margins), lambda: data.batches(64, 8), monday)  # type: ignore[arg-type]

    served = Blend(margins, share)
    batch = {name: tf.constant(array) for name, array in data.tensors().items()}
    predicted = tf.sigmoid(served(trained.network(batch), batch[keys.LEAVES])).numpy().mean(axis=0)
    np.testing.assert_allclose(predicted, data.labels.mean(axis=0), atol=0.03)
