"""The forest's gain, compared with XGBoost's own."""

import numpy as np
import pytest
import xgboost as xgb

from ranker.config.columns import Features, MultiValued
from ranker.forest.importance import gain_shares
from ranker.forest.model import Forest
from tests.ranker.forest.boosters import random_features

FEATURES = Features(numeric=("a", "b"), multi_valued=(MultiValued("tags", vocabulary_size=2),))


def test_a_columns_share_is_the_gain_of_all_its_inputs_for_each_objective() -> None:
    random = np.random.default_rng(1)
    inputs = random_features(random, 2000, len(FEATURES.forest_names))
    inputs[:, :2] = random.normal(size=(2000, 2))
    labels = (np.stack([inputs[:, 0], inputs[:, 1]], axis=1) > 0.5).astype(np.float32)
    settings = {"objective": "binary:logistic", "max_depth": 3, "nthread": 1, "base_score": 0.3}
    both = xgb.train(settings | {"multi_strategy": "one_output_per_tree"}, xgb.DMatrix(inputs, labels), 5)
    shares = gain_shares(Forest.from_booster(both, FEATURES.forest_names), FEATURES.columns)
    assert [max(of, key=of.__getitem__) for of in shares] == ["a", "b"]
    assert all(sum(of.values()) == pytest.approx(1.0) for of in shares)

    one = xgb.train(settings, xgb.DMatrix(inputs, labels[:, 0] * (random.random(2000) < 0.9)), 5)
    [found] = gain_shares(Forest.from_booster(one, FEATURES.forest_names), FEATURES.columns)
    scores = one.get_score(importance_type="total_gain")
    total = sum(scores.values())
    tags = sum(scores.get(f"f{i}", 0.0) for i in range(2, len(FEATURES.forest_names)))
    expected = {"a": scores["f0"] / total, "b": scores.get("f1", 0.0) / total, "tags": tags / total}
    assert found == pytest.approx(expected, rel=1e-4)
    assert list(found) == ["a", "b", "tags"]
