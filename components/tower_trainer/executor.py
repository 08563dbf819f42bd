"""TowerTrainer's executor: leaf examples → trained towers → SavedModel and training history."""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import tensorflow_transform as tft
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.artifacts import HISTORY_FILE, ROWS_PER_DAY, rows_of, start_of, training_of
from ranker.config.columns import Features
from ranker.config.documents import from_json
from ranker.config.examination import Examination
from ranker.config.objectives import Objective
from ranker.config.retraining import Retraining
from ranker.config.serving import Serving
from ranker.config.towers import Towers
from ranker.config.training import Training
from ranker.config.utility import Utility
from ranker.examples import example_files
from ranker.export.module import FeedRanker
from ranker.export.raw_features import RawFeatures
from ranker.export.request_features import request_features
from ranker.export.saved_model import export_saved_model
from ranker.export.training_state import TrainingState
from ranker.files import write_text
from ranker.forest.graph import ForestLeaves
from ranker.forest.margins import ForestMargins
from ranker.forest.model import Forest
from ranker.registry.layout import TOWER_STATE
from ranker.registry.manifest import Lineage, Manifest
from ranker.registry.plan import StartPlan
from ranker.storage import join
from ranker.towers.data import count_labels, random_impressions, training_batches
from ranker.towers.examination import ExaminationModel, fit_examination
from ranker.towers.inputs import tower_inputs
from ranker.towers.relevance import relevance_shift
from ranker.towers.retrain import Task, retrain
from ranker.towers.sampling import make_sampler
from ranker.towers.state import TowerState
from ranker.towers.workers import is_chief, make_strategy

TENSORBOARD_DIR = "tensorboard"
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
        features = from_json(Features, exec_properties["features"])
        objectives = from_json(tuple[Objective, ...], exec_properties["objectives"])
        towers = from_json(Towers, exec_properties["towers"])
        training = from_json(Training, exec_properties["training"])
        strategy = make_strategy(training.strategy)
        schema_uri = artifact_utils.get_single_uri(input_dict["schema"])
        raw = RawFeatures(features, io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema_uri)))
        graph = artifact_utils.get_single_uri(input_dict["transform_graph"])
        forest = Forest.load(artifact_utils.get_single_uri(input_dict["forest"]))
        inputs = tower_inputs(
            tft.TFTransformOutput(graph).transformed_feature_spec(),
            features,
            towers,
            forest.trees,
            forest.leaves,
        )

        run = artifact_utils.get_single_instance(output_dict["model_run"])
        there = artifact_utils.decode_split_names(input_dict["leaf_examples"][0].split_names)
        files = [
            file
            for split in _TRAINED_ON
            if split in there
            for file in example_files(artifact_utils.get_split_uri(input_dict["leaf_examples"], split))
        ]
        names = [o.name for o in objectives]
        plan, state = start_of(input_dict)
        examination = None
        if exec_properties["examination"]:
            examination = _examination(
                files, features, len(names), from_json(Examination, exec_properties["examination"]), plan, state
            )
        sampler = make_sampler(training.sampling, names, training.seed)
        counts = count_labels(files, names, sampler)
        everything = partial(
            training_batches,
            files,
            inputs,
            len(objectives),
            training.batch_size,
            training.shuffle_buffer,
            epochs=training.epochs,
            seed=training.seed,
            examination=examination,
        )
        batches = everything
        if sampler is not None and counts.weights is not None:
            batches = partial(everything, sampler=sampler.scaled(counts.rows, counts.weights))
        retraining = from_json(Retraining, exec_properties["retraining"])
        parent = None if plan.is_cold else TowerState.load(os.path.join(state, TOWER_STATE))
        # The trees of a superset-objective forest do not predict a single objective.
        margins = ForestMargins(forest) if len(forest.base_margin) == len(objectives) else None
        if examination is not None:
            shift, mean = relevance_shift(everything(epochs=1), margins)
            margins = ForestMargins(forest, shift) if margins is not None else None
            counts = replace(counts, mean_examination=mean)
        task = Task(
            counts,
            inputs,
            objectives,
            towers,
            training,
            retraining,
            forest.fingerprint,
            margins,
            examination=examination is not None,
        )
        logs = os.path.join(run.uri, TENSORBOARD_DIR)
        trained, tower_state = retrain(plan.start, task, batches, parent, logs, strategy, everything)
        if not is_chief(strategy):
            return
        write_text(join(run.uri, HISTORY_FILE), trained.history.to_json())

        model = artifact_utils.get_single_instance(output_dict["model"])
        identity = training_of(input_dict, exec_properties["eval_day"], exec_properties["recipe"])
        manifest = Manifest(
            objectives=names,
            trees=forest.trees,
            leaves=forest.leaves,
            forest_fingerprint=forest.fingerprint,
            training_fingerprint=identity.fingerprint,
            eval_day=identity.day,
            trained_days=_trained_days(input_dict, plan, identity.day),
            rows=counts.rows,
            base_rates=dict(zip(names, replace(counts, mean_examination=1.0).base_rates.tolist(), strict=True)),
            input_names={**raw.input_names, **raw.exposure_names},
            config={
                part: json.loads(exec_properties[part])
                for part in ("objectives", "features", "towers", "training", "utility", "serving")
            }
            | ({"examination": json.loads(text)} if (text := exec_properties["examination"]) else {}),
            training=identity,
            lineage=Lineage(
                start=plan.start,
                parent=plan.parent,
                forest_day=plan.forest_day or identity.day,
                fisher=bool(tower_state.latest.fisher),
                parts=json.loads(exec_properties["parts"]),
            ),
        )
        serving = from_json(Serving, exec_properties["serving"])
        module = FeedRanker(
            raw,
            request_features(
                raw,
                graph,
                calibrated_by.name if (calibrated_by := towers.calibrated_by(features)) else None,
                from_json(Examination, text).by if (text := exec_properties["examination"]) else (),
            ),
            ForestLeaves(forest),
            trained.network,
            inputs,
            objectives,
            margins if towers.forest_share else None,
            towers.forest_share,
            leaf_table=serving.leaf_table,
            xla_forest=ForestLeaves(forest, xla=True) if serving.xla else None,
            max_rows=serving.max_rows,
            utility=from_json(Utility, exec_properties["utility"]),
            examination=examination,
        )
        export_saved_model(
            module,
            manifest,
            path_utils.serving_model_dir(model.uri),
            TrainingState(
                artifact_utils.get_single_uri(input_dict["forest"]),
                graph,
                tower_state,
                examination,
            ),
        )


def _examination(
    files: Sequence[str], features: Features, objectives: int, settings: Examination, plan: StartPlan, state: str
) -> ExaminationModel:
    """The examination model, fitted on a cold start; later trainings keep it, as their weights were fitted with it."""
    if not plan.is_cold:
        return ExaminationModel.load(os.path.join(state, TOWER_STATE))
    codes = {feature.name: feature.codes for feature in features.categorical}
    by_codes = [codes[name] for name in settings.by]
    random = random_impressions(files, objectives, len(features.exposure), len(by_codes))
    return fit_examination(random, features.exposure, by_codes, settings)


def _trained_days(input_dict: dict[str, list[types.Artifact]], plan: StartPlan, eval_day: str) -> list[str]:
    """The days of this training and of those that it continued from; empty if the latter are unknown."""
    if not plan.is_cold and not plan.parent_days:
        return []
    read = rows_of(input_dict["examples"][0].get_string_custom_property(ROWS_PER_DAY))
    return sorted({*plan.parent_days, *read} - {eval_day})
