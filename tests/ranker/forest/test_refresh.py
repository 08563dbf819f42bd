"""Refreshed leaf values of a forest."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ranker.config.forest import Forest as ForestConfig
from ranker.forest.added import with_added_trees
from ranker.forest.model import Forest
from ranker.forest.refresh import refreshed
from ranker.forest.train import train_forest
from ranker.forest.traverse import Traversal
from ranker.keys import VIEWER_BUCKETS

RATE = 0.3
NAMES = ("a", "b")


def impressions(rows: int, seed: int, shift: float = 0.0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Features [rows, 3] and labels [rows, 2]; the log-odds of the first label are raised by `shift`."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((rows, 3)).astype(np.float32)
    log_odds = np.stack([features[:, 0] - 1.5 + shift, features[:, 1] * features[:, 2] - 1.0], axis=1)
    return features, (rng.random((rows, 2)) < 1 / (1 + np.exp(-log_odds))).astype(np.float32)


def grown(**changes: Any) -> Forest:
    config = ForestConfig(trees=60, depth=3, learning_rate=RATE, early_stopping_rounds=0, seed=1, **changes)
    features, labels = impressions(4000, seed=1)
    buckets = np.random.default_rng(2).integers(0, VIEWER_BUCKETS, len(labels))
    return train_forest([(features, labels, buckets)], config, ["x", "y", "z"], NAMES)[0]


@pytest.fixture(scope="module")
def forest() -> Forest:
    return grown()


def o_over_e(forest: Forest, features: NDArray[np.float32], labels: NDArray[np.float32]) -> NDArray[np.float64]:
    predicted = 1 / (1 + np.exp(-forest.margins(Traversal(forest)(features)).astype(np.float64)))
    observed: NDArray[np.float64] = labels.sum(axis=0) / predicted.sum(axis=0)
    return observed


def by_rows(
    forest: Forest, leaves: NDArray[Any], targets: NDArray[np.float32], rates: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values and covers after one chunk, computed from the formula row by row."""
    value, cover = forest.leaf_value.astype(np.float64), forest.leaf_cover.astype(np.float64)
    margins = [list(map(float, forest.base_margin)) for _ in leaves]
    for tree, output in enumerate(forest.tree_output):
        sums: dict[int, tuple[float, float]] = {}
        for row, margin in enumerate(margins):
            probability = 1 / (1 + np.exp(-margin[output]))
            leaf = int(leaves[row, tree])
            g, h = sums.get(leaf, (0.0, 0.0))
            sums[leaf] = g + probability - float(targets[row, output]), h + probability * (1 - probability)
        for leaf, (g, h) in sums.items():
            old = -value[leaf] * (cover[leaf] + 1.0) / rates[tree]
            value[leaf] = -rates[tree] * (old + g) / (cover[leaf] + h + 1.0)
            cover[leaf] += h
        for row, margin in enumerate(margins):
            margin[output] += value[leaves[row, tree]]
    return value, cover


@pytest.mark.parametrize("target", ["each", "any"])
def test_values_and_covers_are_those_of_the_formula(target: str) -> None:
    forest = grown(target=target)
    features, labels = impressions(50, seed=3)
    leaves = Traversal(forest)(features)
    targets = labels if target == "each" else labels.max(axis=1, keepdims=True)
    value, cover = by_rows(forest, leaves, targets, [RATE] * forest.trees)
    found = refreshed(forest, [(leaves, labels)], RATE)
    np.testing.assert_allclose(found.leaf_value, value, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found.leaf_cover, cover, rtol=1e-6)
    assert not np.allclose(found.leaf_value, forest.leaf_value, atol=1e-3)
    untouched = np.setdiff1d(np.arange(forest.leaves), leaves)
    assert len(untouched)
    np.testing.assert_array_equal(found.leaf_value[untouched], forest.leaf_value[untouched])


def test_each_tree_is_refreshed_with_the_rate_that_it_was_grown_with(tmp_path: Path) -> None:
    """A warm start may grow trees with another rate, which may change between two of them."""
    config = ForestConfig(trees=8, depth=3, learning_rate=RATE, early_stopping_rounds=0)
    (features, labels), buckets = impressions(800, seed=1), np.arange(800)
    forest, _ = train_forest([(features, labels, buckets)], config, ["x", "y", "z"], NAMES)
    for fraction in (0.5, 0.25):
        more = replace(config, trees=forest.trees + 4)
        forest = with_added_trees(forest, [(features, labels, buckets)], more, NAMES, 2, fraction)
    forest.save(str(tmp_path))
    forest = Forest.load(str(tmp_path))
    rates = [RATE] * 8 + [RATE * 0.5] * 4 + [RATE * 0.25] * 4
    assert forest.tree_rate.tolist() == rates

    features, labels = impressions(50, seed=3)
    leaves = Traversal(forest)(features)
    value, cover = by_rows(forest, leaves, labels, rates)
    found = refreshed(forest, [(leaves, labels)], RATE)
    np.testing.assert_allclose(found.leaf_value, value, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found.leaf_cover, cover, rtol=1e-6)
    np.testing.assert_array_equal(found.tree_rate, rates)

    earlier = replace(forest, tree_rate=np.array([np.nan] * 12 + rates[12:]))
    value, _ = by_rows(forest, leaves, labels, [RATE] * 12 + rates[12:])
    np.testing.assert_allclose(refreshed(earlier, [(leaves, labels)], RATE).leaf_value, value, rtol=1e-5, atol=1e-7)


def test_each_chunk_is_a_separate_update(forest: Forest) -> None:
    features, labels = impressions(600, seed=4)
    leaves = Traversal(forest)(features)
    batches = [(leaves[begin : begin + 100], labels[begin : begin + 100]) for begin in range(0, 600, 100)]
    found = refreshed(forest, iter(batches), RATE, chunk_rows=350)
    by_hand = refreshed(forest, [(leaves[:400], labels[:400])], RATE)
    by_hand = refreshed(by_hand, [(leaves[400:], labels[400:])], RATE)
    np.testing.assert_allclose(found.leaf_value, by_hand.leaf_value, rtol=1e-4, atol=1e-6)
    at_once = refreshed(forest, batches, RATE)
    np.testing.assert_array_equal(at_once.leaf_value, refreshed(forest, [(leaves, labels)], RATE).leaf_value)
    assert not np.allclose(at_once.leaf_value, found.leaf_value, atol=1e-4)
    np.testing.assert_array_equal(refreshed(forest, [], RATE).leaf_value, forest.leaf_value)


def test_leaves_keep_their_meaning(forest: Forest, tmp_path: Path) -> None:
    features, labels = impressions(500, seed=5)
    leaves = Traversal(forest)(features)
    found = refreshed(forest, [(leaves, labels)], RATE)
    assert found.fingerprint == forest.fingerprint
    assert found.ubj == forest.ubj
    np.testing.assert_array_equal(Traversal(found)(features), leaves)
    found.save(str(tmp_path))
    loaded = Forest.load(str(tmp_path))
    for name in ("leaf_value", "leaf_cover"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(found, name))
        assert getattr(loaded, name).dtype == np.float32
        assert not np.array_equal(getattr(loaded, name), getattr(forest, name))


def test_rows_of_the_same_distribution_keep_a_forest_calibrated(forest: Forest) -> None:
    features, labels = impressions(20_000, seed=6)
    unseen = impressions(20_000, seed=7)
    found = refreshed(forest, [(Traversal(forest)(features), labels)], RATE)
    # The tolerance is the noise in the rates of 4000 and 20,000 rows.
    np.testing.assert_allclose(o_over_e(forest, *unseen), 1.0, atol=0.05)
    np.testing.assert_allclose(o_over_e(found, *unseen), 1.0, atol=0.03)


def test_changed_rates_are_learnt(forest: Forest) -> None:
    """The rate of the first objective has changed, that of the second one has not."""
    features, labels = impressions(8000, seed=8, shift=1.0)
    unseen = impressions(20_000, seed=9, shift=1.0)
    found = refreshed(forest, [(Traversal(forest)(features), labels)], RATE)
    before, after = o_over_e(forest, *unseen), o_over_e(found, *unseen)
    assert before[0] > 1.6
    np.testing.assert_allclose(after, 1.0, atol=0.05)


def test_rows_of_another_forest_are_refused(forest: Forest) -> None:
    features, labels = impressions(10, seed=10)
    leaves = Traversal(forest)(features)
    with pytest.raises(ValueError, match=r"10 rows of labels needs leaves \[10, 60\], got \[10, 59\]"):
        refreshed(forest, [(leaves[:, 1:], labels)], RATE)
    with pytest.raises(ValueError, match=r"9 rows of labels needs leaves \[9, 60\], got \[10, 60\]"):
        refreshed(forest, [(leaves, labels[1:])], RATE)
    with pytest.raises(ValueError, match="predicts 2 objectives, but there are labels for 3"):
        refreshed(forest, [(leaves, np.zeros((10, 3), np.float32))], RATE)
