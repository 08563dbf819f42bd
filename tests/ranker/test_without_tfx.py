"""The library stands on its own: everything in it imports, and a forest and towers train, where there is no TFX."""

import subprocess
import sys
import textwrap

import pytest

from ranker.identity.code import PROJECT_ROOT

BLOCK = """
import sys
for name in ("tfx", "ml_metadata", "tensorflow_data_validation", "tensorflow_model_analysis"):
    sys.modules[name] = None  # an import of it raises ImportError
"""

IMPORT_ALL = """
import importlib, pkgutil, ranker
for module in pkgutil.walk_packages(ranker.__path__, "ranker."):
    importlib.import_module(module.name)
"""

TRAIN = """
import numpy as np
import tensorflow as tf
from ranker import keys
from ranker.config.forest import Forest
from ranker.config.objectives import Objective
from ranker.config.retraining import Retraining
from ranker.config.towers import Towers
from ranker.config.training import Training
from ranker.forest.margins import ForestMargins
from ranker.forest.train import train_forest
from ranker.forest.traverse import Traversal
from ranker.towers.data import LabelCounts
from ranker.towers.inputs import TowerInputs
from ranker.towers.retrain import Task, retrain

rng = np.random.default_rng(1)
rows = 2000
features = rng.normal(size=(rows, 3)).astype(np.float32)
labels = (rng.random((rows, 2)) < 1 / (1 + np.exp(1 - 2 * features[:, :2]))).astype(np.float32)
config = Forest(trees=20, depth=3, early_stopping_rounds=0)
forest, _ = train_forest([(features, labels, np.arange(rows) % 1000)], config, ["a", "b", "c"], ["click", "like"])
leaves = Traversal(forest)(features).astype(np.int32)
batch = {keys.LEAVES: tf.constant(leaves), keys.LABELS: tf.constant(labels)}
objectives = (Objective("click", tower="passive"), Objective("like", tower="active"))
counts = LabelCounts(rows, labels.sum(axis=0))
inputs = TowerInputs(forest.trees, forest.leaves, 0, {})
training = Training()
length = training.length(rows)
task = Task(counts, inputs, objectives, Towers(), training, Retraining(), forest.fingerprint, ForestMargins(forest))


def batches():
    return tf.data.Dataset.from_tensor_slices(batch).batch(length.batch_size).repeat(length.epochs)


trained, state = retrain("cold", task, batches)
assert np.isfinite(trained.history.loss[-1]) and trained.history.loss[-1] < trained.history.base_rate_loss
"""


@pytest.mark.slow
@pytest.mark.parametrize("code", [IMPORT_ALL, TRAIN], ids=["everything imports", "a forest and towers train"])
def test_without_tfx(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(BLOCK + code)],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
