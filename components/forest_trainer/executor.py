"""ForestTrainer's executor: reads the training split, trains the forest, and writes it."""

import json
import os
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils

from components.artifacts import TRAINING_CURVE_FILE, start_of
from ranker.config.documents import from_json
from ranker.config.forest import Forest as ForestConfig
from ranker.examples import example_files
from ranker.files import write_text
from ranker.forest.added import with_added_trees
from ranker.forest.curve import TrainingCurve
from ranker.forest.distribute import train_forest_on_dask
from ranker.forest.model import Forest
from ranker.forest.refresh import refreshed
from ranker.forest.rows import weighted_forest_rows
from ranker.forest.train import WeightedForestBatch, output_names, train_forest
from ranker.forest.traverse import Traversal
from ranker.registry.layout import FOREST
from ranker.storage import exists, join, read_bytes


class Executor(base_executor.BaseExecutor):
    """Trains a forest on the split train, or refreshes the parent's forest with it and adds trees."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the artifact.

        Raises:
            ValueError: the examples lack the tensors, `train_forest` refuses them, or the parent's forest has other
                features.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        feature_names = json.loads(exec_properties["feature_names"])
        objective_names = json.loads(exec_properties["objective_names"])
        artifact = artifact_utils.get_single_instance(output_dict["forest"])
        start, state = start_of(input_dict)
        config = from_json(ForestConfig, exec_properties["config"])
        sizes = len(feature_names), len(objective_names)
        read = partial(weighted_forest_rows, _files(input_dict, "train"), *sizes)
        if start.is_cold:
            if config.dask and config.trees:
                forest, curve = train_forest_on_dask(read, config, config.dask, feature_names, objective_names)
            else:
                forest, curve = train_forest(read(), config, feature_names, objective_names)
            forest.save(artifact.uri)
            write_text(join(artifact.uri, TRAINING_CURVE_FILE), curve.to_json())
        else:
            earlier = os.path.join(state, FOREST)
            forest = Forest.load(earlier)
            if list(forest.feature_names) != feature_names:
                raise ValueError(
                    f"forest: version {start.parent} has a forest of the features {list(forest.feature_names)}, but "
                    f"the config has {feature_names}; to change them, start cold"
                )
            io_utils.copy_dir(earlier, artifact.uri)
            before = forest.trees
            if start.refresh_forest and forest.trees:
                forest = _refreshed(forest, read(), config.learning_rate)
                forest = with_added_trees(
                    forest,
                    weighted_forest_rows(_files(input_dict, "replay", "train"), *sizes),
                    config,
                    objective_names,
                    start.added_rounds,
                    start.added_learning_rate_fraction,
                )
                forest.save(artifact.uri)
            _record_added(artifact.uri, forest.tree_output[before:].tolist(), config, objective_names)
        artifact.set_int_custom_property("trees", forest.trees)
        artifact.set_int_custom_property("leaves", forest.leaves)
        artifact.set_int_custom_property("features", len(feature_names))
        artifact.set_string_custom_property("fingerprint", forest.fingerprint)


def _files(input_dict: dict[str, list[types.Artifact]], *splits: str) -> list[str]:
    """The files of those of the splits that there are."""
    there = artifact_utils.decode_split_names(input_dict["transformed_examples"][0].split_names)
    uris = [
        artifact_utils.get_split_uri(input_dict["transformed_examples"], split) for split in splits if split in there
    ]
    return [file for uri in uris for file in example_files(uri)]


def _record_added(folder: str, outputs: list[int], config: ForestConfig, objectives: list[str]) -> None:
    """Puts the number of new trees into the training curve, if the earlier training has left one."""
    file = join(folder, TRAINING_CURVE_FILE)
    if not exists(file):
        return
    curve = TrainingCurve.from_json(read_bytes(file).decode("utf-8", "replace"), file)
    names = output_names(config, objectives)
    write_text(file, replace(curve, added={name: outputs.count(i) for i, name in enumerate(names)}).to_json())


def _refreshed(forest: Forest, batches: Iterable[WeightedForestBatch], learning_rate: float) -> Forest:
    traversal = Traversal(forest)
    rows = ((traversal(features), labels, weights) for features, labels, _, weights in batches)
    return refreshed(forest, rows, learning_rate)
