"""Leaf values refitted on all rows, compared with XGBoost's refresh."""

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost as xgb
from numpy.typing import NDArray

from ranker.config.forest import Forest as ForestConfig
from ranker.forest.model import Forest
from ranker.forest.refit import refitted
from ranker.forest.train import ForestBatch, train_forest
from ranker.forest.traverse import Traversal
from ranker.keys import VIEWER_BUCKETS

CONFIG = ForestConfig(trees=60, depth=3, learning_rate=0.3, early_stopping_rounds=0, seed=1)
FEATURES, NAMES = ("x", "y", "z"), ("a", "b")


def impressions(rows: int, seed: int) -> ForestBatch:
    """Features [rows, 3] with missing values, labels [rows, 2] and the buckets of 100 viewers."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((rows, 3)).astype(np.float32)
    log_odds = np.stack([features[:, 0] - 1.5, features[:, 1] * features[:, 2] - 1.0], axis=1)
    labels = (rng.random((rows, 2)) < 1 / (1 + np.exp(-log_odds))).astype(np.float32)
    features[rng.random((rows, 3)) < 0.1] = np.nan
    return features, labels, rng.integers(0, 100, rows) * (VIEWER_BUCKETS // 100)


def grown(config: ForestConfig, batch: ForestBatch) -> tuple[Forest, Forest]:
    """The refitted forest, and the forest as XGBoost grew it."""
    forest, _ = train_forest([batch], config, FEATURES, NAMES)
    return forest, Forest.from_booster(forest.booster, FEATURES)


def log_losses(forest: Forest, features: NDArray[np.float32], labels: NDArray[np.float32]) -> NDArray[np.float64]:
    signed = (2 * labels - 1) * forest.margins(Traversal(forest)(features))
    losses: NDArray[np.float64] = np.logaddexp(0, -signed.astype(np.float64)).mean(axis=0)
    return losses


@pytest.mark.parametrize("target", ["each", "any"])
def test_without_sampling_and_held_out_rows_the_values_stay(target: Any) -> None:
    config = replace(CONFIG, target=target, validation_fraction=0.0, subsample=1.0)
    found, left = grown(config, impressions(3000, seed=1))
    np.testing.assert_allclose(found.leaf_value, left.leaf_value, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found.leaf_cover, left.leaf_cover, rtol=1e-3)


@pytest.mark.parametrize("depth", [3, 10])
def test_the_values_are_those_of_xgboosts_refresh(depth: int) -> None:
    config = replace(CONFIG, depth=depth, min_child_weight=0.2, validation_fraction=0.3, subsample=0.6)
    features, labels, buckets = impressions(3000, seed=2)
    found, left = grown(config, (features, labels, buckets))
    parameters = {
        "process_type": "update",
        "updater": "refresh",
        "refresh_leaf": True,
        "learning_rate": 0.3,
        "min_child_weight": 0,
    }
    parameters |= {"objective": "binary:logistic", "multi_strategy": "one_output_per_tree"}
    rows = xgb.DMatrix(features, labels)
    expected = Forest.from_booster(xgb.train(parameters, rows, 30, xgb_model=found.booster), FEATURES)
    np.testing.assert_allclose(found.leaf_value, expected.leaf_value, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found.leaf_cover, expected.leaf_cover, rtol=1e-3, atol=1e-4)
    assert not np.allclose(found.leaf_value, left.leaf_value, atol=1e-2)
    assert found.fingerprint == left.fingerprint


def test_batch_size_does_not_change_the_values(tmp_path: Path) -> None:
    features, labels, _ = impressions(3000, seed=3)
    forest, _ = grown(CONFIG, impressions(2000, seed=4))
    cuts = [(0, 1), (1, 700), (700, 3000)]
    parts = ((features[begin:end], labels[begin:end]) for begin, end in cuts)
    found = refitted(forest, parts, 0.3, tmp_path)
    single_batch = refitted(forest, [(features, labels)], 0.3, tmp_path)
    np.testing.assert_array_equal(found.leaf_value, single_batch.leaf_value)
    np.testing.assert_array_equal(found.leaf_cover, single_batch.leaf_cover)
    assert not list(tmp_path.iterdir())


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """Log-odds and labels of all rows were in memory, also where `external_memory` keeps everything else on disk."""
    forest, _ = grown(CONFIG, impressions(2000, seed=7))

    def peak(batches: int) -> int:
        tracemalloc.start()
        refitted(forest, (impressions(5000, seed)[:2] for seed in range(batches)), 0.3, tmp_path)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1)  # compiles
    assert peak(16) < 1.05 * peak(4)


def test_no_rows_are_refused(tmp_path: Path) -> None:
    forest, _ = grown(CONFIG, impressions(2000, seed=8))
    with pytest.raises(ValueError, match="no rows to refit"):
        refitted(forest, [], 0.3, tmp_path)


def test_unseen_impressions_are_predicted_better() -> None:
    config = replace(CONFIG, trees=200, early_stopping_rounds=20, validation_fraction=0.4, subsample=0.6)
    found, left = grown(config, impressions(4000, seed=5))
    features, labels, _ = impressions(50_000, seed=6)
    assert np.all(log_losses(found, features, labels) < log_losses(left, features, labels))
