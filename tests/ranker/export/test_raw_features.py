"""Dense tensors are converted to the parser's output for the equivalent examples."""

import numpy as np
import pytest
import tensorflow as tf

from ranker.config.columns import DenseEmbedding, Features
from ranker.export.raw_features import RawFeatures
from tests.ranker.export.feed import FEATURES, SCHEMA, dense_tensors, feed_rows, serialized


def test_from_dense_gives_the_same_tensors_as_parse() -> None:
    rows = feed_rows(60, seed=3)
    raw = RawFeatures(FEATURES, SCHEMA)

    parsed = raw.parse(tf.constant(serialized(rows)))
    dense = raw.from_dense(dense_tensors(rows))

    assert set(parsed) == set(dense) == set(FEATURES.names)
    for name, tensor in parsed.items():
        if isinstance(tensor, tf.SparseTensor):
            np.testing.assert_array_equal(dense[name].indices, tensor.indices, name)
            np.testing.assert_array_equal(dense[name].values, tensor.values, name)
            np.testing.assert_array_equal(dense[name].dense_shape, tensor.dense_shape, name)
        else:
            np.testing.assert_array_equal(dense[name], tensor, name)


def test_a_numeric_column_without_a_value_is_missing() -> None:
    example = tf.train.Example()
    example.ParseFromString(serialized(feed_rows(1, seed=3))[0])
    example.features.feature["votes"].float_list.Clear()
    example.features.feature["votes"].float_list.SetInParent()
    del example.features.feature["hours-old"]

    parsed = RawFeatures(FEATURES, SCHEMA).parse(tf.constant([example.SerializeToString()]))

    assert np.isnan(parsed["votes"]).all()
    assert np.isnan(parsed["hours-old"]).all()


def test_gaps_in_the_padding_of_a_multi_valued_column_close() -> None:
    raw = RawFeatures(FEATURES, SCHEMA)
    tensors = dense_tensors(feed_rows(2, seed=3))
    tensors["topics"] = tf.constant([[b"", b"art", b""], [b"law", b"", b"sea"]])

    topics = raw.from_dense(tensors)["topics"]

    np.testing.assert_array_equal(tf.sparse.to_dense(topics), [[b"art", b""], [b"law", b"sea"]])


def test_a_column_that_the_schema_lacks_is_named() -> None:
    features = Features(numeric=("votes", "depth"), dense=(DenseEmbedding("sound", 2),))

    with pytest.raises(ValueError, match=r"the feature columns \['depth', 'sound'\] are missing"):
        RawFeatures(features, SCHEMA)
