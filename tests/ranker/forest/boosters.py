"""Small boosters of various shapes, for the tests."""

from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from ranker.forest.model import Forest

FLOAT_MAX = np.finfo(np.float32).max


def random_features(rng: np.random.Generator, rows: int, columns: int) -> NDArray[np.float32]:
    """Continuous, integer and extreme columns, with missing values."""
    features = rng.standard_normal((rows, columns)).astype(np.float32)
    features[:, ::3] = np.round(features[:, ::3] * 2)
    extreme = rng.random((rows, columns))
    features[extreme < 0.02] = FLOAT_MAX
    features[extreme > 0.98] = -FLOAT_MAX
    features[rng.random((rows, columns)) < 0.15] = np.nan
    return features


def grow(
    features: NDArray[np.float32], outputs: int, rounds: int, rng: np.random.Generator, **parameters: Any
) -> Forest:
    """A forest fitted to random labels that depend on the features, and on which of them are missing."""
    signal = np.nan_to_num(np.clip(features, -3, 3)) + 2 * np.isnan(features)
    weights = rng.standard_normal((features.shape[1], outputs))
    labels = (signal @ weights + rng.standard_normal((len(features), outputs)) > 0.5).astype(np.float32)
    labels[:2] = [[0], [1]]
    booster = xgb.train(
        {
            "objective": "binary:logistic",
            "multi_strategy": "one_output_per_tree",
            "min_child_weight": 0.1,
            "nthread": 1,
            **parameters,
        },
        xgb.DMatrix(features, labels),
        num_boost_round=rounds,
    )
    return Forest.from_booster(booster, [f"f{i}" for i in range(features.shape[1])])


def leaves_by_xgboost(forest: Forest, features: NDArray[np.float32]) -> NDArray[Any]:
    """The leaves that every traversal must return."""
    nodes = forest.booster.predict(xgb.DMatrix(features, missing=np.nan), pred_leaf=True)
    return forest.renumber(nodes.reshape(len(features), forest.trees))
