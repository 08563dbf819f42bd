"""The speed of FeedLogGen, LeafEncoder and TowerTrainer, each compared with a rival on the same rows."""

import json
import shutil
import statistics
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import xgboost as xgb
from google.protobuf import json_format
from numpy.typing import NDArray
from tfx.components.example_gen.custom_executors import parquet_executor
from tfx.dsl.components.base import base_beam_executor
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact

from benchmarks.harness import Figure, alternate
from components.artifacts import ForestArtifact
from components.feed_log_gen.component import FeedLogGen
from components.feed_log_gen.executor import Executor as FeedLogGenExecutor
from components.leaf_encoder.executor import Executor as LeafEncoderExecutor
from pipeline.local.run import BEAM_ARGS
from ranker import keys
from ranker.config.pipeline import PipelineConfig
from ranker.examples import example_files, parsed_batches
from ranker.forest.model import Forest
from ranker.towers.data import count_labels, training_batches, without_autotuning
from ranker.towers.inputs import tower_inputs
from ranker.towers.train import train_towers

FEED_LOG_GEN_TARGET, LEAF_ENCODER_TARGET, TOWER_TRAINER_TARGET = 10.0, 1.0, 0.9
SPLITS = ("train", "eval")
_READ_ROWS = 16_384


@dataclass(frozen=True)
class PreparedFeed:
    """The folders of a feed log and of the pipeline's artifacts up to LeafEncoder.

    Attributes:
        config: the pipeline's.
        day: the held-out day of the split eval.
        rows: impressions of both splits.
        feed_log, transformed_examples, transform_graph, forest, leaf_examples: the feed log and the artifacts.
    """

    config: PipelineConfig
    day: date
    rows: int
    feed_log: Path
    transformed_examples: Path
    transform_graph: Path
    forest: Path
    leaf_examples: Path


def feed_log_gen(prepared: PreparedFeed, work: Path, rounds: int = 1) -> Figure:
    """FeedLogGen compared with TFX's Parquet ExampleGen, both from the feed log to an Examples artifact."""
    config = prepared.config
    component = FeedLogGen(
        feed_log=str(prepared.feed_log),
        eval_day=prepared.day.isoformat(),
        train_days=config.train_days,
        objectives=config.objective_names,
        features=config.features,
        keys=config.keys,
    )
    one_split = example_gen_pb2.Input(splits=[{"name": "all", "pattern": "day-*/*.parquet"}])
    stock = {
        "input_base": str(prepared.feed_log),
        "input_config": json_format.MessageToJson(one_split),
        "output_config": json_format.MessageToJson(example_gen_pb2.Output()),
        "output_data_format": example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE,
    }
    ours, theirs = work / "feed_log_gen", work / "parquet_example_gen"
    properties = dict(component.exec_properties)
    seconds = alternate(
        {
            "ours": lambda: _run(FeedLogGenExecutor, {}, "examples", ours, properties),
            "stock": lambda: _run(parquet_executor.Executor, {}, "examples", theirs, stock),
        },
        rounds,
    )
    written = _count(ours, "train") + _count(ours, "eval"), _count(theirs, "all")
    if written != (prepared.rows, prepared.rows):
        raise RuntimeError(f"of {prepared.rows} rows, FeedLogGen wrote {written[0]} and ExampleGen {written[1]}")
    return Figure(
        "feed_log_gen",
        ours=prepared.rows / seconds["ours"],
        rival=prepared.rows / seconds["stock"],
        unit="rows/s",
        target=FEED_LOG_GEN_TARGET,
        note=f"compared with TFX's Parquet ExampleGen on the same {prepared.rows:,} rows and Beam runner, start of the "
        "Beam pipeline included",
    )


def leaf_encoder(prepared: PreparedFeed, work: Path, rounds: int = 3) -> Figure:
    """LeafEncoder from artifact to artifact, compared with XGBoost's own prediction of leaves on a matrix in memory."""
    examples = _artifact(standard_artifacts.Examples, prepared.transformed_examples)
    examples.split_names = json.dumps(SPLITS)
    inputs = {"transformed_examples": [examples], "forest": [_artifact(ForestArtifact, prepared.forest)]}
    forest = Forest.load(str(prepared.forest))
    matrix = xgb.DMatrix(_forest_features(prepared, len(forest.feature_names)))
    out = work / "leaf_encoder"
    seconds = alternate(
        {
            "ours": lambda: _run(LeafEncoderExecutor, inputs, "leaf_examples", out, {}),
            "xgboost": lambda: forest.booster.predict(matrix, pred_leaf=True),
        },
        rounds,
    )
    return Figure(
        "leaf_encoder",
        ours=prepared.rows / seconds["ours"],
        rival=prepared.rows / seconds["xgboost"],
        unit="rows/s",
        target=LEAF_ENCODER_TARGET,
        note=f"ours reads {prepared.rows:,} rows from an artifact and writes one; XGBoost's predict(pred_leaf=True) "
        f"finds the raw leaves of a DMatrix built before the clock starts; {forest.trees} trees, "
        f"{len(forest.feature_names)} features",
    )


def tower_trainer(prepared: PreparedFeed, rounds: int = 3) -> Figure:
    """The training loop from the leaf examples' files, compared with the same loop from batches in memory."""
    config, forest = prepared.config, Forest.load(str(prepared.forest))
    spec = tft.TFTransformOutput(str(prepared.transform_graph)).transformed_feature_spec()
    inputs = tower_inputs(spec, config.features, config.towers, forest.trees, forest.leaves)
    files = example_files(str(prepared.leaf_examples / "Split-train"))
    training, objectives = config.training, config.objectives
    counts = count_labels(files, config.objective_names)
    length = training.length(counts.rows)

    def from_files() -> tf.data.Dataset:
        return training_batches(
            files,
            inputs,
            len(objectives),
            length.batch_size,
            training.shuffle_buffer,
            length.epochs,
            training.seed,
        )

    sources = {"files": from_files(), "memory": in_memory(from_files())}
    speeds: dict[str, list[float]] = {name: [] for name in sources}
    for _ in range(rounds):
        for name, batches in sources.items():
            trained = train_towers(batches, counts, inputs, objectives, config.towers, training)
            speeds[name].append(trained.history.rows_per_second)
    return Figure(
        "tower_trainer",
        ours=statistics.median(speeds["files"]),
        rival=statistics.median(speeds["memory"]),
        unit="examples/s",
        target=TOWER_TRAINER_TARGET,
        note=f"the same loop and steps over the same {counts.rows:,} rows, read from TFRecords and shuffled or sliced "
        "from tensors in memory; without the chunks that compile",
    )


def in_memory(batches: tf.data.Dataset) -> tf.data.Dataset:
    """The same batches, in the same order, as slices of in-memory tensors with all rows."""
    parts = list(batches)
    rows = {name: tf.concat([part[name] for part in parts], axis=0) for name in parts[0]}
    # The last batch of every epoch is a smaller one.
    starts = tf.constant(np.cumsum([0, *(len(next(iter(part.values()))) for part in parts)]))

    def batch(number: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: tensor[starts[number] : starts[number + 1]] for name, tensor in rows.items()}

    return without_autotuning(tf.data.Dataset.range(len(parts)).map(batch).prefetch(4))


def _run(
    kind: type[base_beam_executor.BaseBeamExecutor],
    inputs: dict[str, list[Artifact]],
    output: str,
    out: Path,
    properties: dict[str, Any],
) -> None:
    """Runs an executor as the pipeline does, with one Examples artifact at `out` as its output."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    context = kind.Context(beam_pipeline_args=list(BEAM_ARGS), tmp_dir=str(out.with_name("tmp")), unique_id="1")
    kind(context).Do(inputs, {output: [_artifact(standard_artifacts.Examples, out)]}, properties)


def _artifact(kind: type[Artifact], folder: Path) -> Artifact:
    artifact = kind()
    artifact.uri = str(folder)
    return artifact


def _count(examples: Path, split: str) -> int:
    files = example_files(str(examples / f"Split-{split}"))
    return sum(
        len(batch)
        for file in files
        for batch in tf.data.TFRecordDataset(file, "GZIP" if file.endswith(".gz") else "")
        .batch(_READ_ROWS)
        .as_numpy_iterator()
    )


def _forest_features(prepared: PreparedFeed, features: int) -> NDArray[np.float32]:
    """All rows of both splits, [rows, features]."""
    tensors = {keys.FOREST_FEATURES: tf.io.FixedLenFeature([features], tf.float32)}
    files = [f for split in SPLITS for f in example_files(str(prepared.transformed_examples / f"Split-{split}"))]
    return np.concatenate([batch[keys.FOREST_FEATURES] for batch in parsed_batches(files, tensors, _READ_ROWS)])
