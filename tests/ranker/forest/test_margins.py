"""The forest's predictions in the graph."""

import numpy as np
import tensorflow as tf
import xgboost as xgb

from ranker.forest.margins import ForestMargins
from tests.ranker.forest.boosters import grow, leaves_by_xgboost, random_features


def test_margins_are_those_of_xgboost() -> None:
    rng = np.random.default_rng(3)
    features = random_features(rng, 500, 5)
    forest = grow(features, 2, 6, rng, max_depth=4)
    leaves = tf.constant(leaves_by_xgboost(forest, features).astype(np.int32))
    expected = forest.booster.predict(xgb.DMatrix(features), output_margin=True)
    np.testing.assert_allclose(ForestMargins(forest)(leaves), expected, atol=1e-5)
