"""Rows as Transform wrote them, of which columns are looked at one at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from ranker import keys
from ranker.config.columns import Features
from ranker.evaluation.column_power import Outcomes
from ranker.examples import parsed_batches

_BATCH_ROWS = 16_384


@dataclass(frozen=True, eq=False)
class TransformedRows:
    """A sample of the rows of one or several splits.

    Attributes:
        inputs: float32 [rows, inputs], the forest's inputs, NaN where missing.
        dense: column → float32 [rows, size], the embeddings that the forest does not read.
        outcomes: of the rows.
    """

    inputs: npt.NDArray[np.float32]
    dense: Mapping[str, npt.NDArray[np.float32]]
    outcomes: Outcomes

    def columns(self, features: Features) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
        """Every feature column that has numbers, with these, float32 [rows, inputs of the column].

        Ids have none, only hash codes, of which no statistic says anything.
        """
        begin = 0
        for column in features.columns:
            size = len(column.forest_names)
            if size:
                yield column.name, self.inputs[:, begin : begin + size]
            elif column.name in self.dense:
                yield column.name, self.dense[column.name]
            begin += size


def read_rows(files: Mapping[str, int], features: Features, objectives: int) -> TransformedRows:
    """Reads every n-th row of TFRecord files of Transform's examples.

    Args:
        files: path → n; with 1, every row is read.
        features: the feature columns.
        objectives: length of the labels.

    Raises:
        ValueError: a row lacks a tensor, or has one of another size; there are no rows.
    """
    sizes = {column.name: column.embedding_size for column in features.columns if not column.forest_names}
    sizes = {name: size for name, size in sizes.items() if size}
    tensors = {
        keys.FOREST_FEATURES: tf.io.FixedLenFeature([len(features.forest_names)], tf.float32),
        keys.LABELS: tf.io.FixedLenFeature([objectives], tf.float32),
        keys.VIEWER_BUCKET: tf.io.FixedLenFeature([], tf.int64),
        **{name: tf.io.FixedLenFeature([size], tf.float32) for name, size in sizes.items()},
    }
    batches = [batch for file, every in files.items() for batch in parsed_batches([file], tensors, _BATCH_ROWS, every)]
    if not batches:
        raise ValueError(f"examples: {list(files)} hold no rows")
    return TransformedRows(
        _joined(batches, keys.FOREST_FEATURES),
        {name: _joined(batches, name) for name in sizes},
        Outcomes.of(_joined(batches, keys.LABELS), _joined(batches, keys.VIEWER_BUCKET)),
    )


def _joined(batches: Sequence[Mapping[str, npt.NDArray[Any]]], name: str) -> npt.NDArray[Any]:
    return np.concatenate([batch[name] for batch in batches])
