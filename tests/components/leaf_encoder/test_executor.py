"""LeafEncoder's executor on Beam, from Transform's examples to TowerTrainer's inputs."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tfx.dsl.components.base import base_beam_executor
from tfx.types import channel_utils, standard_artifacts

from components.artifacts import ForestArtifact
from components.leaf_encoder.component import LeafEncoder
from components.leaf_encoder.executor import Executor
from pipeline.beam import IN_PROCESS
from ranker import keys
from ranker.forest.model import Forest
from tests.components.transformed import FEATURES, examples_artifact, tensors_of
from tests.ranker.forest.boosters import grow, leaves_by_xgboost, random_features

BEAM_ARGS = [f"--runner={IN_PROCESS}", "--sdk_container_image=unused"]


@pytest.fixture(scope="module")
def forest() -> Forest:
    rng = np.random.default_rng(0)
    return grow(random_features(rng, 1000, len(FEATURES)), 2, 5, rng, max_depth=4)


def run(examples: standard_artifacts.Examples, forest: Forest, root: Path) -> standard_artifacts.Examples:
    artifact = ForestArtifact()
    artifact.uri = str(root / "forest")
    forest.save(artifact.uri)
    output = standard_artifacts.Examples()
    output.uri = str(root / "leaves")
    context = base_beam_executor.BaseBeamExecutor.Context(
        beam_pipeline_args=BEAM_ARGS, tmp_dir=str(root / "tmp"), unique_id="1"
    )
    inputs = {"transformed_examples": [examples], "forest": [artifact]}
    Executor(context).Do(inputs, {"leaf_examples": [output]}, {})
    return output


def read(file: Path) -> list[tf.train.Example]:
    return [tf.train.Example.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(file))]


@pytest.mark.slow
def test_every_row_of_every_shard_keeps_its_place_and_its_tensors(forest: Forest, tmp_path: Path) -> None:
    splits = {
        "train": {"t-00000-of-00002.gz": tensors_of(2500, seed=1), "t-00001-of-00002": tensors_of(1025, seed=2)},
        "eval": {"t-00000-of-00001.gz": tensors_of(3, seed=3)},
    }
    output = run(examples_artifact(tmp_path / "examples", splits), forest, tmp_path)
    assert output.split_names == '["train", "eval"]'
    for split, files in splits.items():
        written = sorted(Path(output.uri, f"Split-{split}").iterdir())
        assert [f.name for f in written] == [f"leaf_examples-{i:05d}-of-{len(files):05d}" for i in range(len(files))]
        for file, tensors in zip(written, files.values(), strict=True):
            rows = [example.features.feature for example in read(file)]
            leaves = [np.frombuffer(row[keys.LEAVES].bytes_list.value[0], "<u2") for row in rows]
            np.testing.assert_array_equal(leaves, leaves_by_xgboost(forest, tensors[keys.FOREST_FEATURES]))
            for name in (keys.NUMERIC, "content", keys.LABELS):
                np.testing.assert_array_equal([row[name].float_list.value for row in rows], tensors[name])
            np.testing.assert_array_equal(
                [row[keys.VIEWER_BUCKET].int64_list.value for row in rows], tensors[keys.VIEWER_BUCKET]
            )
            assert all(keys.FOREST_FEATURES not in row for row in rows)
    assert {entry.name for entry in Path(output.uri).iterdir()} == {"Split-train", "Split-eval"}


def test_a_shard_without_rows_stays_a_shard_without_rows(forest: Forest, tmp_path: Path) -> None:
    splits = {"train": {"a": tensors_of(0, seed=1), "b": tensors_of(4, seed=2)}}
    output = run(examples_artifact(tmp_path / "examples", splits), forest, tmp_path)
    rows = [len(read(file)) for file in sorted(Path(output.uri, "Split-train").iterdir())]
    assert rows == [0, 4]


def test_another_number_of_features_is_refused_before_anything_is_written(forest: Forest, tmp_path: Path) -> None:
    tensors = tensors_of(5, seed=1)
    tensors[keys.FOREST_FEATURES] = tensors[keys.FOREST_FEATURES][:, :-1]
    examples = examples_artifact(tmp_path / "examples", {"train": {"shard": tensors}})
    with pytest.raises(ValueError, match=r"Split-train/shard: a row holds 5 values .* reads 6 features"):
        run(examples, forest, tmp_path)
    assert not list(Path(tmp_path, "leaves", "Split-train").iterdir())


def test_a_missing_tensor_is_named(forest: Forest, tmp_path: Path) -> None:
    tensors = tensors_of(5, seed=1)
    del tensors[keys.FOREST_FEATURES]
    examples = examples_artifact(tmp_path / "examples", {"train": {"shard": tensors}})
    with pytest.raises(ValueError, match="shard: a row lacks the tensor 'forest_features'"):
        run(examples, forest, tmp_path)


def test_a_shard_damaged_at_its_end_leaves_no_output_that_looks_complete(forest: Forest, tmp_path: Path) -> None:
    examples = examples_artifact(tmp_path / "examples", {"train": {"shard": tensors_of(3000, seed=1)}})
    file = tmp_path / "examples" / "Split-train" / "shard"
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(Exception, match="shard: the file is truncated"):
        run(examples, forest, tmp_path)
    assert not list(Path(tmp_path, "leaves", "Split-train").iterdir())


def test_a_split_without_files_is_refused(forest: Forest, tmp_path: Path) -> None:
    examples = examples_artifact(tmp_path / "examples", {"train": {"a": tensors_of(3, seed=1)}, "eval": {}})
    with pytest.raises(ValueError, match="Split-eval holds no files"):
        run(examples, forest, tmp_path)


def test_the_component_connects_a_forest_to_examples() -> None:
    encoder = LeafEncoder(
        transformed_examples=channel_utils.as_channel([standard_artifacts.Examples()]),
        forest=channel_utils.as_channel([ForestArtifact()]),
    )
    assert encoder.outputs["leaf_examples"].type is standard_artifacts.Examples
    assert len(encoder.exec_properties["code_fingerprint"]) == 16
