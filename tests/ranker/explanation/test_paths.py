"""A leaf's vector is divided among the splits above it without a rest."""

import numpy as np
import xgboost as xgb

from ranker.explanation.paths import LeafPaths
from ranker.forest.model import Forest
from ranker.forest.traverse import Traversal


def _forest() -> tuple[Forest, np.ndarray]:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(800, 4)).astype(np.float32)
    features[rng.random((800, 4)) < 0.1] = np.nan
    label = (np.nan_to_num(features[:, 0]) + np.nan_to_num(features[:, 1]) ** 2 > 0.7).astype(float)
    booster = xgb.train({"objective": "binary:logistic", "max_depth": 4}, xgb.DMatrix(features, label=label), 6)
    return Forest.from_booster(booster, ["a", "b", "c", "d"]), features


def test_the_parts_of_every_leaf_add_up_to_its_vector_less_the_baseline() -> None:
    forest, _ = _forest()
    vectors = np.random.default_rng(2).normal(size=(forest.leaves, 3)).astype(np.float32)

    paths = LeafPaths.of(forest, vectors)

    tree = np.searchsorted(forest.first_leaf, np.arange(forest.leaves), side="right") - 1
    np.testing.assert_allclose(paths.changes.sum(axis=1), vectors - paths.baseline[tree], atol=1e-5)
    by_hand = np.average(vectors[: forest.first_leaf[1]], axis=0, weights=forest.leaf_cover[: forest.first_leaf[1]])
    np.testing.assert_allclose(paths.baseline[0], by_hand, atol=1e-6)


def test_the_path_of_a_leaf_is_that_of_its_rows() -> None:
    """With the leaves' values as vectors of one number, as in XGBoost's own approximate contributions."""
    forest, features = _forest()
    leaves = Traversal(forest)(features).astype(np.int32)
    paths = LeafPaths.of(forest, forest.leaf_value[:, None])

    divided = paths.divided(leaves, np.ones((*leaves.shape, 1)), 4)

    expected = forest.booster.predict(xgb.DMatrix(features), pred_contribs=True, approx_contribs=True)
    np.testing.assert_allclose(divided, expected[:, :-1], atol=1e-4)
