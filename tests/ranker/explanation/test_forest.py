"""TreeSHAP with the served leaf values adds up to the served log-odds."""

from dataclasses import replace

import numpy as np
import pytest

from ranker.config.forest import Forest as ForestConfig
from ranker.explanation.forest import forest_contributions, served_booster
from ranker.forest.model import Forest
from ranker.forest.train import train_forest
from ranker.forest.traverse import Traversal

NAMES = ["a", "b", "c"]


def _forest(objectives: int) -> tuple[Forest, np.ndarray]:
    rng = np.random.default_rng(3)
    features = rng.normal(size=(1500, 3)).astype(np.float32)
    features[rng.random((1500, 3)) < 0.1] = np.nan
    odds = np.nan_to_num(features[:, :objectives]) * 2
    labels = (rng.random((1500, objectives)) < 1 / (1 + np.exp(-odds))).astype(np.float32)
    names = ["click", "like"][:objectives]
    config = ForestConfig(trees=12, depth=3, early_stopping_rounds=0)
    forest, _ = train_forest([(features, labels, np.arange(1500) % 1000)], config, NAMES, names)
    return forest, features


@pytest.mark.parametrize("objectives", [1, 2])
def test_they_add_up_to_what_is_served_after_a_refresh(objectives: int) -> None:
    forest, features = _forest(objectives)
    rng = np.random.default_rng(4)
    values = (forest.leaf_value + rng.normal(scale=0.2, size=forest.leaves)).astype(np.float32)
    refreshed = replace(forest, leaf_value=values)

    found = forest_contributions(served_booster(refreshed), features, objectives)

    assert found.shape == (1500, objectives, 4)
    margins = refreshed.margins(Traversal(refreshed)(features))
    np.testing.assert_allclose(found.sum(axis=2), margins, atol=1e-4)
    assert np.ptp(found[:, :, -1], axis=0).max() == 0.0
    # The booster as it was grown predicts something else.
    assert np.abs(forest_contributions(forest.booster, features, objectives).sum(axis=2) - margins).max() > 0.1


def test_the_feature_that_an_outcome_depends_on_has_the_largest_contributions() -> None:
    forest, features = _forest(2)
    sizes = np.abs(forest_contributions(served_booster(forest), features, 2)).mean(axis=0)[:, :-1]
    assert sizes.argmax(axis=1).tolist() == [0, 1]
