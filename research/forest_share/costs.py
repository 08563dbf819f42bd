"""What a variant costs to serve: the bytes of its model, and the milliseconds of a session."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from benchmarks.harness import alternate
from ranker.config.documents import to_json
from ranker.config.pipeline import PipelineConfig
from ranker.export.module import FeedRanker
from ranker.export.raw_features import RawFeatures
from ranker.export.request_features import request_features
from ranker.export.saved_model import export_saved_model
from ranker.forest.graph import ForestLeaves
from ranker.forest.margins import ForestMargins
from ranker.forest.model import Forest
from ranker.identity.code import code_fingerprint
from ranker.registry.manifest import Manifest
from ranker.towers.data import LabelCounts
from ranker.towers.network import TwoTowerNetwork
from research.quality.rows import HeldOutDay
from research.quality.towers import inputs_of

CANDIDATES = 500

_SIGNATURE = "score_features"
_WARM_UP = 5


@dataclass(frozen=True)
class Cost:
    """What a model costs to serve.

    Attributes:
        trees: of its forest, after early stopping.
        size: bytes of the SavedModel.
        milliseconds: of a session of `CANDIDATES` candidates, by `score_features` in this process; the median.
    """

    trees: int
    size: int
    milliseconds: float


@dataclass(frozen=True)
class Exported:
    """A model to measure.

    Attributes:
        folder: of the SavedModel.
        trees: of its forest.
        config: of the model.
    """

    folder: Path
    trees: int
    config: PipelineConfig


def exported(
    day: HeldOutDay, config: PipelineConfig, forest: Forest, artifacts: Mapping[str, Path], folder: Path
) -> Exported:
    """Exports a model whose towers are not trained, which does not change the cost; unless the folder has it.

    Args:
        day: the rows as the config reads them.
        config: of the model.
        forest: of the model.
        artifacts: output of the pipeline → its folder; the schema and the Transform graph.
        folder: where models are kept.
    """
    code = code_fingerprint("ranker.export.saved_model", "research.forest_share.costs")
    settings = (to_json(part) for part in (config.features, config.towers, config.training))
    parts = (day.digest, forest.fingerprint, *settings, code)
    file = folder / hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    if not file.exists():
        export_saved_model(_module(day, config, forest, artifacts), Manifest(), str(file))
    return Exported(file, forest.trees, config)


def _module(day: HeldOutDay, config: PipelineConfig, forest: Forest, artifacts: Mapping[str, Path]) -> FeedRanker:
    [schema] = artifacts["schema"].iterdir()
    raw = RawFeatures(config.features, text_format.Parse(schema.read_text(), schema_pb2.Schema()))
    labels, inputs = day.train.labels, inputs_of(day, config.towers, forest)
    rates = LabelCounts(len(labels), labels.sum(axis=0)).base_rates
    network = TwoTowerNetwork(inputs, config.towers, config.objectives, rates, config.training.seed)
    share = config.towers.forest_share
    calibrated_by = config.towers.calibrated_by(config.features)
    return FeedRanker(
        request_features(raw, str(artifacts["transform_graph"]), calibrated_by.name if calibrated_by else None),
        ForestLeaves(forest),
        network,
        inputs,
        config.objectives,
        ForestMargins(forest) if share else None,
        share,
        leaf_table=config.serving.leaf_table,
        utility=config.utility,
    )


def costs(models: Iterable[Exported], candidates: pa.Table, rounds: int) -> list[Cost]:
    """The cost of every model. They score the same candidates in turns, so that a slowdown affects all of them.

    Args:
        models: to measure.
        candidates: rows of the feed log, of which the first are a session.
        rounds: how often the session is scored.
    """
    models = list(models)
    runs: dict[str, Callable[[], object]] = {}
    for number, model in enumerate(models):
        signature = tf.saved_model.load(str(model.folder)).signatures[_SIGNATURE]
        score = partial(_score, signature, session(signature, model.config, candidates))
        for _ in range(_WARM_UP):
            score()
        runs[str(number)] = score
    seconds = alternate(runs, rounds)
    return [Cost(model.trees, _size(model.folder), 1000 * seconds[str(number)]) for number, model in enumerate(models)]


def session(signature: Any, config: PipelineConfig, candidates: pa.Table) -> dict[str, tf.Tensor]:
    """The inputs of `score_features` for one viewer and the first candidates of a table, repeated if there are too few.

    A history that the table lacks is full, of items that no candidate has.
    """
    table = candidates.take(np.arange(CANDIDATES) % len(candidates))
    lengths = {history.name: history.log_size for history in config.features.history}
    features = {column.name: column.source for column in config.features.columns}
    exposure = {column.name: column.read_as.source for column in config.features.exposure}
    sources = features | exposure
    _, specs = signature.structured_input_signature
    tensors = {}
    for name, spec in specs.items():
        if name in lengths:
            made = np.random.default_rng(1).integers(1, 2**20, (1, lengths[name]))
            tensors[name] = tf.constant(made, spec.dtype)
        else:
            tensors[name] = _tensor(table.column(sources.get(name, name)).to_pylist(), spec)
    return tensors


def _score(signature: Any, tensors: Mapping[str, tf.Tensor]) -> object:
    return [values.numpy() for values in signature(**tensors).values()]


def _tensor(values: list[Any], spec: tf.TensorSpec) -> tf.Tensor:
    """Values of a column, None where missing, as an input of a signature."""
    missing: Any = "" if spec.dtype == tf.string else float("nan")

    def read(value: Any) -> Any:
        if value is None:
            return missing
        return str(value) if spec.dtype == tf.string else float(value)

    if spec.shape.rank == 1:
        return tf.constant([read(value) for value in values], spec.dtype)
    width = spec.shape[1] or max(1, *(len(value or ()) for value in values))
    rows = [[*map(read, value or ())] for value in values]
    return tf.constant([[*row, *[missing] * (width - len(row))] for row in rows], spec.dtype)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
