"""The columns that TFX reads as dense tensors with the schema."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import schema_utils

from ranker.features.keys_and_labels import NOT_OBSERVED
from ranker.features.log_column import LogColumn
from ranker.features.registry import feature_kinds
from ranker.features.representation import add_tensor_representations
from ranker.keys import ROW_WEIGHT
from tests.ranker.export.feed import CURATED, FEATURES


def test_numeric_columns_are_dense_with_nan_if_missing_and_others_depend_on_their_shape() -> None:
    schema = schema_pb2.Schema()
    schema.CopyFrom(CURATED)
    before = schema_utils.schema_as_feature_spec(schema).feature_spec
    add_tensor_representations(schema, [kind.log_column for _, kind in feature_kinds(FEATURES)])
    after = schema_utils.schema_as_feature_spec(schema).feature_spec

    for name in FEATURES.numeric_names:
        assert before.pop(name) == tf.io.VarLenFeature(tf.float32)
        spec = after.pop(name)
        assert (spec.shape, spec.dtype) == ([1], tf.float32)
        assert np.isnan(spec.default_value)
    assert after == before


@pytest.mark.parametrize(
    ("column", "expected", "found"),
    [
        (LogColumn("device", "numeric"), "FLOAT", "BYTES"),
        (LogColumn("votes", "categorical"), "BYTES", "FLOAT"),
        (LogColumn("depth", "numeric"), "FLOAT", "no such column"),
    ],
)
def test_a_column_of_another_type_is_named(column: LogColumn, expected: str, found: str) -> None:
    message = f"the {column.kind} column '{column.name}' should have type {expected}, found {found}"
    with pytest.raises(ValueError, match=message):
        add_tensor_representations(CURATED, [column])


def test_histories_and_optional_ids_need_no_line_in_a_schema() -> None:
    schema = schema_pb2.Schema()
    schema.CopyFrom(CURATED)
    add_tensor_representations(schema, [LogColumn("authors", "history"), LogColumn("author_id", "optional id")])
    spec = schema_utils.schema_as_feature_spec(schema).feature_spec
    assert spec["authors"] == tf.io.VarLenFeature(tf.int64)
    assert spec["author_id"] == tf.io.VarLenFeature(tf.string)


def test_keys_are_read_as_the_schema_says_and_objectives_may_be_missing() -> None:
    schema = schema_pb2.Schema()
    schema.CopyFrom(CURATED)
    before = schema_utils.schema_as_feature_spec(schema).feature_spec

    add_tensor_representations(schema, [LogColumn("viewer_id", "id"), LogColumn("like", "objective")])

    like = tf.io.FixedLenFeature([1], tf.int64, default_value=NOT_OBSERVED)
    assert schema_utils.schema_as_feature_spec(schema).feature_spec == before | {"like": like}


def test_the_weight_of_an_impression_need_not_be_in_the_schema() -> None:
    schema = schema_pb2.Schema()
    schema.CopyFrom(CURATED)
    for _ in range(2):
        add_tensor_representations(schema, [LogColumn(ROW_WEIGHT, "weight", column="w")])
    [added] = [feature for feature in schema.feature if feature.name == ROW_WEIGHT]
    assert added.type == schema_pb2.FLOAT
    assert schema_utils.schema_as_feature_spec(schema).feature_spec[ROW_WEIGHT].dtype == tf.float32
