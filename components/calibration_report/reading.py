"""Reads the page's inputs from artifacts."""

import importlib.metadata
import json
import os
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.components.example_validator import executor as example_validator
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.artifacts import (
    EVALUATION_FILE,
    FEED_LOG_WARNINGS,
    HISTORY_FILE,
    MISSING_DAYS,
    NOT_PUSHED,
    ROWS_PER_DAY,
    SOURCE_FINGERPRINT,
    TRAINING_CURVE_FILE,
    days_of,
    rows_of,
)
from components.calibration_report.contributions import explained_impressions
from ranker.evaluation.evaluation import Evaluation
from ranker.forest.curve import TrainingCurve
from ranker.registry.layout import MANIFEST
from ranker.registry.manifest import Manifest
from ranker.reports.calibration.data_health import by_name, compare_features, listed_anomalies, positive_rates
from ranker.reports.calibration.inputs import ReportInputs
from ranker.towers.history import TrainingHistory

_LIBRARIES = ("tfx", "tensorflow", "xgboost", "keras")

Artifacts = dict[str, list[types.Artifact]]


def read_inputs(inputs: Artifacts, parameters: dict[str, Any]) -> ReportInputs:
    """The inputs of the page.

    Raises:
        ValueError: an artifact lacks the file that its component writes, or a file is damaged.
    """
    evaluation_file = os.path.join(_uri(inputs, "evaluation"), EVALUATION_FILE)
    evaluation = Evaluation.from_json(_text(evaluation_file), evaluation_file)
    model = path_utils.serving_model_dir(_uri(inputs, "model"))
    manifest_file = os.path.join(model, MANIFEST)
    manifest = Manifest.from_json(_text(manifest_file), manifest_file)
    history_file = os.path.join(_uri(inputs, "model_run"), HISTORY_FILE)
    statistics = artifact_utils.get_single_instance(inputs["statistics"])
    train, held_out = (
        by_name(stats_artifact_utils.load_statistics(statistics, split).proto()) for split in ("train", "eval")
    )
    anomalies = {split: _anomalies(inputs["anomalies"], split) for split in ("train", "eval")}
    examples = artifact_utils.get_single_instance(inputs["examples"])
    names = json.loads(parameters["features"])
    curve_file = os.path.join(_uri(inputs, "forest"), TRAINING_CURVE_FILE)
    explained, not_explained = explained_impressions(inputs["examples"], model, manifest)
    return ReportInputs(
        evaluation=evaluation,
        manifest=manifest,
        forest_curve=TrainingCurve.from_json(_text(curve_file), curve_file) if fileio.exists(curve_file) else None,
        tower_history=TrainingHistory.from_json(_text(history_file), history_file),
        anomalies=tuple(found for split in anomalies for found in listed_anomalies(split, anomalies[split])),
        features=compare_features(names, train, held_out, anomalies["eval"]),
        base_rates=positive_rates(list(evaluation.objectives), train),
        rows_per_day=rows_of(examples.get_string_custom_property(ROWS_PER_DAY)),
        missing_days=days_of(examples.get_string_custom_property(MISSING_DAYS)),
        feed_log_warnings=tuple(examples.get_string_custom_property(FEED_LOG_WARNINGS).splitlines()),
        fingerprints={
            "training": manifest.training_fingerprint,
            "forest's booster": manifest.forest_fingerprint,
            "feed log": examples.get_string_custom_property(SOURCE_FINGERPRINT),
        },
        versions={library: importlib.metadata.version(library) for library in _LIBRARIES},
        gates=json.loads(parameters["gates"]),
        pushed_version=_pushed_version(inputs),
        not_pushed=_not_pushed(inputs),
        explained=explained,
        not_explained=not_explained,
    )


def _uri(inputs: Artifacts, name: str) -> str:
    return artifact_utils.get_single_uri(inputs[name])


def _text(path: str) -> str:
    if not fileio.exists(path):
        raise ValueError(f"CalibrationReport: {path} is missing")
    with fileio.open(path) as file:
        return file.read()


def _anomalies(artifacts: list[types.Artifact], split: str) -> anomalies_pb2.Anomalies:
    path = os.path.join(artifact_utils.get_split_uri(artifacts, split), example_validator.DEFAULT_FILE_NAME)
    with fileio.open(path, "rb") as file:
        return anomalies_pb2.Anomalies.FromString(file.read())


def _pushed_version(inputs: Artifacts) -> str | None:
    pushed = (inputs.get("pushed_model") or [None])[0]
    if pushed is None or pushed.get_int_custom_property("pushed") != 1:
        return None
    return pushed.get_string_custom_property("pushed_version")


def _not_pushed(inputs: Artifacts) -> str:
    pushed = (inputs.get("pushed_model") or [None])[0]
    return pushed.get_string_custom_property(NOT_PUSHED) if pushed is not None else ""
