"""Which columns are read as dense tensors, by what TFX makes of the schema."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import schema_utils

from ranker.features.representation import add_tensor_representations
from tests.ranker.export.feed import CURATED, FEATURES


def test_numeric_columns_are_dense_with_nan_for_a_gap_and_others_as_their_shape_says() -> None:
    schema = schema_pb2.Schema()
    schema.CopyFrom(CURATED)
    before = schema_utils.schema_as_feature_spec(schema).feature_spec
    add_tensor_representations(schema, FEATURES.numeric)
    after = schema_utils.schema_as_feature_spec(schema).feature_spec

    for name in FEATURES.numeric:
        assert before.pop(name) == tf.io.VarLenFeature(tf.float32)
        spec = after.pop(name)
        assert (spec.shape, spec.dtype) == ([1], tf.float32)
        assert np.isnan(spec.default_value)
    assert after == before


@pytest.mark.parametrize(("name", "found"), [("device", "BYTES"), ("depth", "no such column")])
def test_a_numeric_column_that_is_none_is_named(name: str, found: str) -> None:
    with pytest.raises(ValueError, match=f"the numeric column '{name}' should have type FLOAT, found {found}"):
        add_tensor_representations(CURATED, [name])
