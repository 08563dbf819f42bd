"""The analysis of the training days, compared with counting in Python, with numpy, and with TFT's own analyzers."""

import pickle
from collections import Counter
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from ranker.config.columns import Categorical, Features, MultiValued
from ranker.features.analysis import Summary, merged, summarised
from ranker.in_process_runner import InProcessRunner

FEATURES = Features(
    numeric=("age", "fans"),
    categorical=(Categorical("device", vocabulary_size=3), Categorical("city", vocabulary_size=100)),
    multi_valued=(MultiValued("topics", vocabulary_size=4),),
)
Lists = list[list[bytes]]
TEXTS = st.sampled_from([b"a", b"b", b"B", b"=", b"0=a", b"", b"\xff", "é".encode(), b"a\nb", b"\r", b" ", b"a b"])


def sparse(values: Lists) -> tf.SparseTensor:
    return tf.ragged.constant(values, dtype=tf.string, ragged_rank=1).to_sparse()


def added(device: Lists, city: Lists, topics: Lists, numbers: np.ndarray) -> Summary:
    """The summary of one batch; numbers [rows, 2]."""
    inputs = {"age": tf.constant(numbers[:, :1]), "fans": tf.constant(numbers[:, 1:])}
    inputs |= {"device": sparse(device), "city": sparse(city), "topics": sparse(topics)}
    summary = Summary(FEATURES)
    summary.add(*tf.nest.map_structure(lambda tensor: tensor.numpy(), summarised(FEATURES, inputs)))
    return summary


def counted(values: Lists) -> list[bytes]:
    """The values that a vocabulary may have: by descending count, then by descending bytes."""
    counts = Counter(v for row in values for v in row if v and b"\n" not in v and b"\r" not in v)
    return [v for v, _ in sorted(counts.items(), key=lambda item: (item[1], item[0]), reverse=True)]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(TEXTS, max_size=4), min_size=1, max_size=12), st.integers(0, 12))
def test_vocabularies_are_ordered_by_count_and_then_by_bytes(topics: Lists, cut: int) -> None:
    city = [row[:1] for row in topics]
    numbers = np.zeros((len(topics), 2), np.float32)
    parts = [
        added(city[part], city[part], topics[part], numbers[part])
        for part in (slice(cut), slice(cut, None))
        if len(city[part])
    ]
    vocabularies = merged(FEATURES, [pickle.loads(pickle.dumps(part)) for part in parts]).analysis().vocabularies
    assert list(vocabularies["city"]) == counted(city)
    # More values than a vocabulary holds are counted exactly only while they fit into the sketch.
    if len(counted(city)) <= 3:
        assert list(vocabularies["device"]) == counted(city)
    if len(counted(topics)) <= 4:
        assert list(vocabularies["topics"]) == counted(topics)
    assert len(vocabularies["device"]) <= 3
    assert len(vocabularies["topics"]) <= 4


def test_each_column_keeps_its_most_frequent_values() -> None:
    counts = {b"a": 1000, b"b": 500, b"c": 250, b"d": 5, b"e": 1}
    device = [[value] for value, count in counts.items() for _ in range(count)]
    numbers = np.zeros((len(device), 2), np.float32)
    vocabularies = added(device, device, device, numbers).analysis().vocabularies
    assert vocabularies == {
        "device": (b"a", b"b", b"c"),
        "city": (b"a", b"b", b"c", b"d", b"e"),
        "topics": (b"a", b"b", b"c", b"d"),
    }


@pytest.mark.slow
def test_memory_is_bounded_by_the_size_of_the_vocabulary() -> None:
    summary = Summary(FEATURES)
    # 10,000 different values of at least 5 bytes in each of three columns.
    for batch in range(20):
        texts = [[b"frequent"] if row % 2 else [f"{batch} {row}".encode()] for row in range(1000)]
        summary.merge(added(texts, texts, texts, np.zeros((1000, 2), np.float32)))
    assert summary.analysis().vocabularies["device"][0] == b"frequent"
    assert len(pickle.dumps(summary)) < 20_000


@pytest.mark.parametrize("cuts", [[], [40], [1, 2, 3, 77]])
def test_moments_are_those_of_all_present_values(cuts: list[int]) -> None:
    rng = np.random.default_rng(0)
    numbers = rng.normal(1e6, 3, (100, 2)).astype(np.float32)
    numbers[rng.random((100, 2)) < 0.3] = np.nan
    numbers[:1] = np.nan
    empty: Lists = [[]] * 100
    parts = []
    for part in np.split(numbers, cuts):
        texts = empty[: len(part)]
        parts.append(added(texts, texts, texts, part))
    moments = merged(FEATURES, parts).analysis().moments
    logs = np.log1p(numbers.astype(np.float64))
    np.testing.assert_array_equal(moments.count, (~np.isnan(logs)).sum(axis=0))
    np.testing.assert_allclose(moments.mean, np.nanmean(logs, axis=0), rtol=1e-14)
    np.testing.assert_allclose(moments.variance, np.nanvar(logs, axis=0), rtol=1e-9)


def test_columns_without_a_value() -> None:
    analysis = merged(FEATURES, []).analysis()
    assert analysis.vocabularies == {"device": (), "city": (), "topics": ()}
    for values in (analysis.moments.count, analysis.moments.mean, analysis.moments.variance):
        np.testing.assert_array_equal(values, [0, 0])


@pytest.mark.slow
def test_tfts_own_analyzers_find_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    # Nearly as many values as the vocabulary holds, with counts that are often equal.
    cities = [f"city {i}".encode() for i in rng.geometric(0.02, 3000) % 95]
    topics = [[f"t{i}".encode() for i in rng.integers(0, 4, rng.integers(0, 4))] for _ in cities]
    numbers = rng.lognormal(2, 2, (3000, 2)).astype(np.float32)

    def preprocessing_fn(inputs: dict[str, tf.Tensor | tf.SparseTensor]) -> dict[str, tf.Tensor]:
        for column, size in (("city", 100), ("topics", 4)):
            tft.experimental.approximate_vocabulary(inputs[column], size, vocab_filename=column)
        logs = tf.math.log1p(tf.cast(inputs["numbers"], tf.float64))
        mean, variance = tft.mean(logs, reduce_instance_dims=False), tft.var(logs, reduce_instance_dims=False)
        return {"moments": tf.zeros_like(inputs["numbers"]) + tf.cast(mean * variance, tf.float32)}

    spec = {
        **{name: tf.io.VarLenFeature(tf.string) for name in ("city", "topics")},
        "numbers": tf.io.FixedLenFeature([2], tf.float32),
    }
    rows = [
        {"city": [city], "topics": list(topic), "numbers": list(map(float, row))}
        for city, topic, row in zip(cities, topics, numbers, strict=True)
    ]
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    with tft_beam.Context(temp_dir=str(tmp_path / "tmp")), beam.Pipeline(runner=InProcessRunner()) as pipeline:
        data = pipeline | beam.Create(rows, reshuffle=False)
        graph = (data, metadata) | tft_beam.AnalyzeDataset(preprocessing_fn)
        _ = graph | tft_beam.WriteTransformFn(str(tmp_path / "graph"))
    theirs = tft.TFTransformOutput(str(tmp_path / "graph"))

    listed = [[city] for city in cities]
    ours = added(listed, listed, topics, numbers).analysis()
    assert theirs.vocabulary_by_name("topics") == list(ours.vocabularies["topics"])
    assert theirs.vocabulary_by_name("city") == list(ours.vocabularies["city"])
    output = theirs.transform_features_layer()(
        {"numbers": tf.constant(numbers[:1]), "city": sparse([[b""]]), "topics": sparse([[b""]])}
    )
    expected = (ours.moments.mean * ours.moments.variance).astype(np.float32)
    np.testing.assert_allclose(output["moments"][0], expected, rtol=2e-7)
