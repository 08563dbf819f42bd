"""TowerTrainer's executor: leaf examples → trained towers → SavedModel and training history."""

import json
import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.artifacts import HISTORY_FILE, ROWS_PER_DAY, TENSORBOARD_FOLDER, rows_of, start_of, training_of
from ranker.config.columns import Features
from ranker.config.documents import from_json
from ranker.config.effects import Effects
from ranker.config.examination import Examination
from ranker.config.objectives import Objective
from ranker.config.retraining import Retraining
from ranker.config.serving import Serving
from ranker.config.towers import Towers
from ranker.config.training import Training
from ranker.config.utility import Utility
from ranker.examples import example_files
from ranker.files import write_text
from ranker.registry.plan import StartPlan
from ranker.storage import join
from ranker.towers.workers import make_strategy
from ranker.training.towers import MANIFEST_PARTS, TowerData, TowerSettings, TrainingRecord, fit_and_export

_TRAINED_ON = ("replay", "train")


class Executor(base_executor.BaseExecutor):
    """Trains on the splits train and replay and exports one graph from raw features to probabilities."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the model and the run; with several workers, only the chief writes.

        Raises:
            TrainingDivergedError: the loss became NaN or infinite, or exploded.
            StrategyError: this process lacks the devices of the config's strategy.
            ValueError: an input contains NaN or infinity, or leaf examples, forest, transform graph, schema, config and
                training start do not belong together.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        # First, as TensorFlow must not have used a device before.
        strategy = make_strategy(from_json(Training, exec_properties["training"]).strategy)
        schema_uri = artifact_utils.get_single_uri(input_dict["schema"])
        run = artifact_utils.get_single_instance(output_dict["model_run"])
        there = artifact_utils.decode_split_names(input_dict["leaf_examples"][0].split_names)
        plan, state = start_of(input_dict)
        identity = training_of(input_dict, exec_properties["eval_day"], exec_properties["recipe"])
        model = artifact_utils.get_single_instance(output_dict["model"])
        history = fit_and_export(
            _settings(exec_properties),
            TowerData(
                [
                    file
                    for split in _TRAINED_ON
                    if split in there
                    for file in example_files(artifact_utils.get_split_uri(input_dict["leaf_examples"], split))
                ],
                artifact_utils.get_single_uri(input_dict["forest"]),
                artifact_utils.get_single_uri(input_dict["transform_graph"]),
                io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema_uri)),
            ),
            TrainingRecord(
                identity,
                exec_properties["config_name"],
                {part: json.loads(exec_properties[part]) for part in MANIFEST_PARTS if exec_properties[part]},
                _trained_days(input_dict, plan, identity.day),
                json.loads(exec_properties["parts"]),
            ),
            path_utils.serving_model_dir(model.uri),
            plan,
            state,
            os.path.join(run.uri, TENSORBOARD_FOLDER),
            strategy,
        )
        if history is not None:
            write_text(join(run.uri, HISTORY_FILE), history.to_json())


def _settings(exec_properties: dict[str, Any]) -> TowerSettings:
    """The config parts among the component's parameters."""
    examination, effects = exec_properties["examination"], exec_properties["effects"]
    return TowerSettings(
        objectives=from_json(tuple[Objective, ...], exec_properties["objectives"]),
        features=from_json(Features, exec_properties["features"]),
        towers=from_json(Towers, exec_properties["towers"]),
        training=from_json(Training, exec_properties["training"]),
        retraining=from_json(Retraining, exec_properties["retraining"]),
        utility=from_json(Utility, exec_properties["utility"]),
        serving=from_json(Serving, exec_properties["serving"]),
        examination=from_json(Examination, examination) if examination else None,
        effects=from_json(Effects, effects) if effects else None,
    )


def _trained_days(input_dict: dict[str, list[types.Artifact]], plan: StartPlan, eval_day: str) -> list[str]:
    """The days of this training and of those that it continued from; empty if the latter are unknown."""
    if not plan.is_cold and not plan.parent_days:
        return []
    read = rows_of(input_dict["examples"][0].get_string_custom_property(ROWS_PER_DAY))
    return sorted({*plan.parent_days, *read} - {eval_day})
