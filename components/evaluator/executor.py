"""Runs the evaluation over the eval split and writes the blessing."""

import json
import os
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.extractors import predictions_extractor
from tensorflow_model_analysis.writers import eval_config_writer, metrics_plots_and_validations_writer
from tfx import types
from tfx.components.evaluator import constants as stock
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils
from tfx_bsl.tfxio import tf_example_record

from components.artifacts import EVALUATION_FILE, USUAL_ROWS
from components.evaluator.baseline import (
    baseline_problem,
    reason_for_the_baseline,
    served_model,
    with_baseline,
    without_baseline,
)
from components.evaluator.columns import with_columns
from components.evaluator.eval_config import EvaluationSpec, eval_config
from components.evaluator.impressions import impression_schema
from components.evaluator.tfma_extension import feed_evaluator, gates_writer, impressions_extractor
from ranker.config.columns import Features
from ranker.config.documents import from_json
from ranker.config.gates import Gates
from ranker.evaluation.baseline import Baseline
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.held_out_day import HeldOutDay
from ranker.evaluation.session_sums import UtilityWeights
from ranker.evaluation.summary import BASELINE, CANDIDATE
from ranker.export import inspection as models
from ranker.export.names import SERVING_DEFAULT
from ranker.files import write_text

BATCH_SIZE = 2048
SPLIT = "eval"


class Executor(base_beam_executor.BaseBeamExecutor):
    """See `component.Evaluator`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates the models, applies the gates and writes the blessing.

        Raises:
            ValueError: the candidate cannot be evaluated, or the eval split is empty.
        """
        evaluation_uri = artifact_utils.get_single_uri(output_dict["evaluation"])
        patterns = [
            io_utils.all_files_pattern(uri) for uri in artifact_utils.get_split_uris(input_dict["examples"], SPLIT)
        ]
        settings = EvaluationSpec(
            utility=from_json(UtilityWeights, exec_properties["utility"]),
            viewer_key=exec_properties["viewer_key"],
            session_key=exec_properties["session_key"],
            slices=tuple(tuple(spec) for spec in json.loads(exec_properties["slices"])),
            gates=from_json(Gates, exec_properties["gates"]),
        )
        candidate = artifact_utils.get_single_instance(input_dict["model"])
        paths: dict[str, str] = {CANDIDATE: path_utils.serving_model_dir(candidate.uri)}
        if problem := models.signature_problem(paths[CANDIDATE], settings.objectives):
            raise ValueError(f"Evaluator: the candidate cannot be evaluated: {problem}")
        served = served_model(input_dict)
        if served is not None:
            paths[BASELINE] = path_utils.serving_model_dir(served.uri)
            settings = with_baseline(
                settings, served, paths[BASELINE], patterns, from_json(Features, exec_properties["features"])
            )
        else:
            settings = replace(settings, baseline=Baseline(reason=reason_for_the_baseline(input_dict)))
        loaded = self._evaluate(settings, paths, patterns, evaluation_uri)
        written = os.path.join(evaluation_uri, EVALUATION_FILE)
        with fileio.open(written) as file:
            evaluation = Evaluation.from_json(file.read(), written)
        evaluation = evaluation.on_day(
            HeldOutDay.of(
                evaluation.impressions, input_dict["examples"][0].get_int_custom_property(USUAL_ROWS), settings.gates
            )
        )
        if input_dict.get("transformed_examples") and input_dict.get("forest"):
            evaluation = with_columns(evaluation, input_dict, exec_properties, partial(_score, loaded))
        write_text(written, evaluation.to_json())
        _bless(
            artifact_utils.get_single_instance(output_dict["blessing"]),
            evaluation.blessed,
            candidate,
            served if evaluation.compared else None,
            exec_properties.get("current_component_id"),
        )

    def _evaluate(self, settings: EvaluationSpec, paths: dict[str, str], patterns: list[str], output: str) -> Any:
        """Evaluates with the baseline and, if that fails for a reason that lies in the baseline, without it.

        Returns:
            The candidate as TensorFlow loaded it.
        """
        try:
            return self._run(settings, paths, patterns, output)
        except Exception as error:
            # An error of a Beam worker does not tell which model it comes from, so the baseline is tried by itself.
            if (
                not settings.compare
                or (problem := baseline_problem(paths[BASELINE], patterns, error, BATCH_SIZE)) is None
            ):
                raise
            fileio.rmtree(output)
            fileio.makedirs(output)
            return self._run(without_baseline(settings, problem), paths, patterns, output)

    def _run(self, settings: EvaluationSpec, paths: dict[str, str], patterns: list[str], output: str) -> Any:
        config = eval_config(settings)
        shared = [
            tfma.default_eval_shared_model(eval_saved_model_path=paths[name], model_name=name, eval_config=config)
            for name in settings.models
        ]
        source = tf_example_record.TFExampleRecord(
            file_pattern=patterns,
            schema=impression_schema(settings),
            raw_record_column_name=tfma.ARROW_INPUT_COLUMN,
            telemetry_descriptors=["FeedRanker", "Evaluator"],
        )
        locations = {name: paths[name] for name in settings.models}
        # TFMA's workers in this process share the model, so loading it here costs no second time.
        candidate = shared[0].model_loader.load()
        files = {key: os.path.join(output, key) for key in (tfma.METRICS_KEY, tfma.PLOTS_KEY)}
        with self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | "ReadExamples" >> source.BeamSource(BATCH_SIZE)
                | "ExtractEvaluateAndWriteResults"
                >> tfma.ExtractEvaluateAndWriteResults(
                    eval_shared_model=shared if settings.compare else shared[0],
                    eval_config=config,
                    extractors=[
                        impressions_extractor(settings),
                        predictions_extractor.PredictionsExtractor(
                            eval_config=config, eval_shared_model=shared if settings.compare else shared[0]
                        ),
                    ],
                    evaluators=[feed_evaluator(settings)],
                    writers=[
                        eval_config_writer.EvalConfigWriter(output, eval_config=config, model_locations=locations),
                        metrics_plots_and_validations_writer.MetricsPlotsAndValidationsWriter(
                            output_paths=files, eval_config=config
                        ),
                        gates_writer(output),
                    ],
                )
            )
        return candidate


def _score(model: Any, examples: list[bytes]) -> dict[str, Any]:
    """The probabilities of serialised tf.Examples, by objective."""
    signature = model.signatures[SERVING_DEFAULT]
    # A positional argument would be formatted for an error message before TensorFlow takes it.
    [name] = signature.structured_input_signature[1]
    batches = (examples[begin : begin + BATCH_SIZE] for begin in range(0, len(examples), BATCH_SIZE))
    scored = [signature(**{name: tf.constant(batch)}) for batch in batches]
    return {objective: np.concatenate([outputs[objective].numpy() for outputs in scored]) for objective in scored[0]}


def _bless(
    blessing: types.Artifact,
    blessed: bool,
    candidate: types.Artifact,
    baseline: types.Artifact | None,
    component_id: str | None,
) -> None:
    """Writes the blessing in the format of TFX's own Evaluator, which Pusher reads."""
    blessing.set_string_custom_property(stock.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, candidate.uri)
    blessing.set_int_custom_property(stock.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, candidate.id)
    if baseline is not None:
        blessing.set_string_custom_property(stock.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY, baseline.uri)
        blessing.set_int_custom_property(stock.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, baseline.id)
    if component_id:
        blessing.set_string_custom_property("component_id", component_id)
    name = stock.BLESSED_FILE_NAME if blessed else stock.NOT_BLESSED_FILE_NAME
    io_utils.write_string_file(os.path.join(blessing.uri, name), "")
    blessing.set_int_custom_property(
        stock.ARTIFACT_PROPERTY_BLESSED_KEY, stock.BLESSED_VALUE if blessed else stock.NOT_BLESSED_VALUE
    )
