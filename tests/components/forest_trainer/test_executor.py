"""ForestTrainer's executor on examples in Transform's format."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from tfx.types import channel_utils, standard_artifacts

from components.artifacts import TRAINING_CURVE_FILE, ForestArtifact, TrainingStartArtifact
from components.forest_trainer.component import ForestTrainer
from components.forest_trainer.executor import Executor
from ranker import keys
from ranker.config.documents import from_json
from ranker.config.forest import Forest as ForestConfig
from ranker.forest.added import with_added_trees
from ranker.forest.curve import TrainingCurve
from ranker.forest.model import Forest
from ranker.forest.refresh import refreshed
from ranker.forest.train import train_forest
from ranker.forest.traverse import Traversal
from ranker.registry.plan import StartPlan, write_plan
from tests.components.transformed import FEATURES, OBJECTIVES, examples_artifact, tensors_of

CONFIG = ForestConfig(trees=20, depth=3, learning_rate=0.3, min_child_weight=1.0)


def component(examples: standard_artifacts.Examples, **changes: Any) -> ForestTrainer:
    arguments = {"config": CONFIG, "feature_names": FEATURES, "objective_names": OBJECTIVES, **changes}
    return ForestTrainer(transformed_examples=channel_utils.as_channel([examples]), **arguments)


def run(
    trainer: ForestTrainer,
    examples: standard_artifacts.Examples,
    folder: Path,
    start: TrainingStartArtifact | None = None,
) -> ForestArtifact:
    artifact = ForestArtifact()
    artifact.uri = str(folder)
    inputs = {"transformed_examples": [examples]} | ({"training_start": [start]} if start else {})
    Executor().Do(inputs, {"forest": [artifact]}, trainer.exec_properties)
    return artifact


def test_trains_on_every_shard_of_the_split_train(tmp_path: Path) -> None:
    shards = {"a-00000-of-00002": tensors_of(1500, seed=1), "a-00001-of-00002.gz": tensors_of(1500, seed=2)}
    examples = examples_artifact(tmp_path / "examples", {"train": shards, "eval": {"a": tensors_of(10, seed=3)}})
    artifact = run(component(examples), examples, tmp_path / "forest")
    forest = Forest.load(artifact.uri)

    batches = [(t[keys.FOREST_FEATURES], t[keys.LABELS], t[keys.VIEWER_BUCKET][:, 0]) for t in shards.values()]
    expected, curve = train_forest(batches, CONFIG, FEATURES, OBJECTIVES)
    assert forest.fingerprint == expected.fingerprint
    np.testing.assert_array_equal(forest.leaf_value, expected.leaf_value)
    assert artifact.get_int_custom_property("trees") == forest.trees == expected.trees
    assert artifact.get_int_custom_property("leaves") == forest.leaves
    assert artifact.get_int_custom_property("features") == len(FEATURES)
    assert artifact.get_string_custom_property("fingerprint") == forest.fingerprint
    assert TrainingCurve.from_json((tmp_path / "forest" / TRAINING_CURVE_FILE).read_text()) == curve

    unseen = tensors_of(2000, seed=4)
    scores = forest.margins(Traversal(forest)(unseen[keys.FOREST_FEATURES]))
    assert roc_auc_score(unseen[keys.LABELS][:, 1], scores[:, 1]) > 0.75


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"feature_names": FEATURES[:-1]}, r"forest_features float32 \[5\]"),
        ({"objective_names": [*OBJECTIVES, "share"]}, r"labels float32 \[3\]"),
    ],
)
def test_examples_of_another_shape_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    examples = examples_artifact(tmp_path / "examples", {"train": {"a": tensors_of(50, seed=1)}})
    with pytest.raises(ValueError, match=message):
        run(component(examples, **changes), examples, tmp_path / "forest")
    assert not (tmp_path / "forest").exists()


def test_a_missing_tensor_is_refused(tmp_path: Path) -> None:
    tensors = tensors_of(50, seed=1)
    del tensors[keys.VIEWER_BUCKET]
    examples = examples_artifact(tmp_path / "examples", {"train": {"a": tensors}})
    with pytest.raises(ValueError, match="viewer_bucket"):
        run(component(examples), examples, tmp_path / "forest")


def test_a_split_without_files_is_refused(tmp_path: Path) -> None:
    examples = examples_artifact(tmp_path / "examples", {"train": {}})
    with pytest.raises(ValueError, match="Split-train holds no files"):
        run(component(examples), examples, tmp_path / "forest")


def test_the_component_carries_its_settings_and_its_code(tmp_path: Path) -> None:
    examples = examples_artifact(tmp_path / "examples", {"train": {}})
    trainer = component(examples)
    assert from_json(ForestConfig, trainer.exec_properties["config"]) == CONFIG
    assert json.loads(trainer.exec_properties["feature_names"]) == FEATURES
    assert len(trainer.exec_properties["code_fingerprint"]) == 16
    assert trainer.outputs["forest"].type is ForestArtifact
    assert not np.array_equal(trainer.exec_properties, component(examples, objective_names=["a"]).exec_properties)


def warm_start(folder: Path, forest: Path, **changes: Any) -> TrainingStartArtifact:
    """A training start that continues with that forest."""
    artifact = TrainingStartArtifact()
    artifact.uri = str(folder)
    shutil.copytree(forest, folder / "state" / "forest")
    plan = StartPlan("warm", "", parent="7", train_days=1, forest_day="2024-03-01", refresh_forest=True)
    write_plan(artifact.uri, replace(plan, **changes))
    return artifact


@pytest.mark.parametrize("refresh", [True, False])
def test_a_warm_start_reuses_the_forest_and_refreshes_its_leaf_values(tmp_path: Path, refresh: bool) -> None:
    monday = examples_artifact(tmp_path / "monday", {"train": {"a": tensors_of(1500, seed=1)}})
    grown = run(component(monday), monday, tmp_path / "grown")
    rows = tensors_of(1500, seed=2)
    splits = {"replay": {"a": tensors_of(1500, seed=1)}, "train": {"a": rows}}
    tuesday = examples_artifact(tmp_path / "tuesday", splits)
    start = warm_start(tmp_path / "start", tmp_path / "grown", refresh_forest=refresh)

    artifact = run(component(tuesday), tuesday, tmp_path / "forest", start)

    expected = parent = Forest.load(grown.uri)
    if refresh:
        expected = refreshed(parent, [(Traversal(parent)(rows[keys.FOREST_FEATURES]), rows[keys.LABELS])], 0.3)
        assert not np.allclose(expected.leaf_value, parent.leaf_value, atol=1e-3)
    np.testing.assert_array_equal(Forest.load(artifact.uri).leaf_value, expected.leaf_value)
    assert Forest.load(artifact.uri).fingerprint == Forest.load(grown.uri).fingerprint
    assert artifact.get_string_custom_property("fingerprint") == grown.get_string_custom_property("fingerprint")
    assert artifact.get_int_custom_property("leaves") == grown.get_int_custom_property("leaves")
    curves = [
        TrainingCurve.from_json((tmp_path / name / TRAINING_CURVE_FILE).read_text()) for name in ("forest", "grown")
    ]
    assert replace(curves[0], added={}) == curves[1]
    assert not any(curves[0].added.values())


def test_a_warm_start_adds_trees_that_are_grown_on_the_replayed_days_too(tmp_path: Path) -> None:
    monday, tuesday = (tensors_of(1500, seed=seed) for seed in (1, 2))
    rare = replace(CONFIG, trees=4)
    examples = examples_artifact(tmp_path / "monday", {"train": {"a": monday}})
    grown = run(component(examples, config=rare), examples, tmp_path / "grown")
    splits = {"replay": {"a": monday}, "train": {"a": tuesday}}
    examples = examples_artifact(tmp_path / "tuesday", splits)
    plan = {"added_rounds": 6, "added_learning_rate_fraction": 0.5}
    start = warm_start(tmp_path / "start", tmp_path / "grown", **plan)

    artifact = run(component(examples), examples, tmp_path / "forest", start)

    parent = Forest.load(grown.uri)
    newest = [(Traversal(parent)(tuesday[keys.FOREST_FEATURES]), tuesday[keys.LABELS])]
    batches = [(t[keys.FOREST_FEATURES], t[keys.LABELS], t[keys.VIEWER_BUCKET][:, 0]) for t in (monday, tuesday)]
    expected = with_added_trees(refreshed(parent, newest, 0.3), batches, CONFIG, OBJECTIVES, 6, 0.5)
    found = Forest.load(artifact.uri)
    assert parent.trees < found.trees == expected.trees == artifact.get_int_custom_property("trees")
    assert found.fingerprint == expected.fingerprint == artifact.get_string_custom_property("fingerprint")
    np.testing.assert_array_equal(found.leaf_value, expected.leaf_value)
    curve = TrainingCurve.from_json((tmp_path / "forest" / TRAINING_CURVE_FILE).read_text())
    assert sum(curve.added.values()) == found.trees - parent.trees
    each = ", ".join(f"{name} {trees}" for name, trees in curve.added.items() if trees)
    assert curve.notes()[-1] == f"trees added to the forest since the last run, by objective: {each}"


def test_without_trees_nothing_grows_and_a_warm_start_refreshes_nothing(tmp_path: Path) -> None:
    examples = examples_artifact(tmp_path / "examples", {"train": {"a": tensors_of(20, seed=1)}})
    trainer = component(examples, config=ForestConfig(trees=0))
    grown = run(trainer, examples, tmp_path / "grown")
    start = warm_start(tmp_path / "start", tmp_path / "grown")
    again = run(trainer, examples, tmp_path / "forest", start)
    for artifact in (grown, again):
        assert artifact.get_int_custom_property("trees") == artifact.get_int_custom_property("leaves") == 0
        assert Forest.load(artifact.uri).feature_names == tuple(FEATURES)
    assert Forest.load(again.uri).fingerprint == Forest.load(grown.uri).fingerprint


def test_a_forest_with_other_features_is_refused(tmp_path: Path) -> None:
    examples = examples_artifact(tmp_path / "examples", {"train": {"a": tensors_of(1500, seed=1)}})
    run(component(examples), examples, tmp_path / "grown")
    start = warm_start(tmp_path / "start", tmp_path / "grown")
    with pytest.raises(ValueError, match=r"version 7 has a forest of the features .* to change them, start cold"):
        run(component(examples, feature_names=FEATURES[:-1]), examples, tmp_path / "forest", start)
