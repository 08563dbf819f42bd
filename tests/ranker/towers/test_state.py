"""The state for a warm start: saved, loaded, and refused if it is incompatible."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ranker.config.towers import Isotonic, Towers
from ranker.towers.network import TwoTowerNetwork
from ranker.towers.state import Snapshot, TowerState, check_forest, restore, snapshot
from tests.ranker.towers.planted import INPUTS, OBJECTIVES, impressions

TOWERS = Towers(leaf_embedding_size=3, hidden=(8, 6), dense_projection_size=2, dropout=0.1, isotonic=Isotonic())
RATES = np.array([0.1, 0.4, 0.05, 0.5])


def network_of(seed: int, towers: Towers = TOWERS) -> TwoTowerNetwork:
    network = TwoTowerNetwork(INPUTS, towers, OBJECTIVES, RATES, seed)
    for weight in network.weights:
        weight.assign(weight + 0.1 * seed)
    return network


def fake_fisher(of: Snapshot, value: float) -> tuple[np.ndarray, ...]:
    return tuple(np.full_like(array, value) for array in of.trainable)


def assert_same(one: Snapshot, other: Snapshot) -> None:
    for ours, theirs in zip(
        (*one.trainable, *one.other, *one.fisher), (*other.trainable, *other.other, *other.fisher), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_a_restored_network_scores_as_the_saved_one(tmp_path: Path) -> None:
    network, other = network_of(1), network_of(2)
    batch = {name: tf.constant(array) for name, array in impressions(30, seed=1).tensors().items()}
    assert np.max(np.abs(network(batch) - other(batch))) > 0.1

    TowerState("forest", snapshot(network)).save(str(tmp_path / "state"))
    restore(other, TowerState.load(str(tmp_path / "state")).latest)

    np.testing.assert_array_equal(network(batch), other(batch))


def test_a_snapshot_does_not_change_with_the_network() -> None:
    network = network_of(1)
    before = snapshot(network)
    kept = [np.array(array) for array in before.trainable]
    for weight in network.trainable_weights:
        weight.assign_add(tf.ones_like(weight))
    for array, copy in zip(before.trainable, kept, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_a_cold_starts_state_is_its_own_cold_snapshot_and_written_once(tmp_path: Path) -> None:
    latest = snapshot(network_of(1))
    latest = Snapshot(latest.trainable, latest.other, fake_fisher(latest, 2.0))
    TowerState("forest", latest).save(str(tmp_path / "alone"))
    TowerState("forest", latest, cold=latest).save(str(tmp_path / "cold"))
    loaded = TowerState.load(str(tmp_path / "cold"))
    assert loaded.cold is loaded.latest
    assert_same(loaded.latest, latest)
    alone, cold = ((tmp_path / name / "towers.npz").stat().st_size for name in ("alone", "cold"))
    assert cold < 1.1 * alone


@pytest.mark.slow
def test_an_updates_state_keeps_both(tmp_path: Path) -> None:
    latest, cold = snapshot(network_of(1)), snapshot(network_of(2))
    state = TowerState(
        "forest",
        Snapshot(latest.trainable, latest.other, fake_fisher(latest, 2.0)),
        Snapshot(cold.trainable, cold.other, fake_fisher(cold, 3.0)),
    )
    state.save(str(tmp_path))
    loaded = TowerState.load(str(tmp_path))
    assert loaded.forest_fingerprint == "forest"
    assert_same(loaded.latest, state.latest)
    assert loaded.cold is not None
    assert state.cold is not None
    assert_same(loaded.cold, state.cold)


@pytest.mark.slow
def test_towers_of_another_shape_are_refused() -> None:
    wider = network_of(1, Towers(leaf_embedding_size=3, hidden=(8, 7), dense_projection_size=2))
    with pytest.raises(ValueError, match=r"warm start: .* another network needs a cold start"):
        restore(wider, snapshot(network_of(1)))


def test_leaves_of_another_forest_are_refused() -> None:
    state = TowerState("aaaa", snapshot(network_of(1)))
    check_forest(state, "aaaa")
    with pytest.raises(ValueError, match=r"leaves of forest aaaa, .* by forest bbbb, .* needs a cold start"):
        check_forest(state, "bbbb")


def test_a_missing_or_corrupt_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"towers\.npz is missing or corrupt"):
        TowerState.load(str(tmp_path))
    TowerState("forest", snapshot(network_of(1))).save(str(tmp_path))
    complete = (tmp_path / "towers.npz").read_bytes()
    (tmp_path / "towers.npz").write_bytes(complete[: len(complete) // 2])
    with pytest.raises(ValueError, match=r"towers\.npz is missing or corrupt"):
        TowerState.load(str(tmp_path))
