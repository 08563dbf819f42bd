"""A tiny feed with a real Transform graph, a real forest and towers with random weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import xgboost as xgb
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker import keys
from ranker.config.columns import Categorical, DenseEmbedding, Features, Keys, MultiValued
from ranker.config.documents import to_json
from ranker.config.effects import Effects
from ranker.config.objectives import Objective
from ranker.config.towers import Isotonic, Towers
from ranker.export.effects import ServedEffects
from ranker.export.module import FeedRanker
from ranker.export.raw_features import RawFeatures
from ranker.export.request_features import request_features
from ranker.features.preprocessing import preprocessing_fn
from ranker.features.registry import feature_kinds
from ranker.features.representation import add_tensor_representations
from ranker.features.transform import SplitFiles, analyse_and_transform
from ranker.forest.graph import ForestLeaves
from ranker.forest.margins import ForestMargins
from ranker.forest.model import Forest
from ranker.forest.traverse import Traversal
from ranker.in_process_runner import InProcessRunner
from ranker.towers.examination import ExaminationModel
from ranker.towers.inputs import TowerInputs, tower_inputs
from ranker.towers.network import TwoTowerNetwork

# `answer` sorts before every feature, `hours-old` cannot be the name of a signature's input.
OBJECTIVES = (
    Objective("like", tower="active", utility_weight=3.0),
    Objective("click", tower="passive"),
    Objective("answer", tower="active", utility_group="other", utility_weight=2.0),
)
FEATURES = Features(
    numeric=("hours-old", "votes"),
    categorical=(Categorical("device", vocabulary_size=3),),
    multi_valued=(MultiValued("topics", vocabulary_size=4),),
    dense=(DenseEmbedding("picture", 3),),
)
TOWERS = Towers(leaf_embedding_size=4, hidden=(16, 8), dense_projection_size=2, forest_share=0.25)
CALIBRATED_TOWERS = replace(TOWERS, isotonic=Isotonic(by="device"))
CURATED = text_format.Parse(
    "\n".join(
        [
            *(
                f'feature {{ name: "{name}" type: FLOAT value_count {{ min: 1 max: 1 }} }}'
                for name in FEATURES.numeric_names
            ),
            'feature { name: "device" type: BYTES value_count { min: 1 max: 1 } }',
            'feature { name: "topics" type: BYTES }',
            'feature { name: "picture" type: FLOAT shape { dim { size: 3 } } presence { min_fraction: 1 } }',
            'feature { name: "viewer_id" type: BYTES shape { dim { size: 1 } } presence { min_fraction: 1 } }',
            *(
                f'feature {{ name: "{o.name}" type: INT shape {{ dim {{ size: 1 }} }} presence {{ min_fraction: 1 }} }}'
                for o in OBJECTIVES
            ),
        ]
    ),
    schema_pb2.Schema(),
)


def imported(curated: schema_pb2.Schema, features: Features) -> schema_pb2.Schema:
    """The schema, as SchemaImporter writes it."""
    schema = schema_pb2.Schema()
    schema.CopyFrom(curated)
    add_tensor_representations(schema, [kind.log_column for _, kind in feature_kinds(features)])
    return schema


SCHEMA = imported(CURATED, FEATURES)

MAX_ROWS = 1000  # maximum number of candidates in a request
Row = dict[str, list[Any]]


def feed_rows(count: int, seed: int) -> list[Row]:
    """Impressions with one value in five missing, and some infinite."""
    rng = np.random.default_rng(seed)

    def maybe(value: Any) -> list[Any]:
        return [] if rng.random() < 0.2 else [value]

    rows = []
    for i in range(count):
        hours, votes = rng.lognormal(1, 1), rng.integers(0, 50)
        likely = 1 / (1 + np.exp(hours / 3 - votes / 25))
        rows.append(
            {
                "hours-old": maybe(float(np.float32(hours))),
                "votes": maybe(float("inf") if i % 50 == 7 else float(votes)),
                "device": maybe(rng.choice([b"ios", b"android", b"web", b"tv"])),
                "topics": list(rng.choice([b"art", b"law", b"tax", b"dog", b"sea"], rng.integers(0, 4))),
                "picture": [float(x) for x in rng.normal(size=3).astype(np.float32)],
                "viewer_id": [f"v{i}".encode()],
                **{o.name: [int(rng.random() < likely)] for o in OBJECTIVES},
            }
        )
    return rows


def serialized(rows: list[Row], columns: tuple[str, ...] | None = None) -> list[bytes]:
    """tf.Examples as FeedLogGen writes them, with the named columns only."""
    examples = []
    for row in rows:
        example = tf.train.Example()
        for name in columns or row:
            feature = example.features.feature[name]
            kind = {bytes: feature.bytes_list, float: feature.float_list, int: feature.int64_list}
            for value in row[name]:
                kind[next(k for k in kind if isinstance(value, k))].value.append(value)
        examples.append(example.SerializeToString())
    return examples


def dense_tensors(rows: list[Row]) -> dict[str, tf.Tensor]:
    """The same rows as inputs of `score_features`."""
    width = max(len(row["topics"]) for row in rows) + 1
    return {
        "hours_old": tf.constant([(row["hours-old"] or [np.nan])[0] for row in rows], tf.float32),
        "votes": tf.constant([(row["votes"] or [np.nan])[0] for row in rows], tf.float32),
        "device": tf.constant([(row["device"] or [b""])[0] for row in rows]),
        "topics": tf.constant([row["topics"] + [b""] * (width - len(row["topics"])) for row in rows]),
        "picture": tf.constant([row["picture"] for row in rows], tf.float32),
    }


@dataclass(frozen=True)
class TinyFeed:
    """The pieces of a model, and rows as Beam transformed them.

    Attributes:
        rows: raw, in the order of all arrays.
        transformed: tensor name → array over all rows.
        leaves: int32 [rows, trees], by the forest's own traversal.
        graph: folder of the Transform graph.
    """

    rows: list[Row]
    transformed: dict[str, np.ndarray]
    leaves: np.ndarray
    graph: Path
    forest: Forest
    inputs: TowerInputs
    network: TwoTowerNetwork

    def module(
        self,
        features: Features = FEATURES,
        objectives: tuple[Objective, ...] = OBJECTIVES,
        examination: ExaminationModel | None = None,
        effects: Effects | None = None,
    ) -> FeedRanker:
        """The exportable model; `features` may have exposure columns in addition, `objectives` other weights."""
        raw = RawFeatures(features, SCHEMA, effects.columns if effects else ())
        return FeedRanker(
            request_features(raw, str(self.graph), "device", ("device",)),
            ForestLeaves(self.forest),
            self.network,
            self.inputs,
            objectives,
            ForestMargins(self.forest),
            TOWERS.forest_share,
            xla_forest=ForestLeaves(self.forest, xla=True),
            max_rows=MAX_ROWS,
            examination=examination,
            effects=ServedEffects(effects, features, len(objectives)) if effects else None,
        )

    def probabilities(self) -> np.ndarray:
        """The expected probabilities, from Beam's transformed rows and the forest's own traversal and booster."""
        towers = self.network(self.batch()).numpy()
        features = xgb.DMatrix(self.transformed[keys.FOREST_FEATURES])
        margins = self.forest.booster.predict(features, output_margin=True)
        share = TOWERS.forest_share
        return tf.sigmoid((1 - share) * towers + share * margins).numpy()

    def batch(self) -> dict[str, np.ndarray]:
        """The towers' training inputs, without the labels."""
        return {name: {**self.transformed, keys.LEAVES: self.leaves}[name] for name in self.inputs.tensor_specs()}

    def calibrated(self) -> "TinyFeed":
        """The same with towers that are calibrated by device."""
        inputs, network = make_towers(self.graph, self.forest, CALIBRATED_TOWERS, self.transformed[keys.LABELS])
        return replace(self, inputs=inputs, network=network)


def make_feed(folder: Path, count: int = 400) -> TinyFeed:
    """Analyses and transforms the rows in Beam, trains a small forest and builds a network without zero weights."""
    rows = feed_rows(count, seed=1)
    graph = transform_graph(folder, rows)
    transformed = read_back(folder / "transformed", rows)
    labels = transformed[keys.LABELS]
    forest = grow(transformed[keys.FOREST_FEATURES], labels)
    inputs, network = make_towers(graph, forest, TOWERS, labels)
    leaves = Traversal(forest)(transformed[keys.FOREST_FEATURES]).astype(np.int32)
    return TinyFeed(rows, transformed, leaves, graph, forest, inputs, network)


def make_towers(
    graph: Path, forest: Forest, towers: Towers, labels: np.ndarray, features: Features = FEATURES
) -> tuple[TowerInputs, TwoTowerNetwork]:
    """Towers without zero weights, whose probabilities are away from 0 and 1."""
    spec = tft.TFTransformOutput(str(graph)).transformed_feature_spec()
    inputs = tower_inputs(spec, features, towers, forest.trees, forest.leaves)
    network = TwoTowerNetwork(inputs, towers, OBJECTIVES, labels.mean(axis=0), seed=1)
    rng = np.random.default_rng(2)
    for variable in network.variables:
        noise = rng.normal(scale=0.1, size=variable.shape)
        variable.assign(variable + (noise if noise.ndim > 1 else np.abs(noise)))
    return inputs, network


def transform_graph(
    folder: Path,
    rows: list[Row],
    features: Features = FEATURES,
    schema: schema_pb2.Schema = SCHEMA,
    further: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """Writes the graph to folder/graph and the transformed rows to folder/transformed; returns the former.

    Args:
        folder: to write into.
        rows: to analyse and transform.
        features: may have exposure columns in addition.
        schema: of the rows.
        further: parameters of `preprocessing_fn`.
    """
    config = {
        "features": to_json(features),
        "keys": to_json(Keys()),
        "objectives": [o.name for o in OBJECTIVES],
        "categorical_input": True,
        "calibrated_by": "device",
        **further,
    }
    with tf.io.TFRecordWriter(str(folder / "raw")) as writer:
        for record in serialized(rows):
            writer.write(record)
    analyse_and_transform(
        partial(preprocessing_fn, custom_config=config),
        features,
        "train",
        schema,
        [SplitFiles("train", str(folder / "raw"), str(folder / "transformed"))],
        str(folder / "graph"),
        lambda: beam.Pipeline(runner=InProcessRunner()),
        str(folder / "scratch"),
    )
    return folder / "graph"


def read_back(prefix: Path, rows: list[Row]) -> dict[str, np.ndarray]:
    """The transformed rows in the order of the raw ones, which their embedding identifies."""
    spec = {
        keys.FOREST_FEATURES: tf.io.FixedLenFeature([len(FEATURES.forest_names)], tf.float32),
        keys.NUMERIC: tf.io.FixedLenFeature([len(FEATURES.numeric_names)], tf.float32),
        "picture": tf.io.FixedLenFeature([3], tf.float32),
        keys.LABELS: tf.io.FixedLenFeature([len(OBJECTIVES)], tf.float32),
        keys.VIEWER_BUCKET: tf.io.FixedLenFeature([1], tf.int64),
        keys.CALIBRATION_KEY: tf.io.FixedLenFeature([1], tf.int64),
        keys.CATEGORICAL: tf.io.FixedLenFeature([len(FEATURES.categorical)], tf.int64),
    }
    records = list(
        tf.data.TFRecordDataset(sorted(map(str, prefix.parent.glob(f"{prefix.name}-*")))).as_numpy_iterator()
    )
    parsed = {name: tensor.numpy() for name, tensor in tf.io.parse_example(records, spec).items()}
    position = {picture.tobytes(): i for i, picture in enumerate(parsed["picture"])}
    order = [position[np.array(row["picture"], np.float32).tobytes()] for row in rows]
    return {name: values[order] for name, values in parsed.items()}


def grow(features: np.ndarray, labels: np.ndarray, names: Sequence[str] = FEATURES.forest_names) -> Forest:
    """A small forest on [rows, inputs] and [rows, objectives]."""
    data = xgb.DMatrix(features, label=labels)
    booster = xgb.train({"objective": "binary:logistic", "max_depth": 3, "min_child_weight": 0.1}, data, 2)
    return Forest.from_booster(booster, names)
