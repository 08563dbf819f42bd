"""The served model's own form of the Transform graph gives the graph's outputs, number by number."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker import keys
from ranker.config.columns import DenseEmbedding, Features
from ranker.export.raw_features import RawFeatures
from ranker.export.request_features import GraphFeatures, JoinedFeatures, RequestFeatures, request_features
from ranker.features.standardising import MOMENTS
from tests.ranker.export.feed import FEATURES, SCHEMA, Row, TinyFeed, dense_tensors, feed_rows, serialized

NAN, INF = float("nan"), float("inf")
BASE: Row = {"hours-old": [2.0], "votes": [9.0], "device": [b"ios"], "topics": [b"art"], "picture": [0.1, 0.2, 0.3]}
OUTPUTS = {keys.FOREST_FEATURES, keys.NUMERIC, keys.CATEGORICAL, keys.CALIBRATION_KEY, "picture"}
CASES: dict[str, list[Row]] = {
    "numbers": [BASE | {"votes": [x]} for x in (0.0, -0.0, -3.5, 1e-30, 1.7e9, 3e38, INF, -INF, NAN)],
    "no numbers": [BASE | {"votes": [], "hours-old": []}],
    "some numbers": [BASE | {"votes": [], "hours-old": [1.0]}, BASE | {"votes": [2.0], "hours-old": []}],
    "categories": [BASE | {"device": [x]} for x in (b"ios", b"web", b"tv", b"android", b"iOS", b"0=ios", b"=device")],
    "no category": [BASE | {"device": []}, BASE | {"device": [b""]}],
    "only no category": [BASE | {"device": []}],
    "lists": [
        BASE | {"topics": x} for x in ([b"art"], [b"law", b"art"], [b"tax", b"tax"], [b"moon"], [b"moon", b"sea"])
    ],
    "gaps in lists": [BASE | {"topics": x} for x in ([b"", b"law"], [], [b""], [b"", b"art", b"", b"art"])],
    "no lists": [BASE | {"topics": []}, BASE | {"topics": []}],
    "nothing": [{name: [] for name in BASE} | {"picture": [0.0, -1.0, 1e30]}],
    "many": feed_rows(300, seed=5),
}


@pytest.fixture(scope="module")
def raw() -> RawFeatures:
    """The columns."""
    return RawFeatures(FEATURES, SCHEMA)


@pytest.fixture(scope="module")
def graph(feed: TinyFeed, raw: RawFeatures) -> RequestFeatures:
    """The Transform graph itself."""
    return GraphFeatures(raw, tft.TFTransformOutput(str(feed.graph)).transform_features_layer())


@pytest.fixture(scope="module")
def joined(feed: TinyFeed, raw: RawFeatures) -> RequestFeatures:
    """The form for serving."""
    found = request_features(raw, str(feed.graph), "device", ("device",))
    assert isinstance(found, JoinedFeatures)
    return found


def assert_equal(found: Mapping[str, tf.Tensor], expected: Mapping[str, tf.Tensor]) -> None:
    """Every output of the Transform graph that needs no label or key, exactly."""
    for name in OUTPUTS:
        np.testing.assert_array_equal(found[name], expected[name], name)
        assert found[name].dtype == expected[name].dtype
    np.testing.assert_array_equal(found[keys.EXAMINED_BY], expected[keys.CALIBRATION_KEY])


@pytest.mark.parametrize("case", CASES)
def test_examples_give_the_outputs_of_the_graph(graph: RequestFeatures, joined: RequestFeatures, case: str) -> None:
    examples = tf.constant(serialized(CASES[case]))
    assert_equal(joined(joined.of_examples(examples).columns), graph(graph.of_examples(examples).columns))


@pytest.mark.parametrize("case", CASES)
def test_tensors_give_the_outputs_of_the_graph(graph: RequestFeatures, joined: RequestFeatures, case: str) -> None:
    tensors = dense_tensors(CASES[case])
    assert_equal(joined(joined.of_tensors(tensors)), graph(graph.of_tensors(tensors)))


@pytest.mark.parametrize("case", CASES)
def test_both_forms_are_one_function_of_the_same_tensors(joined: RequestFeatures, case: str) -> None:
    specs = [
        {name: tf.TensorSpec(tensor.shape, tensor.dtype) for name, tensor in function.structured_outputs.items()}
        for function in (
            tf.function(lambda examples: joined.of_examples(examples).columns).get_concrete_function(
                tf.TensorSpec([None], tf.string)
            ),
            tf.function(joined.of_tensors).get_concrete_function(RawFeatures(FEATURES, SCHEMA).tensor_specs()),
        )
    ]
    assert specs[0] == specs[1]
    assert all(np.isfinite(spec.shape.rank) for spec in specs[0].values())


def test_absent_and_empty_features_are_missing(graph: RequestFeatures, joined: RequestFeatures) -> None:
    example = tf.train.Example.FromString(serialized([BASE])[0])
    for name, values in (("votes", "float_list"), ("device", "bytes_list"), ("topics", "bytes_list")):
        example.features.feature[name].Clear()
        getattr(example.features.feature[name], values).SetInParent()
    del example.features.feature["hours-old"]
    examples = tf.constant([example.SerializeToString(), *serialized([BASE])])
    assert_equal(joined(joined.of_examples(examples).columns), graph(graph.of_examples(examples).columns))


@pytest.mark.parametrize("column", ["hours-old", "device"])
def test_a_second_value_of_a_column_with_one_is_refused(joined: RequestFeatures, column: str) -> None:
    examples = tf.constant(serialized([BASE, BASE | {column: 2 * BASE[column]}]))
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"{column}.*more than one value"):
        joined(joined.of_examples(examples).columns)


def test_an_example_without_its_embedding_is_refused(joined: RequestFeatures) -> None:
    examples = tf.constant(serialized([BASE], columns=("votes", "device")))
    with pytest.raises(tf.errors.InvalidArgumentError, match="picture"):
        joined.of_examples(examples)


def test_columns_that_the_schema_requires(feed: TinyFeed) -> None:
    schema = schema_pb2.Schema()
    schema.CopyFrom(SCHEMA)
    for feature in schema.feature:
        if feature.name == "device":
            feature.shape.dim.add(size=1)
            feature.presence.min_fraction = 1
    for representation in schema.tensor_representation_group.values():
        representation.tensor_representation.pop("device", None)
    found = request_features(RawFeatures(FEATURES, schema), str(feed.graph), "device")
    optional = request_features(RawFeatures(FEATURES, SCHEMA), str(feed.graph), "device")
    rows = [BASE | {"votes": []}, BASE | {"device": [b"web"]}, BASE | {"device": [b"never"]}]
    examples = tf.constant(serialized(rows))
    outputs = found(found.of_examples(examples).columns)
    for name, tensor in optional(optional.of_examples(examples).columns).items():
        np.testing.assert_array_equal(outputs[name], tensor, name)


@pytest.mark.parametrize("kind", ["numeric", "categorical", "multi_valued"])
def test_features_of_few_kinds(feed: TinyFeed, kind: str) -> None:
    features = Features(**{kind: getattr(FEATURES, kind)})
    raw = RawFeatures(features, SCHEMA)
    everything = request_features(RawFeatures(FEATURES, SCHEMA), str(feed.graph))
    found = request_features(raw, str(feed.graph))
    rows = feed_rows(20, seed=6)
    full = everything(everything.of_examples(tf.constant(serialized(rows))).columns)[keys.FOREST_FEATURES].numpy()
    at = [FEATURES.forest_names.index(name) for name in features.forest_names]
    tensors: dict[str, Any] = {name: dense_tensors(rows)[name] for name in raw.input_names.values()}
    for columns in (found.of_examples(tf.constant(serialized(rows))).columns, found.of_tensors(tensors)):
        np.testing.assert_array_equal(found(columns)[keys.FOREST_FEATURES], full[:, at])


def test_the_forest_reads_the_numbers_of_an_embedding_that_is_for_it_too(feed: TinyFeed) -> None:
    features = replace(FEATURES, dense=(DenseEmbedding("picture", 3, forest=True),))
    assert features.forest_names == (*FEATURES.forest_names, "picture.0", "picture.1", "picture.2")
    found = request_features(RawFeatures(features, SCHEMA), str(feed.graph))
    without = request_features(RawFeatures(FEATURES, SCHEMA), str(feed.graph))
    examples = tf.constant(serialized(feed_rows(20, seed=6)))
    outputs = found(found.of_examples(examples).columns)
    expected = without(without.of_examples(examples).columns)
    np.testing.assert_array_equal(
        outputs[keys.FOREST_FEATURES], tf.concat([expected[keys.FOREST_FEATURES], expected["picture"]], axis=1)
    )
    np.testing.assert_array_equal(outputs["picture"], expected["picture"])


@pytest.mark.slow
def test_a_graph_of_an_earlier_version_is_served_as_it_is(feed: TinyFeed, raw: RawFeatures, tmp_path: Path) -> None:
    shutil.copytree(feed.graph, tmp_path / "graph")
    (tmp_path / "graph" / MOMENTS).unlink()
    found = request_features(raw, str(tmp_path / "graph"))
    assert isinstance(found, GraphFeatures)
    tensors = dense_tensors(feed_rows(5, seed=7))
    module = tf.Module()
    module.features = found
    score = tf.function(lambda tensors: dict(found(found.of_tensors(tensors)))).get_concrete_function(
        raw.tensor_specs()
    )
    tf.saved_model.save(module, str(tmp_path / "model"), signatures={"features": score})
    served = tf.saved_model.load(str(tmp_path / "model")).signatures["features"](**tensors)
    np.testing.assert_array_equal(served[keys.NUMERIC], score(tensors)[keys.NUMERIC])
