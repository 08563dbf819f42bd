"""The source's progression, on a network of the pipeline."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from benchmarks.serving.progression import figures, progression
from benchmarks.serving.sessions import Workshop
from ranker import keys
from ranker.config.columns import Categorical, DenseEmbedding, Features
from ranker.config.forest import Forest
from ranker.config.objectives import Objective
from ranker.config.pipeline import PipelineConfig
from ranker.config.towers import Towers
from ranker.forest.train import train_forest
from ranker.towers.inputs import TowerInputs, calibration_keys, category_codes

pytestmark = pytest.mark.slow

NUMERIC = tuple(f"f{i}" for i in range(4))
CONFIG = PipelineConfig(
    name="tiny",
    objectives=(Objective("click", "passive"), Objective("like", "active")),
    features=Features(
        numeric=NUMERIC,
        categorical=(Categorical("surface", vocabulary_size=3),),
        dense=(DenseEmbedding("content", size=3),),
    ),
    schema="schemas/tiny.pbtxt",
    forest=Forest(trees=20, depth=3, learning_rate=0.3),
    towers=Towers(leaf_embedding_size=4, hidden=(16,), dense_projection_size=3),
)


def tiny_workshop() -> Workshop:
    rng = np.random.default_rng(1)
    features = rng.standard_normal((4_000, len(CONFIG.features.forest_names))).astype(np.float32)
    odds = np.stack([features[:, 0] - 1, features[:, 1] - 2], axis=1)
    labels = (rng.random(odds.shape) < 1 / (1 + np.exp(-odds))).astype(np.float32)
    batch = features, labels, rng.integers(0, keys.VIEWER_BUCKETS, len(features))
    forest, _ = train_forest([batch], CONFIG.forest, CONFIG.features.forest_names, CONFIG.objective_names)
    codes = calibration_keys(CONFIG.features, CONFIG.towers), category_codes(CONFIG.features, CONFIG.towers)
    inputs = TowerInputs(forest.trees, forest.leaves, len(NUMERIC), {"content": 3}, *codes)
    made: Any = SimpleNamespace(config=CONFIG, forest=forest, inputs=lambda forest: inputs)
    return cast("Workshop", made)


def test_every_stage_runs_through_the_network_and_is_timed() -> None:
    stages = progression(tiny_workshop(), quick=True)

    assert [stage.name for stage in stages] == [
        "string features",
        "leaves as a sparse tensor",
        "leaves as a dense tensor",
        "leaves as one byte a tree",
    ]
    assert all(stage.conversion > 0 and stage.total > 0 for stage in stages)
    conversion, total = figures(stages)
    assert conversion.ours == 1000 * stages[-1].conversion
    assert total.rival == 1000 * stages[0].total
