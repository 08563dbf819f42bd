"""What is found about the feature columns: those that tell an outcome, and what the forest alone makes of them."""

import json
import math
import os
from dataclasses import replace
from typing import Any

from tfx import types
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.artifacts import PRESENT, rows_property
from ranker.config.columns import Features
from ranker.config.documents import from_json
from ranker.documents import DocumentError
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.importance import GroupImportance, Importance, column_groups
from ranker.evaluation.leakage import find_leaks, find_leaks_of_forest, served_columns
from ranker.evaluation.permutation import Score, permutation_importance
from ranker.evaluation.reference_metrics import reference_metrics
from ranker.evaluation.transformed_rows import read_rows
from ranker.examples import example_files, records
from ranker.forest.importance import gain_shares
from ranker.forest.model import Forest
from ranker.forest.rows import forest_rows
from ranker.registry.layout import MANIFEST
from ranker.registry.manifest import Manifest

MOST_ROWS = 25_000
"""Rows of each split that single columns are looked at in."""

MOST_SHUFFLED_ROWS = 4096
"""Impressions of the held-out day that a group of columns is shuffled among."""

MOST_SCORED_ROWS = 24_000
"""Impressions that the candidate scores for all groups together, which takes a second."""

_SPLITS = ("train", "eval")

Artifacts = dict[str, list[types.Artifact]]


def with_columns(
    evaluation: Evaluation, input_dict: Artifacts, exec_properties: dict[str, Any], score: Score
) -> Evaluation:
    """The evaluation with what is found about the columns.

    Args:
        evaluation: of the candidate.
        input_dict: the component's inputs.
        exec_properties: its parameters.
        score: the candidate.

    Columns are looked at in a sample of both splits: a column that is filled only after a day or two, once the outcome
    is known, holds it in the training days alone.

    Raises:
        ValueError: the transformed examples, the forest and the features do not belong together.
    """
    objectives, features = tuple(evaluation.objectives), from_json(Features, exec_properties["features"])
    forest = Forest.load(artifact_utils.get_single_uri(input_dict["forest"]))
    transformed = artifact_utils.get_single_instance(input_dict["transformed_examples"])
    files = {split: example_files(artifact_utils.get_split_uri([transformed], split)) for split in _SPLITS}
    references = reference_metrics(
        forest,
        forest_rows(files["eval"], len(forest.feature_names), len(objectives)),
        manifest_of(input_dict["model"][0]).base_rates,
        objectives,
        evaluation.confidence,
    )
    shares = gain_shares(forest, features.columns)
    outputs = objectives if len(shares) == len(objectives) else ("any engagement",)
    gains = dict(zip(outputs, shares, strict=True)) if shares else {}

    served = served_columns(_served_config(input_dict))
    vouched = json.loads(exec_properties["vouched"])
    examples = artifact_utils.get_single_instance(input_dict["examples"])
    sampled = {file: _every(examples, split) for split in _SPLITS for file in files[split]}
    rows = read_rows(sampled, features, len(objectives))
    leaks = find_leaks(rows.columns(features), rows.outcomes, objectives, served, vouched)
    of_forest = {name: found.forest for name, found in references.items() if found.forest is not None}
    leaks = (*leaks, *find_leaks_of_forest(of_forest, gains, leaks, served, vouched))
    shuffled = _shuffled(input_dict, features, exec_properties["viewer_key"], evaluation, score)
    found = evaluation.with_columns(leaks, references, Importance(gains, *shuffled))
    unread = tuple(sorted(served - set(features.names)))
    return replace(found, baseline=replace(found.baseline, unread=unread)) if unread and found.compared else found


def _shuffled(
    input_dict: Artifacts, features: Features, viewer_key: str, evaluation: Evaluation, score: Score
) -> tuple[tuple[GroupImportance, ...], int]:
    """What shuffling each group of columns costs the candidate, and the number of impressions that were shuffled."""
    groups = column_groups(features.names)
    examples = artifact_utils.get_single_instance(input_dict["examples"])
    most = min(MOST_SHUFFLED_ROWS, MOST_SCORED_ROWS // len(groups))
    every = max(1, math.ceil(examples.get_int_custom_property(rows_property("eval")) / most))
    sample = [
        row
        for file in example_files(artifact_utils.get_split_uri([examples], "eval"))
        for batch in records(file, most, every).as_numpy_iterator()
        for row in batch.tolist()
    ]
    objectives = tuple(evaluation.objectives)
    found = permutation_importance(score, sample, groups, objectives, viewer_key, evaluation.confidence)
    return found, len(sample)


def _every(examples: types.Artifact, split: str) -> int:
    """One row of so many is looked at."""
    return max(1, math.ceil(examples.get_int_custom_property(rows_property(split)) / MOST_ROWS))


def _served_config(input_dict: Artifacts) -> dict[str, Any]:
    """The config parts of the baseline; empty if there is none, or if it has no manifest of this project."""
    served = input_dict.get("baseline_model") or []
    if not served or served[0].get_int_custom_property(PRESENT) != 1:
        return {}
    return manifest_of(served[0]).config


def manifest_of(model: types.Artifact) -> Manifest:
    """The manifest of a model; that of an unknown one if it cannot be read."""
    path = os.path.join(path_utils.serving_model_dir(model.uri), MANIFEST)
    if not fileio.exists(path):
        return Manifest()
    with fileio.open(path) as file:
        try:
            return Manifest.from_json(file.read(), path)
        except DocumentError:
            return Manifest()
