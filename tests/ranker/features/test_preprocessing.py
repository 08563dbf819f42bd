"""The Transform graph on a few hand-made impressions, analysed and applied by TensorFlow Transform itself."""

from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform.tf_metadata import schema_utils

from ranker import keys
from ranker.config.columns import Categorical, DenseEmbedding, Features, HashedId, Keys, MultiValued
from ranker.config.documents import to_json
from ranker.features.preprocessing import preprocessing_fn
from ranker.features.transform import SplitFiles, analyse_and_transform
from ranker.in_process_runner import InProcessRunner

pytestmark = pytest.mark.slow

FEATURES = Features(
    numeric=("age", "fans"),
    categorical=(Categorical("device", vocabulary_size=2),),
    multi_valued=(MultiValued("topics", vocabulary_size=3),),
    dense=(DenseEmbedding("embedding", 2),),
)
SPEC = {
    "age": tf.io.VarLenFeature(tf.float32),
    "fans": tf.io.VarLenFeature(tf.float32),
    "device": tf.io.VarLenFeature(tf.string),
    "topics": tf.io.VarLenFeature(tf.string),
    "embedding": tf.io.FixedLenFeature([2], tf.float32),
    "ad_click": tf.io.FixedLenFeature([1], tf.int64),
    "like": tf.io.FixedLenFeature([1], tf.int64),
    "viewer_id": tf.io.FixedLenFeature([1], tf.string),
}
# Frequencies: device a 3, b 2, c 1; topics x 4, y 3, z 2, w 1.
ROWS: list[dict[str, list[Any]]] = [
    dict(age=[1.0], fans=[0.0], device=["a"], topics=["x", "y"], embedding=[1.0, 2.0], ad_click=[1], like=[0]),
    dict(age=[], fans=[10.0], device=["b"], topics=[], embedding=[0.0, 0.0], ad_click=[0], like=[0]),
    dict(age=[3.0], fans=[float("inf")], device=["a"], topics=["x", "z"], embedding=[5.0, 6.0], ad_click=[0], like=[1]),
    dict(age=[4.0], fans=[7.0], device=["c"], topics=["w"], embedding=[7.0, 8.0], ad_click=[1], like=[1]),
    dict(age=[], fans=[2.0], device=[], topics=["x", "y", "y"], embedding=[0.5, 0.5], ad_click=[0], like=[0]),
    dict(age=[9.0], fans=[], device=["a"], topics=["z"], embedding=[1.0, 1.0], ad_click=[0], like=[0]),
    dict(age=[-2.0], fans=[1.0], device=["b"], topics=["x"], embedding=[1.0, 1.0], ad_click=[0], like=[0]),
]


@pytest.fixture(scope="module")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, np.ndarray], Path]:
    """Every output of the graph over ROWS, stacked, and the folder of the transform graph."""
    folder = tmp_path_factory.mktemp("transform")
    rows = [{**row, "viewer_id": [f"v{i % 3}"]} for i, row in enumerate(ROWS)]
    out = _analysed(folder, rows)
    return _apply(out, rows), out


def _analysed(
    folder: Path,
    rows: list[dict[str, list[Any]]],
    features: Features = FEATURES,
    spec: dict[str, Any] = SPEC,
) -> Path:
    """Analyses rows and returns the folder of the transform graph."""
    config = {
        "features": to_json(features),
        "keys": to_json(Keys()),
        "objectives": ["ad_click", "like"],
        "categorical_input": True,
        "calibrated_by": "device",
    }
    with tf.io.TFRecordWriter(str(folder / "raw")) as writer:
        for record in _serialized(rows, spec):
            writer.write(record)
    analyse_and_transform(
        partial(preprocessing_fn, custom_config=config),
        features,
        "train",
        schema_utils.schema_from_feature_spec(spec),
        [SplitFiles("train", str(folder / "raw"), str(folder / "transformed"))],
        str(folder / "graph"),
        lambda: beam.Pipeline(runner=InProcessRunner()),
        str(folder / "scratch"),
    )
    return folder / "graph"


def _apply(graph: Path, rows: list[dict[str, list[Any]]], spec: dict[str, Any] = SPEC) -> dict[str, np.ndarray]:
    output = tft.TFTransformOutput(str(graph))
    return {name: tensor.numpy() for name, tensor in output.transform_raw_features(_parse(rows, spec)).items()}


def _parse(rows: list[dict[str, list[Any]]], spec: dict[str, Any]) -> dict[str, Any]:
    return tf.io.parse_example(_serialized(rows, spec), spec)


def _serialized(rows: list[dict[str, list[Any]]], spec: dict[str, Any]) -> list[bytes]:
    serialized = []
    for row in rows:
        example = tf.train.Example()
        for name, values in row.items():
            feature = example.features.feature[name]
            if spec[name].dtype == tf.string:
                feature.bytes_list.value.extend(v if isinstance(v, bytes) else v.encode() for v in values)
            elif spec[name].dtype == tf.int64:
                feature.int64_list.value.extend(values)
            else:
                feature.float_list.value.extend(values)
        serialized.append(example.SerializeToString())
    return serialized


def test_forest_features_hold_values_ranks_and_multi_hot(transformed: tuple[dict[str, np.ndarray], Path]) -> None:
    outputs, _ = transformed
    assert FEATURES.forest_names == ("age", "fans", "device", "topics.count", "topics.0", "topics.1", "topics.2")
    largest, nan = np.finfo(np.float32).max, np.nan
    np.testing.assert_array_equal(
        outputs[keys.FOREST_FEATURES],
        np.array(
            [
                [1, 0, 0, 2, 1, 1, 0],
                [nan, 10, 1, 0, 0, 0, 0],
                [3, largest, 0, 2, 1, 0, 1],
                [4, 7, 2, 1, 0, 0, 0],
                [nan, 2, nan, 3, 1, 1, 0],
                [9, nan, 0, 1, 0, 0, 1],
                [-2, 1, 1, 1, 1, 0, 0],
            ],
            np.float32,
        ),
    )


def test_numeric_is_signed_log_normalised_over_the_values_present(
    transformed: tuple[dict[str, np.ndarray], Path],
) -> None:
    outputs, _ = transformed
    ages = np.array([1, np.nan, 3, 4, np.nan, 9, -2])
    logs = np.sign(ages) * np.log1p(np.abs(ages))
    expected = (logs - np.nanmean(logs)) / np.nanstd(logs)
    np.testing.assert_allclose(outputs[keys.NUMERIC][:, 0], np.nan_to_num(expected), atol=1e-5)
    assert outputs[keys.NUMERIC].shape == (7, 2)
    assert np.isfinite(outputs[keys.NUMERIC]).all()


def test_labels_keep_the_order_of_the_config(transformed: tuple[dict[str, np.ndarray], Path]) -> None:
    outputs, _ = transformed
    np.testing.assert_array_equal(outputs[keys.LABELS][:, 0], [1, 0, 0, 1, 0, 0, 0])
    np.testing.assert_array_equal(outputs[keys.LABELS][:, 1], [0, 0, 1, 1, 0, 0, 0])


def test_a_viewer_always_falls_into_the_same_bucket(transformed: tuple[dict[str, np.ndarray], Path]) -> None:
    outputs, _ = transformed
    buckets = outputs[keys.VIEWER_BUCKET][:, 0]
    assert buckets[0] == buckets[3] == buckets[6]
    assert len(set(buckets)) == 3
    assert ((buckets >= 0) & (buckets < keys.VIEWER_BUCKETS)).all()


def test_the_towers_see_the_same_codes_as_the_calibration(transformed: tuple[dict[str, np.ndarray], Path]) -> None:
    outputs, graph = transformed
    assert outputs[keys.CATEGORICAL].dtype == np.int64
    np.testing.assert_array_equal(outputs[keys.CATEGORICAL], [[0], [1], [0], [2], [3], [0], [1]])
    spec = tft.TFTransformOutput(str(graph)).transformed_feature_spec()
    assert spec[keys.CATEGORICAL] == tf.io.FixedLenFeature([1], tf.int64)


def test_calibration_key_is_the_rank_with_a_code_of_its_own_for_missing(
    transformed: tuple[dict[str, np.ndarray], Path],
) -> None:
    outputs, _ = transformed
    assert outputs[keys.CALIBRATION_KEY].dtype == np.int64
    np.testing.assert_array_equal(outputs[keys.CALIBRATION_KEY], [[0], [1], [0], [2], [3], [0], [1]])


def test_dense_embedding_passes_unchanged(transformed: tuple[dict[str, np.ndarray], Path]) -> None:
    outputs, _ = transformed
    np.testing.assert_array_equal(outputs["embedding"], [row["embedding"] for row in ROWS])


def test_serving_needs_neither_labels_nor_viewer(transformed: tuple[dict[str, np.ndarray], Path]) -> None:
    outputs, graph = transformed
    spec = {name: SPEC[name] for name in FEATURES.names}
    raw = _parse([{name: row[name] for name in spec} for row in ROWS], spec)
    served = tft.TFTransformOutput(str(graph)).transform_raw_features(raw, drop_unused_features=True)
    for name in (keys.FOREST_FEATURES, keys.NUMERIC, "embedding"):
        np.testing.assert_array_equal(served[name].numpy(), outputs[name])


def test_an_unseen_value_shares_the_rank_of_values_outside_the_vocabulary(
    transformed: tuple[dict[str, np.ndarray], Path],
) -> None:
    _, graph = transformed
    unseen = {**ROWS[0], "device": ["never seen"], "topics": ["never seen"], "viewer_id": ["v"]}
    forest = _apply(graph, [unseen])[keys.FOREST_FEATURES][0]
    assert forest[2] == 2
    np.testing.assert_array_equal(forest[3:], [1, 0, 0, 0])


def test_columns_without_a_single_value_are_missing_and_take_any_served_value(tmp_path: Path) -> None:
    rows = [{**row, "age": [], "device": [], "topics": [], "viewer_id": [f"v{i}"]} for i, row in enumerate(ROWS)]
    graph = _analysed(tmp_path, rows)
    outputs = _apply(graph, rows)
    missing = np.tile([np.nan, np.nan, 0, 0, 0, 0], (len(ROWS), 1))
    np.testing.assert_array_equal(np.delete(outputs[keys.FOREST_FEATURES], 1, axis=1), missing)
    np.testing.assert_array_equal(outputs[keys.CATEGORICAL], [[3]] * len(ROWS))
    assert not outputs[keys.NUMERIC][:, 0].any()

    served = _apply(graph, [{**rows[0], "age": [5.0], "device": ["new"], "topics": ["new", "newer"]}])
    np.testing.assert_array_equal(
        np.delete(served[keys.FOREST_FEATURES], 1, axis=1)[0, [0, 2, 3, 4, 5]], [5, 2, 0, 0, 0]
    )
    assert 0 <= served[keys.CATEGORICAL][0, 0] < 3
    assert served[keys.NUMERIC][0, 0] == 0


ODD = Features(
    categorical=(Categorical("device", vocabulary_size=4), Categorical("0", vocabulary_size=3), Categorical("city")),
    multi_valued=(MultiValued("topics", vocabulary_size=3), MultiValued("tags", vocabulary_size=5)),
    ids=(HashedId("viewer_id", buckets=50), HashedId("author", buckets=20)),
)
ODD_ROWS: list[dict[str, list[Any]]] = [
    {"device": ["0=x"], "0": ["x"], "city": ["東京"], "topics": ["x", "x", "y"], "tags": []},
    {"device": ["x"], "0": ["x"], "city": ["a\nb"], "topics": ["y"], "tags": ["x", "é", "z"]},
    {"device": ["=device"], "0": ["1=x"], "city": [b"\xff"], "topics": [], "tags": ["z", "q"]},
    {"device": ["0=x"], "0": [], "city": ["東京"], "topics": ["", "w"], "tags": ["1=x", "1=x"]},
    {"device": [""], "0": ["y"], "city": [], "topics": ["w", "", "x"], "tags": ["z"]},
]
UNSEEN: dict[str, list[Any]] = {"device": ["1=x"], "0": ["0=x"], "city": ["x"], "topics": ["z", "x"], "tags": ["w"]}


def test_odd_values_are_kept_apart_by_their_column(tmp_path: Path) -> None:
    """Equal values in several columns, values that look like keys of the table, ties, unseen and empty ones."""
    rest: dict[str, list[Any]] = {
        "age": [],
        "fans": [],
        "embedding": [0.0, 0.0],
        "ad_click": [0],
        "like": [0],
        "viewer_id": ["v1"],
        "author": [],
    }
    rows = [rest | row for row in ODD_ROWS]
    rows[1]["author"] = ["a"]
    spec = SPEC | {name: tf.io.VarLenFeature(tf.string) for name in ODD.names}
    outputs = _apply(_analysed(tmp_path, rows, ODD, spec), [*rows, rest | UNSEEN], spec)
    # The vocabularies, by descending count and then by descending bytes:
    # device: 0=x (2), x, =device; 0: x (2), y, 1=x; city: 東京 (2), \xff, and none with a line break;
    # topics: x (3), y (2), w (2); tags: z (3), 1=x (2), é, x, q.
    np.testing.assert_array_equal(
        outputs[keys.CATEGORICAL], [[0, 0, 0], [1, 0, 2], [2, 2, 1], [0, 4, 0], [5, 1, 1001], [3, 3, 2]]
    )
    nan = np.nan
    np.testing.assert_array_equal(
        outputs[keys.FOREST_FEATURES],
        [
            [0, 0, 0, 3, 1, 1, 0, 0, 0, 0, 0, 0, 0],
            [1, 0, 2, 1, 0, 1, 0, 3, 1, 0, 1, 1, 0],
            [2, 2, 1, 0, 0, 0, 0, 2, 1, 0, 0, 0, 1],
            [0, nan, 0, 1, 0, 0, 1, 2, 0, 1, 0, 0, 0],
            [nan, 1, nan, 2, 1, 0, 1, 1, 1, 0, 0, 0, 0],
            [3, 3, 2, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0],
        ],
    )
    ids = [[36, 20, 20, 20]] * 6
    ids[1] = [36, 20, 12, 6]
    np.testing.assert_array_equal(outputs[keys.HASHED_IDS], ids)
