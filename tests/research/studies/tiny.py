"""A small held-out day that the towers can learn."""

import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from ranker import keys
from ranker.config.columns import Categorical, DenseEmbedding, Features
from ranker.config.forest import Forest
from ranker.config.objectives import Objective
from ranker.config.pipeline import PipelineConfig
from ranker.config.towers import Towers
from ranker.config.training import Training
from ranker.forest.train import train_forest
from ranker.forest.traverse import Traversal
from research.quality.rows import HeldOutDay, Rows
from research.studies.preparing import PreparedDay, without_held_out

NUMERIC = tuple(f"f{i}" for i in range(4))
SURFACES = 3
CONFIG = PipelineConfig(
    name="tiny",
    objectives=(Objective("click", "passive"), Objective("like", "active")),
    features=Features(
        numeric=NUMERIC,
        categorical=(Categorical("surface", vocabulary_size=SURFACES),),
        dense=(DenseEmbedding("content", size=3),),
    ),
    schema="schemas/tiny.pbtxt",
    forest=Forest(trees=20, depth=3, learning_rate=0.3),
    towers=Towers(leaf_embedding_size=4, hidden=(16,), dense_projection_size=3),
    training=Training(batch_size=128, epochs=2, learning_rate=1e-2),
)


def rows(count: int, seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    numeric = rng.standard_normal((count, len(NUMERIC))).astype(np.float32)
    surface = rng.integers(0, SURFACES, (count, 1))
    content = rng.standard_normal((count, 3)).astype(np.float32)
    odds = np.stack([numeric[:, 0] + content[:, 0] - 1, numeric[:, 0] + content[:, 1] - 3], axis=1)
    labels = (rng.random((count, 2)) < 1 / (1 + np.exp(-odds))).astype(np.float32)
    features = np.concatenate([numeric, surface.astype(np.float32)], axis=1)
    key = surface.astype(np.int64)
    towers: dict[str, Any] = {
        keys.NUMERIC: numeric,
        "content": content,
        keys.CALIBRATION_KEY: key,
        keys.CATEGORICAL: key,
    }
    return Rows(features, towers, labels, rng.integers(0, keys.VIEWER_BUCKETS, count))


def prepared() -> PreparedDay:
    """Eight thousand rows to train on and half as many to predict."""
    day = HeldOutDay(CONFIG, date(2026, 1, 2), Path("tiny"), rows(8_000, 1), rows(4_000, 2))
    forest, _ = train_forest(day.train.batches(), CONFIG.forest, CONFIG.features.forest_names, CONFIG.objective_names)
    with tempfile.TemporaryDirectory() as scratch:
        before_calibration = without_held_out(forest, day, Path(scratch))
    traversal = Traversal(forest)
    leaves = tuple(traversal(rows.features).astype(np.int32) for rows in (day.train, day.test))
    return PreparedDay(day, forest, before_calibration, (leaves[0], leaves[1]))
