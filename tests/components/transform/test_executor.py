"""Transform with an existing graph, compared with the outputs for the rows that the graph was analysed on."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tfx.types import channel_utils, standard_artifacts
from tfx.types.artifact import Artifact

from components.artifacts import TrainingStartArtifact
from components.transform.component import Transform
from components.transform.executor import Executor
from pipeline.local.run import BEAM_ARGS
from ranker import keys
from ranker.config.columns import Keys
from ranker.config.documents import to_json
from ranker.examples import example_files, parsed_batches
from ranker.registry.plan import StartPlan, write_plan
from tests.ranker.export.feed import FEATURES, OBJECTIVES, SCHEMA, Row, feed_rows, serialized

pytestmark = pytest.mark.slow

SPEC = {
    keys.FOREST_FEATURES: tf.io.FixedLenFeature([len(FEATURES.forest_names)], tf.float32),
    keys.NUMERIC: tf.io.FixedLenFeature([len(FEATURES.numeric_names)], tf.float32),
    keys.LABELS: tf.io.FixedLenFeature([len(OBJECTIVES)], tf.float32),
    keys.VIEWER_BUCKET: tf.io.FixedLenFeature([1], tf.int64),
    "picture": tf.io.FixedLenFeature([3], tf.float32),
}
ROWS = feed_rows(300, seed=1)
LATER_ROWS = [{**row, "votes": [1_000.0], "device": [b"fridge"]} for row in feed_rows(200, seed=2)]
COLD = StartPlan("cold", "")
WARM = StartPlan("warm", "", parent="7", train_days=1, forest_day="2024-05-04")


def artifact(kind: type[Artifact], folder: Path) -> Artifact:
    folder.mkdir(parents=True, exist_ok=True)
    made = kind()
    made.uri = str(folder)
    return made


def examples(folder: Path, rows: list[Row]) -> Artifact:
    """The same rows in both splits, in different order."""
    made = artifact(standard_artifacts.Examples, folder)
    made.split_names = json.dumps(["train", "eval"])
    for split, order in (("train", rows), ("eval", rows[::-1])):
        (folder / f"Split-{split}").mkdir()
        with tf.io.TFRecordWriter(str(folder / f"Split-{split}" / "examples")) as writer:
            for record in serialized(order):
                writer.write(record)
    return made


def run(folder: Path, rows: list[Row], plan: StartPlan) -> Path:
    """Runs the component in `folder`, in which `start/state` has the graph to reuse, if any."""
    schema = artifact(standard_artifacts.Schema, folder / "schema")
    (folder / "schema" / "schema.pbtxt").write_text(text_format.MessageToString(SCHEMA))
    start = artifact(TrainingStartArtifact, folder / "start")
    write_plan(start.uri, plan)
    inputs = {"examples": [examples(folder / "examples", rows)], "schema": [schema], "training_start": [start]}
    outputs = {
        "transform_graph": [artifact(standard_artifacts.TransformGraph, folder / "graph")],
        "transformed_examples": [artifact(standard_artifacts.Examples, folder / "transformed")],
    }
    component = Transform(
        **{name: channel_utils.as_channel(artifacts) for name, artifacts in inputs.items()},
        preprocessing_fn="ranker.features.preprocessing.preprocessing_fn",
        custom_config={
            "features": to_json(FEATURES),
            "keys": to_json(Keys()),
            "objectives": [objective.name for objective in OBJECTIVES],
        },
    )
    context = Executor.Context(beam_pipeline_args=list(BEAM_ARGS), tmp_dir=str(folder / "tmp"), unique_id="1")
    Executor(context).Do(inputs, outputs, dict(component.exec_properties))
    assert set(json.loads(outputs["transformed_examples"][0].split_names)) == {"train", "eval"}
    return folder


def tensors(folder: Path, split: str) -> dict[str, np.ndarray]:
    """All rows of a split, ordered by their picture, which is unique."""
    files = example_files(str(folder / "transformed" / f"Split-{split}"))
    batches = list(parsed_batches(files, SPEC, 1_000))
    joined = {name: np.concatenate([batch[name] for batch in batches]) for name in SPEC}
    order = np.argsort(joined["picture"][:, 0])
    return {name: values[order] for name, values in joined.items()}


@pytest.fixture(scope="module")
def cold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that analysed its rows."""
    return run(tmp_path_factory.mktemp("cold"), ROWS, COLD)


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory, cold: Path) -> Path:
    """A run on later rows that reuses that graph."""
    folder = tmp_path_factory.mktemp("warm")
    (folder / "start" / "state").mkdir(parents=True)
    (folder / "start" / "state" / "transform_graph").symlink_to(cold / "graph")
    return run(folder, LATER_ROWS, WARM)


def test_the_same_rows_are_transformed_to_the_same_values(cold: Path, tmp_path: Path) -> None:
    (tmp_path / "start" / "state").mkdir(parents=True)
    (tmp_path / "start" / "state" / "transform_graph").symlink_to(cold / "graph")
    again = run(tmp_path, ROWS, WARM)
    for split in ("train", "eval"):
        expected = tensors(cold, split)
        for name, values in tensors(again, split).items():
            np.testing.assert_allclose(values, expected[name], rtol=1e-6, atol=1e-6, err_msg=name)


def test_later_rows_are_transformed_with_the_earlier_graph(cold: Path, warm: Path) -> None:
    later = tensors(warm, "train")
    assert len(later[keys.LABELS]) == len(LATER_ROWS)
    # With its own moments, a constant column would be all zeros.
    votes = np.array([(row["votes"] or [np.nan])[0] for row in ROWS])
    logs = np.log1p(np.minimum(votes[~np.isnan(votes)], np.finfo(np.float32).max))
    np.testing.assert_allclose(later[keys.NUMERIC][:, 1], (np.log1p(1_000.0) - logs.mean()) / logs.std(), rtol=1e-3)
    # A value outside the vocabulary has the last rank; it would be in the later rows' own vocabulary.
    device = list(FEATURES.forest_names).index("device")
    assert set(later[keys.FOREST_FEATURES][:, device]) == {3.0}


def test_the_graph_is_copied_to_the_output(cold: Path, warm: Path) -> None:
    def content(folder: Path) -> dict[str, bytes]:
        return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}

    assert content(warm / "graph") == content(cold / "graph")
