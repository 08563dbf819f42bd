"""Rows without missing values, and trees that are grown on them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xgboost as xgb

from ranker.config.forest import Forest as ForestConfig
from ranker.forest.complete import CompleteColumns
from ranker.forest.train import train_forest
from ranker.forest.traverse import Traversal
from ranker.keys import VIEWER_BUCKETS

FEATURES = [f"f{i}" for i in range(5)]
OBJECTIVES = ["click", "like"]
CONFIG = ForestConfig(trees=40, depth=3, learning_rate=0.3, min_child_weight=1.0, early_stopping_rounds=0)
PARAMETERS = {"objective": "binary:logistic", "max_depth": 4, "learning_rate": 0.3, "base_score": 0.5}


def rows(number: int = 6_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, labels and viewer buckets. Where f0 lacks, an outcome is likely; where f1 lacks, it is unlikely."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(number, len(FEATURES))).astype(np.float32)
    features[random.random(number) < 0.3, 0] = np.nan
    features[random.random(number) < 0.2, 1] = np.nan
    x = np.nan_to_num(features)
    of_missing = 2.0 * np.isnan(features[:, 0]) - 2.0 * np.isnan(features[:, 1])
    logits = np.stack([x[:, 0] + x[:, 1] + of_missing, of_missing - x[:, 2] - 1.0], axis=1)
    labels = (random.random((number, 2)) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    return features, labels, random.integers(VIEWER_BUCKETS, size=number)


def test_every_column_is_complete_and_those_with_missing_values_are_there_three_times() -> None:
    features = np.array([[1, np.nan, 3, np.nan], [4, 5, 6, 7]], np.float32)
    complete = CompleteColumns(4, (1, 3)).of(features)
    assert complete.dtype == np.float32
    np.testing.assert_array_equal(complete[1], [4, 5, 6, 7, 5, 7, 0, 0])
    np.testing.assert_array_equal(complete[0, [0, 2, 6, 7]], [1, 3, 1, 1])
    assert (complete[0, [1, 3]] < -1e37).all()
    assert (complete[0, [4, 5]] > 1e37).all()
    assert np.isnan(features[0, [1, 3]]).all()


def test_the_trees_predict_the_same_from_the_features() -> None:
    features, labels, _ = rows()
    # Beyond the values that stand for missing ones.
    features[:50, 0], features[50:100, 1] = 3e38, -3e38
    columns = CompleteColumns(len(FEATURES), (0, 1))
    complete = columns.of(features)
    grown = xgb.train(PARAMETERS, xgb.QuantileDMatrix(complete, labels), 20)
    found = columns.in_features(grown)
    assert found.num_features() == len(FEATURES)
    used = set(grown.trees_to_dataframe()["Feature"])
    assert {"f0", "f1", "f5", "f6", "f7", "f8"} <= used
    np.testing.assert_array_equal(found.predict(xgb.DMatrix(features)), grown.predict(xgb.DMatrix(complete)))
    leaves = grown.predict(xgb.DMatrix(complete), pred_leaf=True)
    np.testing.assert_array_equal(found.predict(xgb.DMatrix(features), pred_leaf=True), leaves)


def loss(features: np.ndarray, labels: np.ndarray, depth: int, rounds: int) -> float:
    """The training loss of XGBoost's trees."""
    matrix = xgb.QuantileDMatrix(features, labels)
    booster = xgb.train({**PARAMETERS, "max_depth": depth}, matrix, rounds)
    return float(booster.eval(matrix).rpartition(":")[2])


def test_they_learn_as_much_as_xgboost_by_itself() -> None:
    features, labels, _ = rows()
    complete = CompleteColumns(len(FEATURES), (0, 1)).of(features)
    assert loss(complete, labels, depth=4, rounds=20) == pytest.approx(loss(features, labels, 4, 20), rel=0.005)
    # One split tells the rows that lack f0 from all others.
    only = np.isnan(features[:, :1]).astype(np.float32)
    assert loss(complete, only, depth=1, rounds=1) == pytest.approx(loss(features, only, 1, 1), rel=1e-5)
    assert loss(complete[:, : len(FEATURES)], only, 1, 1) > 1.005 * loss(features, only, 1, 1)


@pytest.mark.parametrize("external_memory", [False, True])
def test_a_forest_of_many_rows_is_grown_on_complete_ones(
    external_memory: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ranker.forest.boosting._PAGE_ROWS", 1_000)
    features, labels, buckets = rows()
    config = replace(CONFIG, external_memory=external_memory)
    batches = [(features, labels, buckets)]
    few, few_curve = train_forest(batches, config, FEATURES, OBJECTIVES, tmp_path)
    monkeypatch.setattr("ranker.forest.boosting._COMPLETE_FROM_ROWS", 5_000)
    many, many_curve = train_forest(batches, config, FEATURES, OBJECTIVES, tmp_path)
    assert many.fingerprint != few.fingerprint
    assert many.booster.num_features() == len(FEATURES)
    assert many_curve.validation[-1] == pytest.approx(few_curve.validation[-1], rel=0.02)
    # The refitted values, the numbering and XGBoost agree about where a missing value goes.
    np.testing.assert_array_equal(
        many.renumber(many.booster.predict(xgb.DMatrix(features), pred_leaf=True)), Traversal(many)(features)
    )
    complete = [(np.nan_to_num(features), labels, buckets)]
    monkeypatch.setattr("ranker.forest.boosting._COMPLETE_FROM_ROWS", 10**9)
    expected, _ = train_forest(complete, config, FEATURES, OBJECTIVES, tmp_path)
    monkeypatch.setattr("ranker.forest.boosting._COMPLETE_FROM_ROWS", 5_000)
    assert train_forest(complete, config, FEATURES, OBJECTIVES, tmp_path)[0].fingerprint == expected.fingerprint
