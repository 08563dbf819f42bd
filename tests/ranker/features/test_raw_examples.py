"""Parsing Examples as FeedLogGen writes them, and Examples with empty lists."""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.features.raw_examples import RawExamples

SCHEMA = text_format.Parse(
    """
    feature { name: "age" type: FLOAT }
    feature { name: "device" type: BYTES }
    feature { name: "picture" type: FLOAT shape { dim { size: 2 } } presence { min_fraction: 1 } }
    tensor_representation_group {
      key: ""
      value {
        tensor_representation {
          key: "age"
          value { dense_tensor { column_name: "age" shape { dim { size: 1 } } default_value { float_value: nan } } }
        }
        tensor_representation { key: "device" value { varlen_sparse_tensor { column_name: "device" } } }
        tensor_representation {
          key: "picture" value { dense_tensor { column_name: "picture" shape { dim { size: 2 } } } }
        }
      }
    }
    """,
    schema_pb2.Schema(),
)


def example(**columns: list[float] | list[bytes]) -> bytes:
    made = tf.train.Example()
    for name, values in columns.items():
        feature = made.features.feature[name]
        target = feature.bytes_list if name == "device" else feature.float_list
        target.value.extend(values)
        if not values:
            target.SetInParent()
    return made.SerializeToString()


def test_missing_values_have_the_default_or_no_entry() -> None:
    raw = RawExamples(SCHEMA)
    parsed = raw.parse(
        tf.constant(
            [
                example(age=[3.0], device=[b"ios"], picture=[1.0, 2.0]),
                example(picture=[3.0, 4.0]),
                example(age=[], device=[], picture=[5.0, 6.0]),
            ]
        )
    )
    np.testing.assert_array_equal(parsed["age"], [[3], [np.nan], [np.nan]])
    np.testing.assert_array_equal(tf.sparse.to_dense(parsed["device"]), [[b"ios"], [b""], [b""]])
    np.testing.assert_array_equal(parsed["picture"], [[1, 2], [3, 4], [5, 6]])
    for name, spec in raw.type_specs().items():
        assert spec.is_compatible_with(parsed[name])


def test_a_value_that_must_be_there_is_an_error() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="picture"):
        RawExamples(SCHEMA).parse(tf.constant([example(age=[3.0])]))


def test_only_the_named_columns_are_parsed() -> None:
    raw = RawExamples(SCHEMA, ["device"])
    assert list(raw.type_specs()) == ["device"]
    assert list(raw.parse(tf.constant([example(device=[b"tv"])]))) == ["device"]
    with pytest.raises(ValueError, match=r"schema: the columns \['fans'\] are missing; it has \['age', 'device'"):
        RawExamples(SCHEMA, ["device", "fans"])
