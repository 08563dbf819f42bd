"""The forest of a held-out day, and the rows' leaves."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from ranker.config.forest import Forest as ForestConfig
from ranker.forest.model import Forest
from ranker.forest.train import train_forest
from ranker.forest.traverse import Traversal
from research.quality.rows import HeldOutDay
from research.quality.towers import Leaves


@lru_cache(maxsize=1)
def grown_forest(day: HeldOutDay, config: ForestConfig, seed: int) -> tuple[Forest, Leaves]:
    """The forest and the leaves of the train and test rows; the models of one day and seed share it."""
    names, objectives = day.config.features.forest_names, day.config.objective_names
    forest, _ = train_forest(day.train.batches(), replace(config, seed=seed), names, objectives)
    traversal = Traversal(forest)
    return forest, (traversal(day.train.features).astype(np.int32), traversal(day.test.features).astype(np.int32))
