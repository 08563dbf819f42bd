"""Trees that a warm start adds to the forest of an earlier training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost as xgb
from numpy.typing import NDArray

from ranker.config.forest import Forest as ForestConfig
from ranker.forest.added import with_added_trees
from ranker.forest.model import Forest
from ranker.forest.train import train_forest
from ranker.forest.traverse import Traversal
from ranker.keys import VIEWER_BUCKETS
from tests.ranker.forest.boosters import leaves_by_xgboost

NAMES = ("a", "b")
FEATURES = ("x", "y", "z")
CONFIG = ForestConfig(trees=40, depth=3, learning_rate=0.3, colsample=1.0, early_stopping_rounds=5)
Rows = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]


def rows(count: int, seed: int, of_z: float = 0.0) -> Rows:
    """`a` depends on x, and on z by that much; `b` is noise."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((count, 3)).astype(np.float32)
    log_odds = np.stack([features[:, 0] + of_z * features[:, 2] - 1.0, np.full(count, -1.5)], axis=1)
    labels = (rng.random((count, 2)) < 1 / (1 + np.exp(-log_odds))).astype(np.float32)
    return features, labels, rng.integers(0, VIEWER_BUCKETS, count)


def log_loss(forest: Forest, of: Rows) -> NDArray[np.float64]:
    margins = forest.margins(Traversal(forest)(of[0])).astype(np.float64)
    losses: NDArray[np.float64] = np.logaddexp(0, np.where(of[1] > 0, -margins, margins)).mean(axis=0)
    return losses


def added(forest: Forest, *batches: Any, config: ForestConfig = CONFIG, rounds: int = 12, share: float = 0.5) -> Forest:
    return with_added_trees(forest, batches, config, NAMES, rounds, share)


@pytest.fixture(scope="module")
def forest() -> Forest:
    """Grown while z did not count; it has room for more trees."""
    return train_forest([rows(3000, seed=1)], CONFIG, FEATURES, NAMES)[0]


@pytest.fixture(scope="module")
def grown(forest: Forest) -> Forest:
    """The same after days on which z counts."""
    return added(forest, rows(1500, seed=2, of_z=1.5), rows(1500, seed=3, of_z=1.5))


def test_new_trees_learn_what_the_splits_miss_and_noise_gets_next_to_none(forest: Forest, grown: Forest) -> None:
    new = grown.tree_output[forest.trees :].tolist()
    assert 5 <= new.count(0) <= 12
    assert new.count(1) <= 2
    unseen = rows(4000, seed=4, of_z=1.5)
    before, after = log_loss(forest, unseen), log_loss(grown, unseen)
    assert after[0] < before[0] - 0.03
    assert after[1] == pytest.approx(before[1], abs=0.003)


def test_the_earlier_trees_and_leaves_stay_as_they_are(forest: Forest, grown: Forest) -> None:
    assert grown.begins_with(forest)
    assert not forest.begins_with(grown)
    assert grown.fingerprint != forest.fingerprint
    np.testing.assert_array_equal(grown.leaf_value[: forest.leaves], forest.leaf_value)
    np.testing.assert_array_equal(grown.leaf_cover[: forest.leaves], forest.leaf_cover)
    features = rows(300, seed=5)[0]
    leaves = Traversal(grown)(features)
    np.testing.assert_array_equal(leaves[:, : forest.trees], Traversal(forest)(features))
    np.testing.assert_array_equal(leaves, leaves_by_xgboost(grown, features))


def test_new_values_are_newton_steps_over_all_rows(forest: Forest) -> None:
    features, labels, buckets = rows(800, seed=6, of_z=2.0)
    found = added(forest, (features, labels, buckets), rounds=1)
    leaves = Traversal(found)(features)
    margins = forest.margins(Traversal(forest)(features)).astype(np.float64)
    new = forest.trees
    assert found.tree_output[new:].tolist() == [0]
    probability = 1 / (1 + np.exp(-margins[:, 0]))
    for leaf in range(found.first_leaf[new], found.first_leaf[new + 1]):
        inside = leaves[:, new] == leaf
        gradient = (probability - labels[:, 0])[inside].sum()
        hessian = (probability * (1 - probability))[inside].sum()
        assert found.leaf_value[leaf] == pytest.approx(-0.15 * gradient / (hessian + 1.0), rel=1e-4, abs=1e-6)
        assert found.leaf_cover[leaf] == pytest.approx(hessian, rel=1e-5)


def test_it_is_saved_loaded_and_added_to_again(forest: Forest, grown: Forest, tmp_path: Path) -> None:
    grown.save(str(tmp_path))
    loaded = Forest.load(str(tmp_path))
    assert loaded.fingerprint == grown.fingerprint
    again = added(loaded, rows(1500, seed=7, of_z=-1.5))
    assert again.begins_with(grown)
    assert again.begins_with(forest)
    assert again.trees > grown.trees


def test_the_same_rows_give_the_same_trees(forest: Forest, grown: Forest) -> None:
    again = added(forest, rows(1500, seed=2, of_z=1.5), rows(1500, seed=3, of_z=1.5))
    assert again.fingerprint == grown.fingerprint
    np.testing.assert_array_equal(again.leaf_value, grown.leaf_value)


def test_the_forest_never_has_more_trees_than_its_config(forest: Forest) -> None:
    day = rows(1500, seed=2, of_z=1.5)
    least = replace(CONFIG, trees=forest.trees + 3)
    assert added(forest, day, config=least).trees == forest.trees + 3
    full = replace(CONFIG, trees=forest.trees)
    assert added(forest, day, config=full) is forest
    assert added(forest, day, rounds=0) is forest


@pytest.mark.parametrize("external_memory", [False, True])
def test_labels_that_lack_and_weights(forest: Forest, external_memory: bool) -> None:
    features, labels, buckets = rows(1500, seed=2, of_z=1.5)
    labels[:, 1] = np.nan  # known only later
    labels[::3, 0] = np.nan
    weights = np.random.default_rng(8).uniform(0.5, 2.0, len(labels)).astype(np.float32)
    config = replace(CONFIG, external_memory=external_memory)
    found = added(forest, (features, labels, buckets, weights), config=config)
    assert set(found.tree_output[forest.trees :].tolist()) == {0}
    unseen = rows(4000, seed=4, of_z=1.5)
    assert log_loss(found, unseen)[0] < log_loss(forest, unseen)[0] - 0.03


def test_an_objective_without_positives_gets_no_tree(forest: Forest) -> None:
    features, labels, buckets = rows(1500, seed=2, of_z=1.5)
    labels[:, 1] = 0
    assert set(added(forest, (features, labels, buckets)).tree_output[forest.trees :].tolist()) == {0}


@pytest.mark.parametrize("count", [0, 1, 12])
def test_too_few_rows_to_tell_add_nothing(forest: Forest, count: int) -> None:
    assert added(forest, rows(count, seed=2)) is forest


def test_without_early_stopping_every_round_is_kept(forest: Forest) -> None:
    without = {"early_stopping_rounds": 0}
    for changes in (without, {**without, "validation_fraction": 0.0}):
        config = replace(CONFIG, **changes)
        assert added(forest, rows(800, seed=2), config=config, rounds=3).trees == forest.trees + 2 * 3


@pytest.mark.parametrize("changes", [{"early_stopping_rounds": 0}, {"validation_fraction": 0.0}])
@pytest.mark.parametrize("labels_of_b", [0.0, 1.0, np.nan, "weightless"])
def test_without_early_stopping_nothing_to_learn_from_adds_no_tree(
    forest: Forest, changes: dict[str, Any], labels_of_b: Any
) -> None:
    features, labels, buckets = rows(800, seed=2)
    weights = np.ones(len(labels), np.float32)
    if labels_of_b == "weightless":
        weights[labels[:, 1] > 0] = 0
    else:
        labels[:, 1] = labels_of_b
    config = replace(CONFIG, **changes)
    found = added(forest, (features, labels, buckets, weights), config=config, rounds=3)
    assert found.tree_output[forest.trees :].tolist() == [0, 0, 0]
    labels[:, 0] = np.nan if np.isnan(labels[0, 1]) else 0
    assert added(forest, (features, labels, buckets, weights), config=config, rounds=3) is forest


def test_a_missing_gpu_is_an_error_where_trees_are_to_grow(forest: Forest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xgb.Booster, "save_config", lambda _: '{"learner": {"generic_param": {"device": "cpu"}}}')
    batches, config = iter([rows(800, seed=2)]), replace(CONFIG, device="cuda")
    with pytest.raises(ValueError, match=r"forest\.device: cuda is configured, but XGBoost finds no such device here"):
        with_added_trees(forest, batches, config, NAMES, 3, 0.5)
    assert with_added_trees(forest, batches, config, NAMES, 0, 0.5) is forest
    assert next(batches)[1].shape == (800, 2), "nothing was read"


def test_a_forest_of_the_superset_objective() -> None:
    config = replace(CONFIG, target="any")
    forest, _ = train_forest([rows(3000, seed=1)], config, FEATURES, NAMES)
    found = added(forest, rows(3000, seed=2, of_z=2.5), config=config)
    assert found.begins_with(forest)
    assert forest.trees < found.trees <= forest.trees + 12


def test_trees_of_other_features_are_refused(forest: Forest) -> None:
    other, _ = train_forest([rows(500, seed=1)], CONFIG, ("x", "y", "w"), NAMES)
    with pytest.raises(ValueError, match="same features and outputs"):
        forest.followed_by(other)
    assert not forest.begins_with(other)
