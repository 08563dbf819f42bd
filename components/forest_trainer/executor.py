"""ForestTrainer's executor: reads the training split, has the forest trained, and writes it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from pipeline.config import Forest as ForestConfig
from pipeline.config import from_json
from ranker import keys
from ranker.examples import example_files, parsed_batches
from ranker.forest.train import Batch, train_forest

TRAINING_CURVE_FILE = "training_curve.json"
_BATCH_ROWS = 16_384


class Executor(base_executor.BaseExecutor):
    """Turns the split train into a Forest artifact."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the artifact.

        Raises:
            ValueError: examples that do not hold the tensors, or whatever `train_forest` refuses.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        feature_names = json.loads(exec_properties["feature_names"])
        objective_names = json.loads(exec_properties["objective_names"])
        files = example_files(artifact_utils.get_split_uri(input_dict["transformed_examples"], "train"))
        forest, curve = train_forest(
            _batches(files, len(feature_names), len(objective_names)),
            from_json(ForestConfig, exec_properties["config"]),
            feature_names,
            objective_names,
        )
        artifact = artifact_utils.get_single_instance(output_dict["forest"])
        forest.save(artifact.uri)
        Path(artifact.uri, TRAINING_CURVE_FILE).write_text(json.dumps(asdict(curve), indent=1))
        artifact.trees = forest.trees
        artifact.leaves = forest.leaves
        artifact.features = len(feature_names)
        artifact.fingerprint = forest.fingerprint


def _batches(files: Sequence[str], features: int, objectives: int) -> Iterator[Batch]:
    tensors = {
        keys.FOREST_FEATURES: tf.io.FixedLenFeature([features], tf.float32),
        keys.LABELS: tf.io.FixedLenFeature([objectives], tf.float32),
        keys.VIEWER_BUCKET: tf.io.FixedLenFeature([], tf.int64),
    }
    for batch in parsed_batches(files, tensors, _BATCH_ROWS):
        yield batch[keys.FOREST_FEATURES], batch[keys.LABELS], batch[keys.VIEWER_BUCKET]
