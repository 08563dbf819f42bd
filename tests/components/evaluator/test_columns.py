"""Columns that tell an outcome, in the component: what is read, what blocks, and what the document says."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit
from tfx.types import standard_artifacts

from components.artifacts import ForestArtifact, rows_property
from components.evaluator import columns as module
from components.evaluator.columns import with_columns
from ranker import keys
from ranker.config.columns import Categorical, DenseEmbedding, Features
from ranker.config.documents import to_json
from ranker.config.forest import Forest as ForestConfig
from ranker.evaluation.baseline import Baseline
from ranker.evaluation.evaluation import Evaluation
from ranker.forest.train import train_forest
from ranker.registry.manifest import Manifest
from tests.components.transformed import OBJECTIVES, examples_artifact, tensors_of
from tests.ranker.evaluation import handmade

# The last of the forest's inputs is a code, as of a category.
FEATURES = Features(
    numeric=("a", "b", "c", "d", "spend"), categorical=(Categorical("e"),), dense=(DenseEmbedding("content", size=4),)
)
CONFIG = ForestConfig(trees=20, depth=3, learning_rate=0.3, min_child_weight=1.0)

Artifacts = dict[str, list[Any]]


def impressions(rows: int, seed: int, leak: str = "") -> dict[str, np.ndarray]:
    tensors = tensors_of(rows, seed)
    like = tensors[keys.LABELS][:, 1]
    if leak == "spend":
        tensors[keys.FOREST_FEATURES][:, 4] = np.where(like, 10.0, np.nan)
    elif leak == "content":
        tensors["content"][:, 2] = like
    return tensors


def logged(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Impressions as FeedLogGen writes them."""
    columns = {name: tensors[keys.FOREST_FEATURES][:, [i]] for i, name in enumerate((*FEATURES.numeric_names, "e"))}
    labels = {name: tensors[keys.LABELS][:, [o]].astype(np.int64) for o, name in enumerate(OBJECTIVES)}
    return {**columns, **labels, "content": tensors["content"], "viewer": tensors[keys.VIEWER_BUCKET]}


def score(examples: list[bytes]) -> dict[str, np.ndarray]:
    """A model that reads the column c alone."""
    c = [tf.train.Example.FromString(row).features.feature["c"].float_list.value[0] for row in examples]
    return {name: expit(2.0 * np.nan_to_num(c) - 2.0) for name in OBJECTIVES}


def model(folder: Path, manifest: Manifest, present: bool = True) -> standard_artifacts.Model:
    artifact = standard_artifacts.Model()
    artifact.uri = str(folder)
    artifact.set_int_custom_property("present", int(present))
    path = folder / "Format-Serving" / "assets.extra" / "feed_ranker.json"
    path.parent.mkdir(parents=True)
    path.write_text(manifest.to_json())
    return artifact


def inputs(root: Path, leak: str = "", in_training_only: bool = False) -> Artifacts:
    training, day = impressions(1500, 1, leak), impressions(600, 2, "" if in_training_only else leak)
    transformed = examples_artifact(root / "transformed", {"train": {"a": training}, "eval": {"a": day}})
    forest, _ = train_forest(
        [(training[keys.FOREST_FEATURES], training[keys.LABELS], training[keys.VIEWER_BUCKET][:, 0])],
        CONFIG,
        FEATURES.forest_names,
        OBJECTIVES,
    )
    artifact = ForestArtifact()
    artifact.uri = str(root / "forest")
    forest.save(artifact.uri)
    examples = examples_artifact(root / "examples", {"eval": {"a": logged(day)}})
    for split, rows in (("train", 1500), ("eval", 600)):
        examples.set_int_custom_property(rows_property(split), rows)
    return {
        "examples": [examples],
        "transformed_examples": [transformed],
        "forest": [artifact],
        "model": [model(root / "candidate", Manifest(base_rates={"click": 0.5, "like": 0.2}))],
    }


def evaluated(artifacts: Artifacts, vouched: tuple[str, ...] = (), baseline: Baseline | None = None) -> Evaluation:
    evaluation = handmade.first() if baseline is None else replace(handmade.compared(), baseline=baseline)
    both = dict.fromkeys(OBJECTIVES, evaluation.objectives["click"])
    parameters = {"features": to_json(FEATURES), "vouched": json.dumps(vouched), "viewer_key": "viewer"}
    return with_columns(replace(evaluation, objectives=both), artifacts, parameters, score)


@pytest.mark.slow
def test_honest_columns_leave_the_evaluation_blessed_and_it_gains_its_references(tmp_path: Path) -> None:
    found = evaluated(inputs(tmp_path))
    assert found.blessed
    assert found.leaks == ()
    for name in OBJECTIVES:
        references = found.references[name]
        assert references.forest is not None
        assert references.base_rate is not None
        assert references.forest.impressions == references.base_rate.impressions == 600
        assert references.forest.auc.value > references.base_rate.auc.value == 0.5
        assert sum(found.importance.gains[name].values()) == pytest.approx(1.0)
        assert list(found.importance.gains[name]) == list(FEATURES.names)
    assert found.importance.impressions == 600
    growth = {group.name: group.growth["like"].value for group in found.importance.groups}
    assert list(growth) == list(FEATURES.names)
    assert growth.pop("c") > 0.1
    assert set(growth.values()) == {0.0}


@pytest.mark.slow
@pytest.mark.parametrize("column", ["spend", "content"])
def test_a_new_column_that_tells_an_outcome_blocks_the_model(tmp_path: Path, column: str) -> None:
    found = evaluated(inputs(tmp_path, leak=column))
    assert not found.blessed
    assert [(leak.column, leak.objective, leak.new) for leak in found.leaks] == [(column, "like", True)]


def test_the_outcome_in_the_training_days_alone_is_found(tmp_path: Path) -> None:
    found = evaluated(inputs(tmp_path, leak="spend", in_training_only=True))
    assert [leak.column for leak in found.leaks] == ["spend"]


@pytest.mark.slow
def test_a_column_that_the_config_vouches_for_is_listed_alone(tmp_path: Path) -> None:
    found = evaluated(inputs(tmp_path, leak="spend"), vouched=("spend",))
    assert found.blessed
    assert [(leak.column, leak.vouched) for leak in found.leaks] == [("spend", True)]
    assert all(verdict.metric != "leak" for verdict in found.verdicts)


@pytest.mark.slow
def test_new_means_that_the_baseline_does_not_read_the_column(tmp_path: Path) -> None:
    artifacts = inputs(tmp_path, leak="spend")
    reads = Manifest(config={"features": json.loads(to_json(FEATURES))})
    lacks = Manifest(config={"features": json.loads(to_json(Features(numeric=("a", "b", "c", "d"))))})
    for name, manifest, present, blessed in (
        ("reads", reads, True, True),
        ("lacks", lacks, True, False),
        ("absent", reads, False, False),
        ("unknown", Manifest(), True, False),
    ):
        served = model(tmp_path / name, manifest, present)
        found = evaluated({**artifacts, "baseline_model": [served]})
        assert (name, found.blessed) == (name, blessed)
        assert [leak.new for leak in found.leaks] == [not blessed]


@pytest.mark.slow
def test_columns_that_only_the_baseline_reads_are_named(tmp_path: Path) -> None:
    """They are not among today's examples, so the serving model looked worse than it is, and nothing said so."""
    artifacts = inputs(tmp_path)
    more = replace(FEATURES, numeric=(*FEATURES.numeric, "tenure", "age"))
    for name, features, unread in (("more", more, ("age", "tenure")), ("same", FEATURES, ())):
        served = model(tmp_path / name, Manifest(config={"features": json.loads(to_json(features))}))
        found = evaluated({**artifacts, "baseline_model": [served]}, baseline=Baseline("7"))
        assert found.baseline.unread == unread
        assert found.baseline.is_serving == (not unread)
        said = "it reads age, tenure, which the config no longer has, and was scored as if that were missing"
        assert (said in str(found)) == bool(unread)


@pytest.mark.slow
def test_a_model_without_a_manifest_counts_as_one_that_reads_no_column(tmp_path: Path) -> None:
    artifacts = inputs(tmp_path, leak="spend")
    served = model(tmp_path / "served", Manifest())
    (tmp_path / "served" / "Format-Serving" / "assets.extra" / "feed_ranker.json").write_text("{")
    assert not evaluated({**artifacts, "baseline_model": [served]}).blessed


@pytest.mark.slow
def test_of_many_rows_a_sample_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifacts = inputs(tmp_path, leak="spend")
    monkeypatch.setattr(module, "MOST_ROWS", 500)
    [found] = evaluated(artifacts).leaks
    labels = [impressions(rows, seed)[keys.LABELS][::every, 1] for rows, seed, every in ((1500, 1, 3), (600, 2, 2))]
    assert found.positives == sum(int(of.sum()) for of in labels)
