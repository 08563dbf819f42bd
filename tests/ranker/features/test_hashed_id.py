"""Hashed ids: conversion, rows of the tables, schema, profile, serving, and that the forest sees nothing of them."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker import keys
from ranker.config.columns import Features, HashedId, Keys
from ranker.features.drafting import Seen
from ranker.features.fingerprints import fingerprints, table_rows
from ranker.features.hashed_id import HashedIdKind
from ranker.features.kind import Transformed
from ranker.features.log_column import LogColumn
from ranker.features.outputs import feature_outputs
from ranker.features.representation import add_tensor_representations
from ranker.features.standardising import Moments
from ranker.features.tensors import RawColumns
from ranker.features.vocabularies import Vocabularies
from ranker.feed_log.columns import columns_of
from ranker.monitoring.profile import DayProfile
from tests.ranker.features.columns import assert_accepts, converted

FEATURES = Features(numeric=("age",), ids=(HashedId("viewer_id", buckets=50), HashedId("author", buckets=20)))
IDS = tf.constant([["v1", "a"], ["v1", ""], ["", "b"], ["", ""]])


def test_strings_and_integers_become_bytes_and_gaps_are_missing() -> None:
    assert converted("hashed_id", pa.array(["a", None, ""])) == [[b"a"], None, None]
    assert converted("hashed_id", pa.array([7, None], pa.int64())) == [[b"7"], None]
    assert converted("hashed_id", pa.array([2.0, None])) == [[b"2"], None]  # pandas writes integers with gaps so
    assert_accepts("hashed_id", good=[pa.string(), pa.int32(), pa.binary(), pa.null()], bad=[pa.list_(pa.string())])


def test_an_id_has_the_same_rows_in_every_process_and_version() -> None:
    rows = table_rows(IDS, [50, 20]).numpy()
    found = fingerprints(tf.constant(["v1", "a", "b"])).numpy()
    assert found.tolist() == [6389118735280518536, 3694432073954588132, 2572224033622389015]
    # The last two digits of each in the base of its column; a missing id has the row behind the last one.
    assert rows.tolist() == [[36, 20, 12, 6], [36, 20, 20, 20], [50, 50, 15, 10], [50, 50, 20, 20]]


def test_two_ids_that_share_a_row_of_one_table_share_that_of_the_other_as_rarely_as_any_two() -> None:
    ids = tf.constant([[f"v{i}"] for i in range(2000)])
    first, second = table_rows(ids, [40]).numpy().T
    pairs = np.triu_indices(2000, 1)
    same = (first[pairs[0]] == first[pairs[1]]), (second[pairs[0]] == second[pairs[1]])
    assert same[0].mean() == pytest.approx(1 / 40, rel=0.1)
    assert same[1][same[0]].mean() == pytest.approx(1 / 40, rel=0.1)


def _outputs(features: Features) -> dict[str, tf.Tensor]:
    inputs = {"age": tf.constant([[1.0], [2.0], [3.0], [4.0]]), "viewer_id": IDS[:, :1], "author": IDS[:, 1:]}
    vocabularies = Vocabularies({}, lambda: pytest.fail("there is no vocabulary"))
    return feature_outputs(features, RawColumns(inputs, "age"), vocabularies, Moments.of_nothing(1))


def test_transform_writes_the_rows_and_the_forest_reads_none_of_it() -> None:
    outputs = _outputs(FEATURES)
    assert FEATURES.forest_names == ("age",)
    assert outputs.keys() == {keys.FOREST_FEATURES, keys.NUMERIC, keys.HASHED_IDS}
    np.testing.assert_array_equal(outputs[keys.HASHED_IDS], table_rows(IDS, [50, 20]))
    without = _outputs(replace(FEATURES, ids=()))
    assert keys.HASHED_IDS not in without
    np.testing.assert_array_equal(outputs[keys.FOREST_FEATURES], without[keys.FOREST_FEATURES])


def test_an_input_of_the_forest_that_has_no_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    leaked = lambda features, columns, vocabularies: Transformed(forest=tf.ones([4, 2]))  # noqa: E731
    monkeypatch.setattr(HashedIdKind, "transform", leaked)
    with pytest.raises(tf.errors.InvalidArgumentError, match="not compatible"):
        _outputs(FEATURES)


def test_a_key_is_read_once_and_a_schema_need_not_name_another_id() -> None:
    columns = columns_of(["click"], FEATURES, Keys()).columns
    assert [column.kind for column in columns if column.name == "viewer_id"] == ["id"]
    assert [column.kind for column in columns if column.name == "author"] == ["hashed_id"]
    schema = schema_pb2.Schema()
    add_tensor_representations(schema, [LogColumn("author", "hashed_id")])
    drafted = HashedIdKind.draft(LogColumn("author", "hashed_id"), Seen(present=1.0, varies=True, domain=["a"]))
    assert list(schema.feature) == [drafted]
    assert (drafted.type, drafted.value_count.max, drafted.HasField("string_domain")) == (schema_pb2.BYTES, 1, False)
    assert not drafted.HasField("presence")


def test_a_request_may_lack_it_even_if_the_schema_requires_it() -> None:
    kind = HashedIdKind(HashedId("author"))
    assert kind.is_key
    assert kind.tensor_spec("author") == tf.TensorSpec([None], tf.string, name="author")
    assert isinstance(kind.joined_spec(tf.io.FixedLenFeature([1], tf.string)), tf.io.RaggedFeature)
    read = kind.from_dense(tf.constant(["a", "", "b"]), tf.io.VarLenFeature(tf.string))
    np.testing.assert_array_equal(tf.sparse.to_dense(read), [[b"a"], [b""], [b"b"]])


def test_the_monitor_counts_how_many_are_missing_and_not_which_there_are() -> None:
    profile = DayProfile([LogColumn("author", "hashed_id")])
    profile.add(pa.RecordBatch.from_pydict({"author": pa.array([[b"a"], None, [b"b"], [b"c"]])}))
    author = profile.features["author"]
    assert (author.missing, sorted(author.counts)[-2:]) == (1, [0, 3])
