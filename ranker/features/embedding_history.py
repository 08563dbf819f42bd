"""Histories of embeddings: how similar the candidate is to what the viewer was shown, and to what the viewer liked."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.config.kinds.embedding_history import EmbeddingHistory
from ranker.features import arrow, drafting
from ranker.features.dense import DenseKind
from ranker.features.hashing import Ints
from ranker.features.history import PRIOR
from ranker.features.kind import Transformed
from ranker.features.log_column import LogColumn
from ranker.features.tensors import Columns, Tensor, as_parsed
from ranker.features.viewer_history import DayHistory, Kept, ViewerHistoryKind
from ranker.features.vocabularies import Vocabularies

_LENGTH = 127
"""The length of a kept embedding, in int8."""


class EmbeddingHistoryKind(ViewerHistoryKind[EmbeddingHistory]):
    """For all impressions, and for those with each action: how many, and the mean of their embeddings of length 1.

    Forest and towers read numbers computed from them.
    """

    name = "embedding history"
    accepted = "lists of numbers"
    schema_type = schema_pb2.FLOAT
    typical = "mean number of impressions"
    reads = "dense"

    @property
    def log_column(self) -> LogColumn:
        """The column, with its number of numbers."""
        return LogColumn(self.column.name, self.name, self.column.log_size, self.column.column)

    @classmethod
    def accepts(cls, arrow_type: pa.DataType) -> bool:
        """Lists of numbers, or the null type of a column without a list."""
        return DenseKind.accepts(arrow_type) or pt.is_null(arrow_type)

    @classmethod
    def to_lists(cls, column: LogColumn, values: pa.Array) -> pa.ListArray:
        """Lists of float32, null for a viewer without a history.

        Raises:
            BadValueError: a list has another size, or a number is not a finite float32.
        """
        if pt.is_null(values.type):
            values = values.cast(pa.list_(pa.float32()))
        there = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False) > 0
        try:
            vectors = DenseKind.to_lists(column, values.filter(pa.array(there)))
        except arrow.BadValueError as error:
            raise arrow.BadValueError(int(np.flatnonzero(there)[error.row]), error.problem) from None
        return arrow.lists(vectors.flatten(), np.concatenate([[0], np.cumsum(there * column.size)]))

    @classmethod
    def draft(cls, column: LogColumn, seen: drafting.Seen) -> schema_pb2.Feature:
        """Optional numbers; on the first days of a log no viewer has any."""
        feature = schema_pb2.Feature(name=column.name, type=cls.schema_type)
        feature.value_count.min = feature.value_count.max = column.size
        return feature

    def kept(self, values: pa.ListArray) -> Kept:
        """The embedding, of one length for all."""
        embeddings = values.flatten().to_numpy(zero_copy_only=False).reshape(-1, self.column.size)
        length = np.linalg.norm(embeddings.astype(np.float64), axis=1, keepdims=True)
        vector = np.rint(_LENGTH * embeddings / np.where(length > 0, length, 1)).astype(np.int8)
        return Kept(np.zeros(len(values), np.int64), vector, np.ones(len(values), bool))

    def column_of(self, stored: DayHistory, viewers: Ints) -> pa.ListArray:
        """For all impressions and those with each action: their number and mean embedding."""
        distinct, row = np.unique(viewers, return_inverse=True)
        first, counts = stored.ranges(distinct)
        ends = np.concatenate([[0], np.cumsum(counts)])
        at = np.repeat(first - ends[:-1], counts) + np.arange(ends[-1])
        items, vectors = stored.items[at], stored.vectors[at] / np.float32(_LENGTH)
        owner = np.repeat(np.arange(len(distinct)), counts)
        flags = [np.ones(len(at), bool), *((items >> bit & 1) == 1 for bit in range(len(self.column.actions)))]
        parts = np.zeros((len(distinct), len(flags), 1 + self.column.size), np.float32)
        for part, flag in enumerate(flags):
            having = np.bincount(owner[flag], minlength=len(distinct))
            has = having > 0
            parts[:, part, 0] = having
            if has.any():
                starts = (np.cumsum(having) - having)[has]
                parts[has, part, 1:] = np.add.reduceat(vectors[flag], starts, axis=0) / having[has, np.newaxis]
        known = counts[row] > 0
        return arrow.lists(
            pa.array(parts[row[known]].reshape(-1)), np.concatenate([[0], np.cumsum(known * self.column.log_size)])
        )

    @classmethod
    def transform(
        cls, features: Sequence[EmbeddingHistory], columns: Columns, vocabularies: Vocabularies
    ) -> Transformed:
        """The numbers of `EmbeddingHistory.forest_names`, 0 for a viewer without a history."""
        numbers = {feature.name: _numbers(feature, columns) for feature in features}
        return Transformed(forest=tf.concat(list(numbers.values()), axis=1), dense=numbers)

    def joined_spec(self, spec: Any) -> Any:
        """Ragged, as a request may not have it."""
        return tf.io.RaggedFeature(tf.float32, row_splits_dtype=tf.int64)

    def tensor_spec(self, name: str) -> tf.TensorSpec:
        """float32 [batch, numbers]; 0 for a viewer without a history."""
        return tf.TensorSpec([None, self.column.log_size], tf.float32, name=name)

    def empty(self) -> tf.Tensor:
        """float32 [1, numbers], all 0."""
        return tf.zeros([1, self.column.log_size])

    def from_dense(self, tensor: tf.Tensor, spec: Any) -> Tensor:
        """In the form of the schema's parse spec."""
        return as_parsed(tensor, tf.ones_like(tensor, tf.bool), spec)

    @classmethod
    def profiled(cls, values: npt.NDArray[Any], rows: int) -> npt.NDArray[Any]:
        """The number of impressions of each viewer that has any."""
        return values.reshape(rows, -1)[:, 0] if len(values) else values


def _numbers(feature: EmbeddingHistory, columns: Columns) -> tf.Tensor:
    parts = tf.reshape(
        columns.dense(feature.name, 0.0, feature.log_size), [-1, 1 + len(feature.actions), 1 + feature.size]
    )
    counts, means = parts[:, :, 0], parts[:, :, 1:]
    candidate = tf.math.l2_normalize(columns.dense(feature.of, 0.0, feature.size), axis=1)
    similarity = tf.reduce_sum(means * candidate[:, tf.newaxis], axis=2)
    of_all, of_action = similarity[:, :1], counts[:, 1:]
    gains = of_action / (of_action + PRIOR) * (similarity[:, 1:] - of_all)
    return tf.ensure_shape(tf.concat([counts[:, :1], of_all, gains], axis=1), [None, len(feature.forest_names)])
