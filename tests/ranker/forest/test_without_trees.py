"""A config without trees: a forest that reads nothing, and leaves that nobody has."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ranker import keys
from ranker.config.columns import Numeric
from ranker.config.forest import Forest as ForestConfig
from ranker.forest.graph import ForestLeaves
from ranker.forest.importance import gain_shares
from ranker.forest.leaf_shards import Shard, encode_shard
from ranker.forest.model import Forest
from ranker.forest.train import ForestBatch, train_forest
from ranker.forest.traverse import Traversal

NAMES = ("age", "fans")
FEATURES = np.array([[1.0, np.nan], [2.0, 3.0], [0.0, 0.0]], np.float32)


@pytest.fixture(scope="module")
def forest() -> Forest:
    def unread() -> Iterator[ForestBatch]:
        pytest.fail("a row was read")
        yield FEATURES, FEATURES, np.zeros(3, np.int64)

    forest, curve = train_forest(unread(), ForestConfig(trees=0), NAMES, ["click", "like"])
    assert (curve.train, curve.kept_rounds, curve.notes()) == ((), 0, ())
    return forest


def test_it_is_saved_and_loaded_and_finds_no_leaf(forest: Forest, tmp_path: Path) -> None:
    forest.save(str(tmp_path))
    loaded = Forest.load(str(tmp_path))
    assert (loaded.trees, loaded.leaves, loaded.feature_names) == (0, 0, NAMES)
    assert loaded.fingerprint == forest.fingerprint
    assert Traversal(loaded)(FEATURES).shape == (3, 0)
    assert gain_shares(loaded, [Numeric(name) for name in NAMES]) == []
    for xla in (False, True):
        leaves = ForestLeaves(loaded, xla)
        assert (leaves(tf.constant(FEATURES)).shape, leaves.local_leaf_dtype) == ((3, 0), tf.uint8)


def test_rows_are_encoded_as_no_leaves_and_keep_the_rest(forest: Forest, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    with tf.io.TFRecordWriter(str(source)) as writer:
        for row in FEATURES:
            example = tf.train.Example()
            example.features.feature[keys.FOREST_FEATURES].float_list.value.extend(row)
            example.features.feature[keys.LABELS].float_list.value.append(1.0)
            writer.write(example.SerializeToString())
    assert encode_shard(Shard(str(source), str(target), str(tmp_path)), Traversal(forest)) == 3
    for record in tf.data.TFRecordDataset(str(target)).as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        assert features.keys() == {keys.LEAVES, keys.LABELS}
        assert list(features[keys.LEAVES].bytes_list.value) == [b""]
