"""TowerTrainer's executor on real artifacts: encoded leaves, a forest and a Transform graph."""

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from google.protobuf import text_format
from sklearn.metrics import roc_auc_score
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.types import channel_utils, standard_artifacts
from tfx.types.artifact import Artifact

from components.artifacts import ROWS_PER_DAY, SOURCE_FINGERPRINT, ForestArtifact, TrainingStartArtifact, rows_text
from components.tower_trainer.component import TowerTrainer
from components.tower_trainer.executor import Executor
from ranker import keys
from ranker.config.documents import from_json
from ranker.config.exploration import Exploration
from ranker.config.pipeline import PipelineConfig
from ranker.config.training import Sampling, Training
from ranker.features.exposure import default_values
from ranker.forest.leaf_shards import Shard, encode_shard
from ranker.forest.model import Forest
from ranker.forest.traverse import Traversal
from ranker.identity.training import TrainingIdentity
from ranker.registry.layout import MANIFEST, STATE
from ranker.registry.manifest import Lineage
from ranker.registry.plan import StartPlan, write_plan
from ranker.towers.examination import ExaminationModel
from ranker.towers.history import TrainingHistory
from ranker.towers.state import TowerState, restore
from tests.ranker.export.exposed import EXAMINATION, EXPOSED, exposed_graph, exposed_rows, exposed_schema
from tests.ranker.export.feed import (
    CALIBRATED_TOWERS,
    FEATURES,
    OBJECTIVES,
    SCHEMA,
    TOWERS,
    TinyFeed,
    make_feed,
    serialized,
)

pytestmark = pytest.mark.slow

CONFIG = PipelineConfig(
    name="tiny",
    objectives=OBJECTIVES,
    features=FEATURES,
    schema="unused.pbtxt",
    towers=TOWERS,
    training=Training(epochs=12, batch_size=64, learning_rate=1e-2, shuffle_buffer=200),
)


PARTS = {"towers": "abcd"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The inputs of the tests of this module."""
    return tmp_path_factory.mktemp("tower_trainer")


@pytest.fixture(scope="module")
def feed(folder: Path) -> TinyFeed:
    """Impressions, transformed, and a forest."""
    return make_feed(folder, count=1000)


def _artifact(kind: type[Artifact], path: Path) -> Artifact:
    path.mkdir(parents=True, exist_ok=True)
    artifact = kind()
    artifact.uri = str(path)
    return artifact


def _inputs(feed: TinyFeed, folder: Path, curated: schema_pb2.Schema = SCHEMA) -> dict[str, list[Artifact]]:
    examples = _artifact(standard_artifacts.Examples, folder / "leaf_examples")
    examples.split_names = json.dumps(["train", "eval"])
    (folder / "leaf_examples" / "Split-train").mkdir(exist_ok=True)
    for i, file in enumerate(sorted(folder.glob("transformed-*"))):
        target = folder / "leaf_examples" / "Split-train" / f"leaf_examples-{i:05d}"
        (folder / "temporary").mkdir(exist_ok=True)
        encode_shard(Shard(str(file), str(target), str(folder / "temporary")), Traversal(feed.forest))
    forest = _artifact(ForestArtifact, folder / "forest")
    feed.forest.save(forest.uri)
    graph = _artifact(standard_artifacts.TransformGraph, feed.graph)
    schema = _artifact(standard_artifacts.Schema, folder / "schema")
    (folder / "schema" / "schema.pbtxt").write_text(text_format.MessageToString(curated))
    read = _artifact(standard_artifacts.Examples, folder / "examples")
    read.set_string_custom_property(SOURCE_FINGERPRINT, "da7a")
    rows = {date(2024, 5, day): 500 for day in (2, 3, 4)}
    read.set_string_custom_property(ROWS_PER_DAY, rows_text(rows))
    return {
        "examples": [read],
        "leaf_examples": [examples],
        "forest": [forest],
        "transform_graph": [graph],
        "schema": [schema],
    }


def _component(inputs: dict[str, list[Artifact]], config: PipelineConfig = CONFIG) -> TowerTrainer:
    channels: dict[str, Any] = {name: channel_utils.as_channel(artifacts) for name, artifacts in inputs.items()}
    return TowerTrainer(**channels, config=config, eval_day="2024-05-04", recipe="f00d", parts=PARTS)


def _run(inputs: dict[str, list[Artifact]], out: Path, config: PipelineConfig = CONFIG) -> Path:
    outputs = {
        "model": [_artifact(standard_artifacts.Model, out / "model")],
        "model_run": [_artifact(standard_artifacts.ModelRun, out / "model_run")],
    }
    Executor().Do(inputs, outputs, dict(_component(inputs, config).exec_properties))
    return out


@pytest.fixture(scope="module")
def inputs(feed: TinyFeed, folder: Path) -> dict[str, list[Artifact]]:
    """The input artifacts."""
    return _inputs(feed, folder)


@pytest.fixture(scope="module")
def trained(inputs: dict[str, list[Artifact]], folder: Path) -> Path:
    """The output artifacts of one run."""
    return _run(inputs, folder / "out")


def test_the_model_scores_raw_examples_and_has_learnt(feed: TinyFeed, trained: Path) -> None:
    model = tf.saved_model.load(str(trained / "model" / "Format-Serving"))

    scores = model.signatures["serving_default"](examples=tf.constant(serialized(feed.rows, FEATURES.names)))

    assert {"serving_default", "score_features", "score_leaves", "rank"} <= set(model.signatures)
    for objective in OBJECTIVES:
        labels = np.array([row[objective.name][0] for row in feed.rows])
        assert roc_auc_score(labels, scores[objective.name]) > 0.7
        assert np.mean(scores[objective.name]) == pytest.approx(labels.mean(), abs=0.05)


def test_the_leaves_of_leaf_encoder_score_as_raw_examples_do(feed: TinyFeed, trained: Path) -> None:
    model = tf.saved_model.load(str(trained / "model" / "Format-Serving"))
    leaves = {name: tf.constant(values) for name, values in feed.batch().items()}

    raw = model.signatures["serving_default"](examples=tf.constant(serialized(feed.rows)))
    encoded = model.signatures["score_leaves"](**leaves)

    for objective in OBJECTIVES:
        np.testing.assert_allclose(encoded[objective.name], raw[objective.name], atol=1e-6)


def test_the_manifest_says_what_the_model_is(feed: TinyFeed, trained: Path) -> None:
    manifest = json.loads((trained / "model" / "Format-Serving" / MANIFEST).read_text())

    assert manifest["objectives"] == [o.name for o in OBJECTIVES]
    assert manifest["forest_fingerprint"] == feed.forest.fingerprint
    assert (manifest["trees"], manifest["leaves"]) == (feed.forest.trees, feed.forest.leaves)
    assert manifest["training"] == {
        "day": "2024-05-04",
        "recipe": "f00d",
        "data": "da7a",
        "start": "cold",
        "parent": "",
    }
    assert manifest["training_fingerprint"] == TrainingIdentity(**manifest["training"]).fingerprint
    assert manifest["eval_day"] == "2024-05-04"
    assert manifest["trained_days"] == ["2024-05-02", "2024-05-03"]
    assert manifest["rows"] == 1000
    assert manifest["input_names"]["hours-old"] == "hours_old"
    assert manifest["config"]["towers"]["hidden"] == [16, 8]
    assert [o["utility_weight"] for o in manifest["config"]["objectives"]] == [3.0, 1.0, 2.0]


def test_the_run_keeps_its_curves(trained: Path) -> None:
    history = TrainingHistory.from_json((trained / "model_run" / "history.json").read_text())

    assert history.impressions[-1] == 12 * 1000
    assert history.loss[-1] < 0.96 * history.base_rate_loss
    assert list((trained / "model_run" / "tensorboard").glob("events*"))


def test_sampling_leaves_out_impressions_and_keeps_calibration(
    inputs: dict[str, list[Artifact]], feed: TinyFeed, tmp_path: Path
) -> None:
    sampled = replace(CONFIG, training=replace(CONFIG.training, sampling=Sampling(impressions=0.5)))
    out = _run(inputs, tmp_path / "out", sampled)
    manifest = json.loads((out / "model" / "Format-Serving" / MANIFEST).read_text())
    engaged = sum(any(row[o.name][0] for o in OBJECTIVES) for row in feed.rows)
    assert engaged < manifest["rows"] < 1000
    model = tf.saved_model.load(str(out / "model" / "Format-Serving"))
    scores = model.signatures["serving_default"](examples=tf.constant(serialized(feed.rows, FEATURES.names)))
    for objective in OBJECTIVES:
        labels = np.array([row[objective.name][0] for row in feed.rows])
        assert np.mean(scores[objective.name]) == pytest.approx(labels.mean(), abs=0.08)


def test_a_calibration_by_a_feature_is_learnt_and_served(
    inputs: dict[str, list[Artifact]], feed: TinyFeed, tmp_path: Path
) -> None:
    config = replace(CONFIG, towers=CALIBRATED_TOWERS, training=replace(CONFIG.training, epochs=2))
    serving = _run(inputs, tmp_path / "out", config) / "model" / "Format-Serving"
    calibrated = feed.calibrated()
    restore(calibrated.network, TowerState.load(str(serving / STATE / "towers")).latest)
    assert calibrated.network.calibration is not None
    assert np.abs(calibrated.network.calibration.key_slopes.numpy()).max() > 1e-3

    scores = tf.saved_model.load(str(serving)).signatures["serving_default"](
        examples=tf.constant(serialized(feed.rows))
    )

    for i, objective in enumerate(OBJECTIVES):
        np.testing.assert_allclose(scores[objective.name], calibrated.probabilities()[:, i], atol=1e-6)


def test_leaves_of_another_forest_are_refused(
    inputs: dict[str, list[Artifact]], feed: TinyFeed, tmp_path: Path
) -> None:
    smaller = _artifact(ForestArtifact, tmp_path / "forest")
    type(feed.forest).from_booster(feed.forest.booster[:1], FEATURES.forest_names).save(smaller.uri)

    with pytest.raises(ValueError, match=r"should be 6 bytes, 2 for each of 3 trees"):
        _run({**inputs, "forest": [smaller]}, tmp_path / "out")

    assert not (tmp_path / "out" / "model" / "Format-Serving").exists()


def _start_from(model: Path, folder: Path) -> Artifact:
    """A training start that continues from an exported model."""
    start = _artifact(TrainingStartArtifact, folder)
    shutil.copytree(model / "Format-Serving" / STATE, folder / "state")
    days = ("2024-04-30", "2024-05-02")
    plan = StartPlan("warm", "", parent="7", train_days=1, forest_day="2024-05-01", parent_days=days)
    write_plan(start.uri, plan)
    return start


def test_a_model_contains_the_state_that_a_later_training_continues_from(feed: TinyFeed, trained: Path) -> None:
    serving = trained / "model" / "Format-Serving"
    manifest = json.loads((serving / MANIFEST).read_text())
    assert from_json(Lineage, json.dumps(manifest["lineage"])) == Lineage(
        start="cold", parent="", forest_day="2024-05-04", fisher=False, parts=PARTS
    )
    assert Forest.load(str(serving / STATE / "forest")).fingerprint == feed.forest.fingerprint
    graph = tft.TFTransformOutput(str(serving / STATE / "transform_graph"))
    assert set(graph.transformed_feature_spec()) == set(feed.transformed)
    assert TowerState.load(str(serving / STATE / "towers")).forest_fingerprint == feed.forest.fingerprint


def test_a_warm_start_continues_where_its_parent_ended(
    inputs: dict[str, list[Artifact]], feed: TinyFeed, trained: Path, tmp_path: Path
) -> None:
    still = replace(CONFIG, training=replace(CONFIG.training, epochs=1, learning_rate=1e-12))
    start = _start_from(trained / "model", tmp_path / "start")

    _run({**inputs, "training_start": [start]}, tmp_path / "out", still)

    models = [out / "model" / "Format-Serving" for out in (trained, tmp_path / "out")]
    before, after = (TowerState.load(str(model / STATE / "towers")).latest.trainable for model in models)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_allclose(new, old, atol=1e-6)
    history = TrainingHistory.from_json((tmp_path / "out" / "model_run" / "history.json").read_text())
    assert history.loss[0] < 0.96 * history.base_rate_loss
    manifest = json.loads((tmp_path / "out" / "model" / "Format-Serving" / MANIFEST).read_text())
    lineage = manifest["lineage"]
    assert (lineage["start"], lineage["parent"], lineage["forest_day"]) == ("warm", "7", "2024-05-01")
    # The parent's days and its own.
    assert manifest["trained_days"] == ["2024-04-30", "2024-05-02", "2024-05-03"]


def test_a_warm_start_continues_on_a_forest_that_has_got_more_trees(
    feed: TinyFeed, folder: Path, trained: Path, tmp_path: Path
) -> None:
    for file in folder.glob("transformed-*"):
        shutil.copy(file, tmp_path)
    first = Forest.from_booster(feed.forest.booster[:1], FEATURES.forest_names)
    later = replace(first, leaf_value=np.zeros_like(first.leaf_value), base_margin=np.zeros_like(first.base_margin))
    grown = replace(feed, forest=feed.forest.followed_by(later))
    still = replace(CONFIG, training=replace(CONFIG.training, epochs=1, learning_rate=1e-12))
    start = _start_from(trained / "model", tmp_path / "start")

    _run({**_inputs(grown, tmp_path), "training_start": [start]}, tmp_path / "out", still)

    old, new = (str(out / "model" / "Format-Serving") for out in (trained, tmp_path / "out"))
    request = tf.constant(serialized(feed.rows, FEATURES.names))
    before, after = (tf.saved_model.load(model).signatures["serving_default"](examples=request) for model in (old, new))
    # The moving averages of batch normalisation learn without a learning rate.
    for objective in OBJECTIVES:
        np.testing.assert_allclose(after[objective.name], before[objective.name], atol=1e-4)
    state = TowerState.load(f"{new}/{STATE}/towers")
    assert state.forest_fingerprint == grown.forest.fingerprint != feed.forest.fingerprint
    assert json.loads(Path(new, MANIFEST).read_text())["trees"] == feed.forest.trees + first.trees


def test_replayed_days_are_trained_on_too(inputs: dict[str, list[Artifact]], folder: Path, tmp_path: Path) -> None:
    examples = _artifact(standard_artifacts.Examples, tmp_path / "leaf_examples")
    examples.split_names = json.dumps(["replay", "train", "eval"])
    for split in ("replay", "train"):
        shutil.copytree(folder / "leaf_examples" / "Split-train", tmp_path / "leaf_examples" / f"Split-{split}")
    once = replace(CONFIG, training=replace(CONFIG.training, epochs=1))

    out = _run({**inputs, "leaf_examples": [examples]}, tmp_path / "out", once)

    assert json.loads((out / "model" / "Format-Serving" / MANIFEST).read_text())["rows"] == 2 * 1000
    assert TrainingHistory.from_json((out / "model_run" / "history.json").read_text()).impressions[-1] == 2 * 1000


def test_a_warm_start_onto_another_forest_is_refused(
    inputs: dict[str, list[Artifact]], feed: TinyFeed, trained: Path, tmp_path: Path
) -> None:
    start = _start_from(trained / "model", tmp_path / "start")
    towers = TowerState.load(str(tmp_path / "start" / "state" / "towers"))
    replace(towers, forest_fingerprint="feed").save(str(tmp_path / "start" / "state" / "towers"))

    with pytest.raises(ValueError, match=r"warm start: .* leaves of forest feed, .* needs a cold start"):
        _run({**inputs, "training_start": [start]}, tmp_path / "out")

    other = Forest.from_booster(feed.forest.booster[:1], FEATURES.forest_names)
    replace(towers, forest_fingerprint=other.fingerprint).save(str(tmp_path / "start" / "state" / "towers"))
    replace(other, split_threshold=other.split_threshold + 1).save(str(tmp_path / "start" / "state" / "forest"))
    with pytest.raises(ValueError, match=r"does not begin with its trees; it needs a cold start"):
        _run({**inputs, "training_start": [start]}, tmp_path / "out")

    assert not (tmp_path / "out" / "model" / "Format-Serving").exists()


def test_parameters_carry_the_config_and_the_code(inputs: dict[str, list[Artifact]]) -> None:
    properties = _component(inputs).exec_properties
    other = _component(inputs, replace(CONFIG, training=Training(seed=2))).exec_properties

    assert json.loads(properties["towers"])["hidden"] == [16, 8]
    assert len(properties["code_fingerprint"]) == 16
    assert {name for name in properties if properties[name] != other[name]} == {"training"}


def _forget_labels(folder: Path, objective: int) -> None:
    """Replaces the labels of an objective in leaf examples by NaN, which is not observed."""
    for file in map(str, folder.iterdir()):
        examples = [tf.train.Example.FromString(record.numpy()) for record in tf.data.TFRecordDataset(file)]
        with tf.io.TFRecordWriter(file) as writer:
            for example in examples:
                example.features.feature[keys.LABELS].float_list.value[objective] = float("nan")
                writer.write(example.SerializeToString())


def test_an_exposure_model_is_fitted_on_a_cold_start_and_kept_on_a_warm_one(feed: TinyFeed, tmp_path: Path) -> None:
    rows = exposed_rows(feed.rows)
    feed = replace(feed, rows=rows, graph=exposed_graph(tmp_path, rows))
    inputs = _inputs(feed, tmp_path, exposed_schema())
    config = replace(
        CONFIG,
        features=EXPOSED,
        exploration=Exploration(),
        examination=EXAMINATION,
        training=replace(CONFIG.training, epochs=2),
    )
    cold = _run(inputs, tmp_path / "cold", config) / "model" / "Format-Serving"

    assert json.loads((cold / MANIFEST).read_text())["config"]["examination"]["by"] == ["device"]
    fitted = ExaminationModel.load(str(cold / STATE / "towers"))
    values = np.array([[7.0, default_values(EXPOSED.exposure)[1]]], np.float32)
    assert fitted(values, np.array([[0]])).numpy() != 0
    model = tf.saved_model.load(str(cold))
    shown, hidden = (
        model.signatures["serving_default"](examples=tf.constant(serialized(rows, names)))
        for names in ((*FEATURES.names, "shown-at", "slot"), FEATURES.names)
    )
    for objective in OBJECTIVES:
        labels = np.array([row[objective.name][0] for row in rows])
        assert np.mean(shown[objective.name]) == pytest.approx(labels.mean(), abs=0.05)
        assert np.all(shown[objective.name] <= hidden[objective.name])
        assert np.any(shown[objective.name] < hidden[objective.name])

    # The labels of the last objective are known only later.
    late = len(OBJECTIVES) - 1
    _forget_labels(tmp_path / "leaf_examples" / "Split-train", late)
    start = _start_from(tmp_path / "cold" / "model", tmp_path / "start")
    warm = _run({**inputs, "training_start": [start]}, tmp_path / "warm", config) / "model" / "Format-Serving"
    assert list(json.loads((warm / MANIFEST).read_text())["base_rates"]) == [o.name for o in OBJECTIVES[:late]]
    continued = tf.saved_model.load(str(warm)).signatures["serving_default"](
        examples=tf.constant(serialized(rows, (*FEATURES.names, "shown-at", "slot")))
    )
    for objective in OBJECTIVES:
        assert np.mean(continued[objective.name]) == pytest.approx(np.mean(shown[objective.name]), abs=0.1)
    kept = ExaminationModel.load(str(warm / STATE / "towers"))
    np.testing.assert_array_equal(kept(values, np.array([[0]])), fitted(values, np.array([[0]])))
