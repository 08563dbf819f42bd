"""The rows that all models are trained and evaluated on: Transform's outputs for a held-out day and the days before."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.part_run import run_up_to
from ranker import keys
from ranker.config.pipeline import PipelineConfig
from ranker.examples import example_files, parsed_batches
from ranker.features.vocabularies import read_vocabulary
from ranker.forest.train import are_held_out
from ranker.towers.data import without_autotuning

Probabilities = NDArray[np.float32]

_BATCH = 16_384


@dataclass(frozen=True, eq=False)
class Rows:
    """Impressions as Transform wrote them.

    Attributes:
        features: float32 [rows, features], the forest's, NaN if missing.
        towers: the towers' inputs except the leaves: `numeric` float32 [rows, columns], each dense embedding, and the
            keys of a calibration by a feature, if there is one.
        labels: float32 [rows, objectives].
        buckets: int64 [rows], each viewer's hash bucket.
    """

    features: NDArray[np.float32]
    towers: dict[str, NDArray[Any]]
    labels: NDArray[np.float32]
    buckets: NDArray[np.int64]

    def batches(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]]:
        """Batches for `train_forest`."""
        for begin in range(0, len(self.labels), _BATCH):
            end = begin + _BATCH
            yield self.features[begin:end], self.labels[begin:end], self.buckets[begin:end]

    def add_to(self, digest: "hashlib._Hash") -> None:
        """Adds the content to a digest, without the codes of categories, whose numbers depend on the run."""
        floats = [name for name in sorted(self.towers) if self.towers[name].dtype.kind == "f"]
        arrays: list[NDArray[Any]] = [self.features, self.labels, self.buckets, *(self.towers[f] for f in floats)]
        for values in arrays:
            digest.update(f"{values.shape}{values.dtype}".encode())
            digest.update(np.ascontiguousarray(values).data)


@dataclass(frozen=True, eq=False)
class HeldOutDay:
    """A day to predict, and its training data.

    Attributes:
        config: of the pipeline that made the rows.
        day: the held-out day.
        source: the folder of the transformed examples.
        train: the days before.
        test: the held-out day's impressions.
        vocabularies: the values of each categorical feature that slices use, in the order of their codes.
    """

    config: PipelineConfig
    day: date
    source: Path
    train: Rows
    test: Rows
    vocabularies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """A digest of the content of all columns; it does not depend on the run that wrote them."""
        digest = hashlib.sha256()
        for rows in (self.train, self.test):
            rows.add_to(digest)
        return digest.hexdigest()[:16]

    def of_some_viewers(self, rows: int) -> "HeldOutDay":
        """The same day with about `rows` impressions to train on: all those of some viewers, drawn by their hash."""
        buckets, inverse, counts = np.unique(self.train.buckets, return_inverse=True, return_counts=True)
        order = np.random.default_rng(0).permutation(len(buckets))
        kept = np.zeros(len(buckets), bool)
        kept[order[: int(np.searchsorted(np.cumsum(counts[order]), rows)) + 1]] = True
        chosen = kept[inverse]
        towers = {name: values[chosen] for name, values in self.train.towers.items()}
        cut = Rows(self.train.features[chosen], towers, self.train.labels[chosen], self.train.buckets[chosen])
        return replace(self, train=cut)

    @property
    def validation(self) -> NDArray[np.bool_]:
        """Bool [train rows]: rows of the forest's held-out viewers, on which every model chooses its settings."""
        return are_held_out(self.train.buckets, self.train.labels, self.config.forest)


def held_out_day(config: PipelineConfig, feed_log: Path, day: date, work: Path, console: Console) -> HeldOutDay:
    """Runs the pipeline up to Transform, unless `work` has that run already, and reads its outputs.

    Raises:
        RuntimeError: a component failed.
    """
    outputs = run_up_to("Transform", config, feed_log, day, work, console)
    graph = tft.TFTransformOutput(str(outputs["transform_graph"]))
    spec = graph.transformed_feature_spec()
    examples = outputs["transformed_examples"]
    train, test = (read_rows(examples / f"Split-{split}", spec) for split in ("train", "eval"))
    vocabularies = {
        column: tuple(value.decode() for value in read_vocabulary(str(outputs["transform_graph"]), column))
        for column in {column for columns in config.slices for column in columns}
    }
    return HeldOutDay(config, day, examples, train, test, vocabularies)


def read_rows(folder: Path, spec: dict[str, Any]) -> Rows:
    """The rows of all files in a folder.

    Args:
        folder: one split of transformed examples.
        spec: from `TFTransformOutput.transformed_feature_spec()`.
    """
    parts = list(parsed_batches(example_files(str(folder)), spec, _BATCH))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in spec}
    features, labels = columns.pop(keys.FOREST_FEATURES), columns.pop(keys.LABELS)
    buckets = columns.pop(keys.VIEWER_BUCKET).reshape(-1)
    return Rows(features, columns, labels, buckets)


def shuffled_batches(rows: dict[str, NDArray[Any]], batch_size: int, epochs: int, seed: int) -> tf.data.Dataset:
    """Batches of each epoch's rows in random order; an epoch's last batch may be smaller."""
    tensors = {name: tf.constant(values) for name, values in rows.items()}
    count = len(rows[keys.LABELS])
    starts = range(0, count, batch_size)

    def batch(step: tf.Tensor) -> dict[str, tf.Tensor]:
        epoch, within = step // len(starts), step % len(starts)
        order = tf.random.experimental.index_shuffle(
            tf.range(within * batch_size, tf.minimum((within + 1) * batch_size, count)),
            tf.stack([tf.constant(seed, tf.int64), epoch]),
            tf.constant(count - 1, tf.int64),
        )
        return {name: tf.gather(tensor, order) for name, tensor in tensors.items()}

    return without_autotuning(tf.data.Dataset.range(epochs * len(starts)).map(batch).prefetch(4))
