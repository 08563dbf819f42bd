"""Rows without missing values, and trees that are grown on them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost as xgb

from ranker.config.forest import Forest as ForestConfig
from ranker.forest.added import with_added_trees
from ranker.forest.boosters import read_model
from ranker.forest.boosting import complete_columns
from ranker.forest.complete import CompleteColumns
from ranker.forest.curve import TrainingCurve
from ranker.forest.graph import ForestLeaves
from ranker.forest.model import Forest
from ranker.forest.spool import Spool
from ranker.forest.train import are_held_out, train_forest
from ranker.forest.traverse import Traversal
from ranker.keys import VIEWER_BUCKETS
from tests.ranker.forest.boosters import FLOAT_MAX

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


def extremes(features: np.ndarray) -> np.ndarray:
    """The features with some of the values that stand for missing ones, and values beyond them."""
    changed = features.copy()
    values = np.array([1e38, -1e38, 3e38, -3e38, FLOAT_MAX, -FLOAT_MAX], np.float32)
    changed[:300, 0], changed[300:600, 1] = np.resize(values, 300), np.resize(values, 300)
    return changed


@pytest.mark.parametrize("largest", [False, True])
def test_the_trees_predict_the_same_from_the_features(largest: bool) -> None:
    features, labels, _ = rows()
    features = extremes(features) if largest else features
    columns = CompleteColumns(len(FEATURES), (0, 1))
    complete = columns.of(features)
    grown = xgb.train(PARAMETERS, xgb.QuantileDMatrix(complete, labels), 20)
    found = columns.in_features(grown)
    assert found.num_features() == len(FEATURES)
    trees = read_model(found)["learner"]["gradient_booster"]["model"]["trees"]
    assert {tree["tree_param"]["num_feature"] for tree in trees} == {"5"}
    assert {"f0", "f1", "f5", "f6", "f7", "f8"} <= set(grown.trees_to_dataframe()["Feature"])
    for probed in (features, extremes(features), np.full_like(features, np.nan)):
        matrices = xgb.DMatrix(probed), xgb.DMatrix(columns.of(probed))
        for options in ({}, {"pred_leaf": True}):
            expected = grown.predict(matrices[1], **options)
            np.testing.assert_array_equal(found.predict(matrices[0], **options), expected)


def loss(features: np.ndarray, labels: np.ndarray, depth: int, rounds: int, max_bin: int = 256) -> float:
    """The training loss of XGBoost's trees."""
    matrix = xgb.QuantileDMatrix(features, labels, max_bin=max_bin)
    booster = xgb.train({**PARAMETERS, "max_depth": depth, "max_bin": max_bin}, matrix, rounds)
    return float(booster.eval(matrix).rpartition(":")[2])


def test_they_learn_as_much_as_xgboost_by_itself() -> None:
    features, labels, _ = rows()
    complete = CompleteColumns(len(FEATURES), (0, 1)).of(features)
    assert loss(complete, labels, depth=4, rounds=20) == pytest.approx(loss(features, labels, 4, 20), rel=0.005)
    # One split tells the rows that lack f0 from all others, as the outermost bins alone cannot.
    only = np.isnan(features[:, :1]).astype(np.float32)
    expected = loss(features, only, depth=1, rounds=1, max_bin=16)
    assert loss(complete, only, 1, 1, max_bin=16) == pytest.approx(expected, rel=1e-5)
    assert loss(complete[:, :-2], only, 1, 1, max_bin=16) > 1.03 * expected


@pytest.mark.parametrize(
    ("missing", "changes", "expected"),
    [
        ([0, 2], {}, (0, 2)),
        ([], {}, None),
        ([0, 2], {"device": "cuda"}, None),
        ([0, 2], {"max_bin": 257}, None),
        ([0, 1, 2], {}, None),
    ],
)
def test_the_columns_are_complete_where_that_saves_memory(
    missing: list[int], changes: dict[str, Any], expected: tuple[int, ...] | None, tmp_path: Path
) -> None:
    with Spool(tmp_path / "rows", len(FEATURES), len(OBJECTIVES)) as spool:
        for feature in [*missing, 4]:  # a feature in each batch, and none in the last
            features = np.zeros((3, len(FEATURES)), np.float32)
            features[1, feature] = np.nan if feature in missing else 1.0
            spool.append(features, np.zeros((3, 2), np.float32), np.zeros(3, np.int64))
        found = complete_columns(spool, replace(CONFIG, **changes))
    assert (found.missing if found else None) == expected
    assert found is None or (found.features, found.width) == (5, 9)


@pytest.fixture
def complete_from(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the number of rows from which columns are completed."""
    return lambda rows: monkeypatch.setattr("ranker.forest.boosting._COMPLETE_FROM_ROWS", rows)


@pytest.mark.parametrize("external_memory", [False, True])
def test_a_forest_of_many_rows_is_grown_on_complete_columns(
    external_memory: bool, complete_from: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ranker.forest.boosting._PAGE_ROWS", 1_000)
    features, labels, buckets = rows()
    held_out = buckets < CONFIG.validation_fraction * VIEWER_BUCKETS
    grown_on = int((~held_out).sum())
    config = replace(CONFIG, external_memory=external_memory)
    boosters: list[xgb.Booster] = []
    numbered = Forest.from_booster

    def kept(booster: xgb.Booster, names: list[str]) -> Forest:
        boosters.append(booster)
        return numbered(booster, names)

    monkeypatch.setattr(Forest, "from_booster", kept)

    def trained(from_rows: int, features: np.ndarray) -> tuple[Forest, TrainingCurve]:
        complete_from(from_rows)
        return train_forest([(features, labels, buckets)], config, FEATURES, OBJECTIVES)

    few, few_curve = trained(grown_on + 1, features)
    many, many_curve = trained(grown_on, features)
    assert many.fingerprint != few.fingerprint
    assert np.isinf(many.split_threshold).any()
    assert many_curve.validation[-1] == pytest.approx(few_curve.validation[-1], rel=0.02)
    # The loss that XGBoost saw on the columns is that of the trees on the features.
    predicted = np.clip(boosters[-1].predict(xgb.DMatrix(features[held_out])), 1e-7, 1 - 1e-7).astype(np.float64)
    losses = -np.where(labels[held_out] > 0, np.log(predicted), np.log1p(-predicted))
    assert losses.mean() == pytest.approx(many_curve.validation[-1], rel=1e-5)
    # Without missing values, nothing changes.
    full = np.nan_to_num(features)
    assert trained(grown_on, full)[0].fingerprint == trained(grown_on + 1, full)[0].fingerprint


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("missing", ["of held-out rows", "of all rows", "of some rows"])
def test_columns_without_a_split_change_no_tree_and_the_loss_is_that_of_the_features(
    missing: str, weighted: bool, complete_from: Callable[[int], None]
) -> None:
    features, labels, buckets = rows(1_500)
    features = np.nan_to_num(features)
    weights = np.random.default_rng(1).uniform(0.5, 2.0, len(labels)).astype(np.float32)
    weights = weights if weighted else np.ones_like(weights)
    held_out = are_held_out(buckets, labels, CONFIG)
    lacking = {"of held-out rows": held_out, "of all rows": held_out >= 0, "of some rows": np.arange(1_500) % 3 == 0}
    features[lacking[missing], 0], features[:, 3] = np.nan, 7.0
    config = replace(CONFIG, trees=8, subsample=1.0, colsample=1.0)

    def trained(from_rows: int) -> tuple[Forest, TrainingCurve]:
        complete_from(from_rows)
        forest, curve = train_forest([(features, labels, buckets, weights)], config, FEATURES, OBJECTIVES)
        predicted = forest.booster.predict(xgb.DMatrix(features[held_out])).astype(np.float64)
        losses = -np.where(labels[held_out] > 0, np.log(predicted), np.log1p(-predicted)).mean(axis=1)
        assert np.average(losses, weights=weights[held_out]) == pytest.approx(curve.validation[-1], rel=1e-5)
        return forest, curve

    (complete, curve), (as_they_are, expected) = trained(1), trained(1_500)
    assert 3 not in complete.split_feature
    if missing == "of some rows":
        assert complete.fingerprint != as_they_are.fingerprint
        return
    # Rows without missing values cannot tell where these belong.
    for name in ("split_feature", "split_threshold", "first_leaf"):
        np.testing.assert_array_equal(getattr(complete, name), getattr(as_they_are, name))
    assert curve.train == expected.train
    if missing == "of all rows":
        assert complete.fingerprint == as_they_are.fingerprint
        np.testing.assert_array_equal(complete.leaf_value, as_they_are.leaf_value)


@pytest.mark.slow
def test_all_that_follows_agrees_about_missing_values(complete_from: Callable[[int], None]) -> None:
    complete_from(100)
    features, labels, buckets = rows()
    labels[::3, 1] = np.nan
    config = replace(CONFIG, trees=100, early_stopping_rounds=3)
    first, curve = train_forest([(features, labels, buckets)], config, FEATURES, OBJECTIVES)
    assert len(set(curve.output_rounds.values())) == 2, "trees were removed"
    newer = rows(seed=1)
    forest = with_added_trees(first, [(newer[0], 1 - newer[1], newer[2])], config, OBJECTIVES, 10, 1.0)
    for part in (first.split_threshold, forest.split_threshold[len(first.split_threshold) :]):
        assert np.isinf(part).any()
    assert forest.booster.num_features() == len(FEATURES)
    for probed in (features, extremes(features), np.full_like(features[:1], np.nan)):
        expected = forest.renumber(forest.booster.predict(xgb.DMatrix(probed), pred_leaf=True))
        np.testing.assert_array_equal(Traversal(forest)(probed), expected)
        np.testing.assert_array_equal(ForestLeaves(forest)(probed), expected)
        np.testing.assert_array_equal(ForestLeaves(forest, xla=True)(probed), expected)
