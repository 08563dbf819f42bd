"""The former setup's predictions are those of its forests and regressions."""

import numpy as np
import pytest
import xgboost as xgb
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from benchmarks.serving.former import FormerSetup, RecipeObjective, TunedObjective, XgboostAlone
from ranker.forest.model import Forest
from tests.ranker.forest.boosters import grow, leaves_by_xgboost, random_features


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    return random_features(np.random.default_rng(0), 60, 5)


@pytest.fixture(scope="module")
def forests(features: np.ndarray) -> list[Forest]:
    return [grow(features, 1, 4, np.random.default_rng(seed), max_depth=3) for seed in (1, 2)]


def test_each_objective_is_a_regression_on_its_own_leaves(features: np.ndarray, forests: list[Forest]) -> None:
    random = np.random.default_rng(3)
    dense = random.normal(size=(60, 2)).astype(np.float32)
    parts = [(f, random.normal(size=f.leaves).astype(np.float32), np.array([0.5, -1.0], np.float32)) for f in forests]
    setup = FormerSetup([TunedObjective(f, weights, others, 0.25, threads=1) for f, weights, others in parts])

    scores = setup.score(features, dense, threads=1)

    assert len(scores) == 2
    for score, (forest, weights, others) in zip(scores, parts, strict=True):
        leaves = leaves_by_xgboost(forest, features)
        expected = expit(weights[leaves].sum(axis=1) + dense @ others + 0.25)
        np.testing.assert_allclose(score, expected, atol=1e-6)


def test_the_recipe_is_a_regression_on_one_hot_leaves(features: np.ndarray, forests: list[Forest]) -> None:
    random = np.random.default_rng(4)
    dense, labels = random.normal(size=(60, 2)).astype(np.float32), random.integers(0, 2, 60)
    setup = FormerSetup([RecipeObjective(forests[0], features, dense, labels, threads=1)])

    (scores,) = setup.score(features, dense, threads=1)

    leaves = leaves_by_xgboost(forests[0], features)
    one_hot = np.eye(forests[0].leaves)[leaves].sum(axis=1)
    expected = LogisticRegression(max_iter=30).fit(np.hstack([one_hot, dense]), labels)
    np.testing.assert_allclose(scores, expected.predict_proba(np.hstack([one_hot, dense]))[:, 1], atol=0.02)


def test_xgboost_alone_is_each_boosters_own_prediction(features: np.ndarray, forests: list[Forest]) -> None:
    scores = XgboostAlone([forest.booster for forest in forests], threads=1).score(features)

    for score, forest in zip(scores, forests, strict=True):
        np.testing.assert_allclose(score, forest.booster.predict(xgb.DMatrix(features)), atol=1e-6)
