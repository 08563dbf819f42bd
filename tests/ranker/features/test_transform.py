"""The size of Transform's Beam pipeline and of its graph, and the files that it writes."""

from functools import partial
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker import keys
from ranker.config.columns import Categorical, Features, Keys, MultiValued
from ranker.config.documents import to_json
from ranker.examples import example_files, parsed_batches
from ranker.features.preprocessing import preprocessing_fn
from ranker.features.registry import feature_kinds
from ranker.features.representation import add_tensor_representations
from ranker.features.transform import SplitFiles, analyse_and_transform, transform_by
from ranker.in_process_runner import InProcessRunner

ROWS = 7


def features_of(count: int) -> Features:
    """As many columns of each kind."""
    return Features(
        numeric=tuple(f"n{i}" for i in range(count)),
        categorical=tuple(Categorical(f"c{i}", vocabulary_size=3) for i in range(count)),
        multi_valued=tuple(MultiValued(f"m{i}", vocabulary_size=3) for i in range(count)),
    )


def schema_of(features: Features) -> schema_pb2.Schema:
    schema = schema_pb2.Schema()
    for name, kind in feature_kinds(features):
        schema.feature.add(name=name, type=kind.schema_type)
    for name, of_type in (("click", schema_pb2.INT), ("viewer_id", schema_pb2.BYTES)):
        feature = schema.feature.add(name=name, type=of_type)
        feature.shape.dim.add(size=1)
        feature.presence.min_fraction = 1
    add_tensor_representations(schema, [kind.log_column for _, kind in feature_kinds(features)])
    return schema


def write_rows(file: Path, features: Features, offset: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for row in range(offset, offset + ROWS):
            example = tf.train.Example()
            columns = example.features.feature
            columns["click"].int64_list.value.append(row % 2)
            columns["viewer_id"].bytes_list.value.append(b"v")
            for name in features.numeric_names:
                columns[name].float_list.value.append(row)
            for column in (*features.categorical, *features.multi_valued):
                columns[column.name].bytes_list.value.append(f"{column.name} {row % 4}".encode())
            writer.write(example.SerializeToString())


class Pipelines:
    """Makes pipelines and remembers the last one."""

    last: beam.Pipeline

    def __call__(self) -> beam.Pipeline:
        self.last = beam.Pipeline(runner=InProcessRunner())
        return self.last

    def steps(self) -> list[str]:
        """The URN of every step that is no composite."""
        transforms = self.last.to_runner_api().components.transforms.values()
        return [one.spec.urn for one in transforms if not one.subtransforms]


def run(folder: Path, columns: int) -> Pipelines:
    """Analyses and transforms two files of the split train and one of eval."""
    features = features_of(columns)
    for i, name in enumerate(("train/a", "train/b", "eval/a")):
        write_rows(folder / name, features, ROWS * i)
    config = {
        "features": to_json(features),
        "keys": to_json(Keys()),
        "objectives": ["click"],
        "categorical_input": True,
    }
    pipelines = Pipelines()
    analyse_and_transform(
        partial(preprocessing_fn, custom_config=config | {"categorical_input": True}),
        features,
        "train",
        schema_of(features),
        splits(folder, "out"),
        str(folder / "graph"),
        pipelines,
        str(folder / "scratch"),
    )
    return pipelines


def splits(folder: Path, target: str) -> list[SplitFiles]:
    return [SplitFiles(s, str(folder / s / "*"), str(folder / target / s / "rows")) for s in ("train", "eval")]


def operations(graph: Path) -> int:
    """Nodes of the saved graph and all its functions."""
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((graph / "transform_fn" / "saved_model.pb").read_bytes())
    definition = saved.meta_graphs[0].graph_def
    return len(definition.node) + sum(len(function.node_def) for function in definition.library.function)


@pytest.mark.slow
def test_more_columns_add_no_step_and_few_operations(tmp_path: Path) -> None:
    small, large = (run(tmp_path / str(count), count).steps() for count in (2, 8))
    assert small == large
    assert len(large) <= 40
    assert sum("group_by_key" in urn for urn in large) <= 5
    # Per numeric, categorical and multi-valued column: one, two and three tensors with a node or two each.
    assert operations(tmp_path / "8" / "graph") - operations(tmp_path / "2" / "graph") <= 6 * 20


@pytest.mark.slow
def test_each_file_becomes_one_file_in_the_same_order(tmp_path: Path) -> None:
    run(tmp_path, 1)
    files = [file.name for file in sorted((tmp_path / "out" / "train").iterdir())]
    assert files == ["rows-00000-of-00002", "rows-00001-of-00002"]
    assert [file.name for file in (tmp_path / "out" / "eval").iterdir()] == ["rows-00000-of-00001"]
    spec = {keys.FOREST_FEATURES: tf.io.FixedLenFeature([6], tf.float32)}
    batches = parsed_batches(example_files(str(tmp_path / "out" / "train")), spec, 100)
    np.testing.assert_array_equal(
        np.concatenate([batch[keys.FOREST_FEATURES][:, 0] for batch in batches]), np.arange(2 * ROWS)
    )
    assert not list((tmp_path / "scratch").glob("*.tmp"))


@pytest.mark.slow
def test_an_existing_graph_writes_the_same_rows(tmp_path: Path) -> None:
    run(tmp_path, 2)
    pipelines = Pipelines()
    transform_by(str(tmp_path / "graph"), splits(tmp_path, "again"), pipelines, str(tmp_path / "scratch"))
    spec = tft.TFTransformOutput(str(tmp_path / "graph")).transformed_feature_spec()
    for split in ("train", "eval"):
        made, again = (
            list(parsed_batches(example_files(str(tmp_path / folder / split)), spec, 100))
            for folder in ("out", "again")
        )
        assert len(made) == len(again)
        for one, other in zip(made, again, strict=True):
            for name, values in one.items():
                np.testing.assert_array_equal(values, other[name])


@pytest.mark.slow
def test_tfts_own_reader_finds_everything(tmp_path: Path) -> None:
    run(tmp_path, 2)
    output = tft.TFTransformOutput(str(tmp_path / "graph"))
    assert output.transformed_feature_spec() == {
        keys.FOREST_FEATURES: tf.io.FixedLenFeature([12], tf.float32),
        keys.NUMERIC: tf.io.FixedLenFeature([2], tf.float32),
        keys.CATEGORICAL: tf.io.FixedLenFeature([2], tf.int64),
        keys.LABELS: tf.io.FixedLenFeature([1], tf.float32),
        keys.VIEWER_BUCKET: tf.io.FixedLenFeature([1], tf.int64),
    }
    assert set(output.raw_feature_spec()) == {"n0", "n1", "c0", "c1", "m0", "m1", "click", "viewer_id"}


def test_a_split_without_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"examples: no files match .*train/\*"):
        transform_by(str(tmp_path), splits(tmp_path, "out"), Pipelines(), str(tmp_path / "scratch"))
