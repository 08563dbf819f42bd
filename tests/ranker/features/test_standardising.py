"""Columns that float32 cannot standardise, analysed by TensorFlow Transform in Beam and served by an exported graph."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker import keys
from ranker.config.columns import Features, Keys
from ranker.config.documents import to_json
from ranker.examples import example_files, parsed_batches
from ranker.export.raw_features import RawFeatures
from ranker.features.preprocessing import preprocessing_fn
from ranker.features.registry import feature_kinds
from ranker.features.representation import add_tensor_representations
from ranker.features.standardising import LARGEST
from ranker.features.transform import SplitFiles, analyse_and_transform
from ranker.in_process_runner import InProcessRunner

pytestmark = pytest.mark.slow

ROWS = 9_000  # several batches of Transform
SERVED = [-3.0, 0.0, 0.1, 5.0, 1.7e9, 3e38, float("inf"), float("-inf"), float("nan")]
OFFSETS = (0.0, 1e-30, 1.0, 1e3, 1e6, 1.7e9, 1e12, 1e15, 1e18, 3e38)
SPREADS = ("neighbours", "rare neighbour", "narrow", "wide")


def columns() -> dict[str, np.ndarray]:
    """Column → float32 [ROWS], NaN if missing."""
    random = np.random.default_rng(1)
    gaps = random.lognormal(3, 1, ROWS)
    gaps[random.random(ROWS) < 0.98] = np.nan
    # A batch without values, and a batch without missing values.
    gaps[:2_100], gaps[-2_100:] = np.nan, 7.0
    constant_with_gaps = np.where(random.random(ROWS) < 0.5, np.nan, 0.1)
    counts = random.pareto(0.5, ROWS) * random.choice([-1, 1], ROWS)
    counts[::500] = np.inf
    found = {
        "seconds": 1.7e9 + 604_800 * np.arange(ROWS) / ROWS,
        "narrow": 1e6 + random.normal(0, 0.2, ROWS),
        "ids": random.integers(10**11, 10**12, ROWS),
        "gaps": gaps,
        "counts": counts,
        "rare": np.arange(ROWS) % 2_000 == 7,
        "missing": np.full(ROWS, np.nan),
        "constant": np.full(ROWS, 1.7e9 + 12_345),
        "constant_with_gaps": constant_with_gaps,
        "zero": np.zeros(ROWS),
    }
    grid = {
        _name(sign * offset, spread): sign * _spread(np.float32(offset), spread, random)
        for offset in OFFSETS
        for spread in (*SPREADS, "constant", "constant with gaps")
        for sign in (1, -1)
        # Next to 0 are denormal numbers, which TensorFlow takes for 0.
        if offset or (sign > 0 and spread in ("wide", "constant", "constant with gaps"))
    }
    return {name: np.asarray(values, np.float32) for name, values in {**found, **grid}.items()}


def _name(offset: float, spread: str) -> str:
    """A name that is valid as a signature's input."""
    return f"at {offset:g} {spread}".translate(str.maketrans(" -+.", "_mpd"))


def _spread(offset: np.float32, spread: str, random: np.random.Generator) -> np.ndarray:
    """Values close to an offset: some of them missing, and some infinite if they vary widely."""
    neighbour = np.nextafter(offset, np.float32(0) if offset > 1e38 else np.float32(np.inf))
    gaps = random.random(ROWS) < 0.3
    match spread:
        case "neighbours":
            values = random.choice([offset, neighbour], ROWS)
        case "rare neighbour":
            values = np.where(np.arange(ROWS) % 1_000 == 3, neighbour, offset)
            gaps[:] = False
        case "narrow":
            values = offset + random.integers(0, 50, ROWS) * (neighbour - offset)
        case "wide":
            values = offset * random.random(ROWS) * random.choice([-1, 1], ROWS) + random.normal(0, 1, ROWS)
            values[::700] = np.inf
        case _:
            values = np.full(ROWS, offset)
            gaps &= spread == "constant with gaps"
    return np.where(gaps, np.nan, values)


COLUMNS = columns()
FEATURES = Features(numeric=tuple(COLUMNS))
NEVER_VARIES = tuple(
    name for name, values in COLUMNS.items() if len(np.unique(values[~np.isnan(values)])) < 2
)  # by definition, and not as the implementation decides it


def expected(name: str, values: np.ndarray) -> np.ndarray:
    """The expected output by numpy, in float64, with the moments of the analysed rows."""
    analysed, logs = _logs(COLUMNS[name]), _logs(values)
    scores = (logs - np.nanmean(analysed)) / np.sqrt(np.nanvar(analysed))
    return np.nan_to_num(np.clip(scores, -LARGEST, LARGEST))


def _logs(values: np.ndarray) -> np.ndarray:
    largest = float(np.finfo(np.float32).max)
    bounded = np.clip(values.astype(np.float64), -largest, largest)
    return np.sign(bounded) * np.log1p(np.abs(bounded))


@dataclass(frozen=True)
class Graph:
    """A graph analysed over COLUMNS.

    Attributes:
        transformed: float32 [ROWS, columns], as Beam wrote it.
        served: float32 [SERVED, columns], by the exported graph, for rows with the same value in every column.
    """

    transformed: np.ndarray
    served: np.ndarray


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    folder = tmp_path_factory.mktemp("standardising")
    schema = _schema()
    with tf.io.TFRecordWriter(str(folder / "raw-00000")) as writer:
        for row in range(ROWS):
            writer.write(_example({name: values[row] for name, values in COLUMNS.items()}, row))
    config = {"features": to_json(FEATURES), "keys": to_json(Keys()), "objectives": ["click"]}
    analyse_and_transform(
        partial(preprocessing_fn, custom_config=config),
        FEATURES,
        "train",
        schema,
        [SplitFiles("train", str(folder / "raw-*"), str(folder / "rows" / "part"))],
        str(folder / "graph"),
        lambda: beam.Pipeline(runner=InProcessRunner()),
        str(folder / "tmp"),
    )
    spec = {
        keys.NUMERIC: tf.io.FixedLenFeature([len(COLUMNS)], tf.float32),
        keys.LABELS: tf.io.FixedLenFeature([1], tf.float32),
    }
    [batch] = parsed_batches(example_files(str(folder / "rows")), spec, ROWS)
    order = np.argsort(batch[keys.LABELS][:, 0])
    return Graph(batch[keys.NUMERIC][order], _serve(folder, schema))


def _schema() -> schema_pb2.Schema:
    schema = schema_pb2.Schema()
    for name in COLUMNS:
        schema.feature.add(name=name, type=schema_pb2.FLOAT)
    for name, kind in (("click", schema_pb2.INT), ("viewer_id", schema_pb2.BYTES)):
        schema.feature.add(name=name, type=kind, presence=schema_pb2.FeaturePresence(min_fraction=1)).shape.dim.add(
            size=1
        )
    add_tensor_representations(schema, [kind.log_column for _, kind in feature_kinds(FEATURES)])
    return schema


def _example(values: dict[str, float], row: int) -> bytes:
    """Missing values are absent, as FeedLogGen writes them; the label numbers the rows."""
    features = {
        name: tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        for name, value in values.items()
        if not np.isnan(value)
    }
    features["click"] = tf.train.Feature(int64_list=tf.train.Int64List(value=[row]))
    features["viewer_id"] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"v"]))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def _serve(folder: Path, schema: schema_pb2.Schema) -> np.ndarray:
    """Exports raw features and Transform's graph as a model does, loads the export and transforms SERVED."""
    raw = RawFeatures(FEATURES, schema)
    module = tf.Module()
    module.transform = tft.TFTransformOutput(str(folder / "graph")).transform_features_layer()

    @tf.function(input_signature=[raw.tensor_specs()])
    def numbers(tensors: dict[str, tf.Tensor]) -> tf.Tensor:
        return module.transform(raw.from_dense(tensors))[keys.NUMERIC]

    module.numbers = numbers
    tf.saved_model.save(module, str(folder / "exported"))
    loaded: Any = tf.saved_model.load(str(folder / "exported"))
    return loaded.numbers({name: tf.constant(SERVED, tf.float32) for name in COLUMNS}).numpy()


@pytest.mark.parametrize("name", [name for name in COLUMNS if name not in NEVER_VARIES])
def test_a_column_has_the_moments_that_float64_gives(graph: Graph, name: str) -> None:
    at = list(COLUMNS).index(name)
    # Where one row in 1,000 is different, by one unit in the last place of float32, float64 has 3 digits left.
    rtol, atol = (2e-3, 2e-3) if name.endswith("rare_neighbour") else (1e-5, 1e-6)
    np.testing.assert_allclose(graph.transformed[:, at], expected(name, COLUMNS[name]), rtol, atol)
    served = expected(name, np.asarray(SERVED, np.float32))
    np.testing.assert_allclose(graph.served[:, at], served, rtol, atol)


def test_columns_of_every_offset_and_spread_are_analysed() -> None:
    assert len(COLUMNS) == 10 + 18 * 6 + 3
    assert len(NEVER_VARIES) == 4 + 18 * 2 + 2
    assert set(NEVER_VARIES) > {"missing", "constant", "constant_with_gaps", "zero", _name(1e18, "constant with gaps")}


@pytest.mark.parametrize("name", [name for name in COLUMNS if name not in NEVER_VARIES])
def test_a_served_row_is_what_it_was_in_training(graph: Graph, name: str) -> None:
    """One request's values are among those of training, so both must have gone the same way."""
    at = list(COLUMNS).index(name)
    for served, output in zip(np.asarray(SERVED, np.float32), graph.served[:, at], strict=True):
        same = (COLUMNS[name] == served) | (np.isnan(COLUMNS[name]) & np.isnan(served))
        np.testing.assert_array_equal(graph.transformed[same, at], output)


@pytest.mark.parametrize("name", [name for name in COLUMNS if name not in NEVER_VARIES])
def test_the_order_of_values_is_kept(graph: Graph, name: str) -> None:
    at = list(COLUMNS).index(name)
    known = ~np.isnan(COLUMNS[name])
    order = np.argsort(COLUMNS[name][known])
    assert (np.diff(graph.transformed[known, at][order]) >= 0).all()
    assert len(np.unique(graph.transformed[known, at])) > 1


@pytest.mark.parametrize("name", ["seconds", "narrow", "ids", "gaps"])
def test_what_was_analysed_has_mean_0_and_variance_1(graph: Graph, name: str) -> None:
    present = ~np.isnan(COLUMNS[name])
    values = graph.transformed[:, list(COLUMNS).index(name)].astype(np.float64)
    assert values[present].mean() == pytest.approx(0.0, abs=1e-5)
    assert values[present].var() == pytest.approx(1.0, abs=1e-4)
    assert not values[~present].any()


@pytest.mark.parametrize("name", NEVER_VARIES)
def test_a_constant_column_is_0_for_any_served_value(graph: Graph, name: str) -> None:
    at = list(COLUMNS).index(name)
    assert not graph.transformed[:, at].any()
    assert not graph.served[:, at].any()


def test_no_served_value_lies_beyond_the_limit(graph: Graph) -> None:
    assert np.isfinite(graph.served).all()
    assert np.abs(graph.served).max() == LARGEST
    narrow = graph.served[:, list(COLUMNS).index("narrow")]
    np.testing.assert_array_equal(narrow, [-LARGEST] * 4 + [LARGEST] * 3 + [-LARGEST, 0.0])
    # A flag of one row in 2,000 is 45 standard deviations from its mean.
    assert graph.transformed[:, list(COLUMNS).index("rare")].max() == LARGEST
