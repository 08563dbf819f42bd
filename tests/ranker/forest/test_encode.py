"""Serialised Examples whose features become leaves."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from ranker import keys
from ranker.forest.encode import RowEncoder, check_rows
from ranker.forest.model import Forest
from ranker.forest.traverse import Traversal
from ranker.tfrecords import FOOTER, HEADER, Block, read_blocks
from tests.ranker.forest.boosters import grow, leaves_by_xgboost, random_features

WIDTH = 5

_floats = st.lists(st.floats(width=32), max_size=40).map(
    lambda values: tf.train.Feature(float_list=tf.train.FloatList(value=values))
)
_ints = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5).map(
    lambda values: tf.train.Feature(int64_list=tf.train.Int64List(value=values))
)
_bytes = st.lists(st.binary(max_size=200), max_size=5).map(
    lambda values: tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
)
_names = st.text(max_size=20).filter(lambda name: name not in (keys.FOREST_FEATURES, keys.LEAVES))
_others = st.dictionaries(_names, st.one_of(_floats, _ints, _bytes, st.just(tf.train.Feature())), max_size=6)


@pytest.fixture(scope="module")
def forest() -> Forest:
    rng = np.random.default_rng(0)
    return grow(random_features(rng, 500, WIDTH), 1, 4, rng, max_depth=3)


def example(others: dict[str, tf.train.Feature], features: np.ndarray | None = None) -> bytes:
    entries = dict(others)
    if features is not None:
        entries[keys.FOREST_FEATURES] = tf.train.Feature(float_list=tf.train.FloatList(value=features))
    return tf.train.Example(features=tf.train.Features(feature=entries)).SerializeToString()


def block_of(records: list[bytes]) -> Block:
    ends = np.cumsum([len(record) for record in records])
    return Block(np.frombuffer(b"".join(records), np.uint8).copy(), np.append(0, ends[:-1]), ends)


def encoded(forest: Forest, records: list[bytes]) -> list[tf.train.Example]:
    framed = RowEncoder(Traversal(forest))(block_of(records))
    [block] = read_blocks(pa.BufferReader(framed.tobytes()), verify=True)
    assert len(framed) == int((block.end - block.begin).sum()) + len(records) * (HEADER + FOOTER)
    return [
        tf.train.Example.FromString(block.data[begin:end].tobytes())
        for begin, end in zip(block.begin, block.end, strict=True)
    ]


@pytest.mark.slow
@given(others=st.lists(_others, min_size=1, max_size=5), seed=st.integers(0, 99))
@settings(max_examples=100, deadline=None)
def test_leaves_replace_the_features_and_all_else_stays(
    forest: Forest, others: list[dict[str, tf.train.Feature]], seed: int
) -> None:
    features = random_features(np.random.default_rng(seed), len(others), WIDTH)
    rows = encoded(forest, [example(rest, values) for rest, values in zip(others, features, strict=True)])
    expected = leaves_by_xgboost(forest, features)
    for row, rest, leaves in zip(rows, others, expected, strict=True):
        entries = dict(row.features.feature)
        [value] = entries.pop(keys.LEAVES).bytes_list.value
        np.testing.assert_array_equal(np.frombuffer(value, "<u2"), leaves)
        assert {name: entry.SerializeToString() for name, entry in entries.items()} == {
            name: entry.SerializeToString() for name, entry in rest.items()
        }


def test_tensorflow_parses_the_encoded_rows(forest: Forest) -> None:
    labels = {keys.LABELS: tf.train.Feature(float_list=tf.train.FloatList(value=[1, 0]))}
    features = random_features(np.random.default_rng(1), 30, WIDTH)
    rows = encoded(forest, [example(labels, values) for values in features])
    parsed = tf.io.parse_example(
        [row.SerializeToString() for row in rows],
        {keys.LABELS: tf.io.FixedLenFeature([2], tf.float32), keys.LEAVES: tf.io.FixedLenFeature([], tf.string)},
    )
    np.testing.assert_array_equal(tf.io.decode_raw(parsed[keys.LEAVES], tf.uint16), leaves_by_xgboost(forest, features))
    np.testing.assert_array_equal(parsed[keys.LABELS], [[1, 0]] * 30)


@pytest.mark.slow
def test_a_large_forest_writes_four_bytes_per_leaf() -> None:
    rng = np.random.default_rng(5)
    features = rng.standard_normal((8000, WIDTH)).astype(np.float32)
    forest = grow(features, 1, 60, rng, max_depth=12, min_child_weight=0, reg_lambda=0, learning_rate=0.01)
    assert forest.leaves > 1 << 16
    [row] = encoded(forest, [example({}, features[0])])
    leaves = np.frombuffer(row.features.feature[keys.LEAVES].bytes_list.value[0], "<u4")
    np.testing.assert_array_equal(leaves, leaves_by_xgboost(forest, features[:1])[0])


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (example({}, np.zeros(4)), "holds 4 values in 'forest_features', but the forest reads 5"),
        (example({}), "lacks the tensor 'forest_features'"),
        (example({"forest_feature": tf.train.Feature()}), "lacks the tensor"),
        (example({keys.FOREST_FEATURES: tf.train.Feature()}), "does not hold floats"),
        (
            example({keys.FOREST_FEATURES: tf.train.Feature(int64_list=tf.train.Int64List(value=[1] * 5))}),
            "does not hold floats",
        ),
        (b"\x0a\x05hello", "not a tf.Example"),
        (b"no Example at all", "not a tf.Example"),
    ],
)
def test_invalid_rows_are_refused(forest: Forest, record: bytes, message: str) -> None:
    good = example({}, np.zeros(WIDTH))
    with pytest.raises(ValueError, match=message):
        check_rows(block_of([good, record]), WIDTH)
    with pytest.raises(ValueError, match=message):
        RowEncoder(Traversal(forest))(block_of([good, record]))


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_corrupt_rows_are_refused_or_read_within_their_bounds(forest: Forest, data: st.DataObject) -> None:
    record = bytearray(example({"x": tf.train.Feature()}, np.ones(WIDTH)))
    for _ in range(data.draw(st.integers(1, 3))):
        record[data.draw(st.integers(0, len(record) - 1))] = data.draw(st.integers(0, 255))
    try:
        check_rows(block_of([bytes(record)]), WIDTH)
    except ValueError:
        return
    # Rows that are accepted can be assembled and framed.
    framed = RowEncoder(Traversal(forest))(block_of([bytes(record)]))
    [block] = read_blocks(pa.BufferReader(framed.tobytes()), verify=True)
    assert len(block.begin) == 1
