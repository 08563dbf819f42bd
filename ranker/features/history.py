"""Histories of values: what the viewer did on earlier impressions of the candidate's author, topic, …"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pt
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.config.kinds.history import History
from ranker.features import arrow, drafting
from ranker.features.hashing import Ints, hashes_of
from ranker.features.history_items import ACTION_BITS, did, hash_of_item, value_hashes
from ranker.features.kind import Transformed
from ranker.features.log_column import LogColumn
from ranker.features.tensors import Columns, Tensor, as_parsed
from ranker.features.viewer_history import DayHistory, Kept, ViewerHistoryKind
from ranker.features.vocabularies import Vocabularies

PRIOR = 5.0
"""Impressions at the viewer's usual rate that are added to those with the candidate's value."""


class HistoryKind(ViewerHistoryKind[History]):
    """Items of `ranker.features.history_items`, newest first. Forest and towers read numbers computed from them.

    Of a list that is longer than the history, only the newest items count: a log or a request may hold more.
    """

    name = "history"
    accepted = "lists of integers"
    schema_type = schema_pb2.INT
    typical = "mean number of actions"
    reads = "items"

    @classmethod
    def accepts(cls, arrow_type: pa.DataType) -> bool:
        """Lists of integers, or the null type of a column without a list or item."""
        if not arrow.is_list(arrow_type):
            return pt.is_null(arrow_type)
        return pt.is_integer(arrow_type.value_type) or pt.is_null(arrow_type.value_type)

    @classmethod
    def to_lists(cls, column: LogColumn, values: pa.Array) -> pa.ListArray:
        """Lists of int64.

        Raises:
            BadValueError: an item is null or negative.
        """
        if pt.is_null(values.type):
            values = values.cast(pa.list_(pa.int64()))
        ends, flat = arrow.flat(values)
        items = flat.cast(pa.int64()).fill_null(-1)
        wrong = np.flatnonzero(items.to_numpy(zero_copy_only=False) < 0)
        if len(wrong):
            row = int(np.searchsorted(ends, wrong[0], side="right")) - 1
            shown = arrow.shown(flat, int(wrong[0]))
            raise arrow.BadValueError(row, f"{shown}; an item of a history is a positive int64")
        return arrow.lists(items, ends)

    @classmethod
    def draft(cls, column: LogColumn, seen: drafting.Seen) -> schema_pb2.Feature:
        """Optional items; on the first days of a log no viewer has any."""
        feature = schema_pb2.Feature(name=column.name, type=cls.schema_type)
        feature.value_count.min = 1
        return feature

    def kept(self, values: pa.ListArray) -> Kept:
        """A hash of the value; an impression without one is left out."""
        value = hashes_of(values)
        return Kept(value, np.zeros((len(value), 0), np.int8), value != 0)

    def column_of(self, stored: DayHistory, viewers: Ints) -> pa.ListArray:
        """The items of each viewer, newest first."""
        first, counts = stored.ranges(viewers)
        ends = np.concatenate([[0], np.cumsum(counts)])
        newest = np.repeat(first + counts - 1, counts)
        age = np.arange(ends[-1]) - np.repeat(ends[:-1], counts)
        return arrow.lists(pa.array(stored.items[newest - age], pa.int64()), ends)

    @classmethod
    def transform(cls, features: Sequence[History], columns: Columns, vocabularies: Vocabularies) -> Transformed:
        """The numbers of `History.forest_names`, 0 for a viewer without a history."""
        numbers = {feature.name: _numbers(feature, columns) for feature in features}
        return Transformed(forest=tf.concat(list(numbers.values()), axis=1), dense=numbers)

    def tensor_spec(self, name: str) -> tf.TensorSpec:
        """int64 [batch, items], padded with 0."""
        return tf.TensorSpec([None, None], tf.int64, name=name)

    def empty(self) -> tf.Tensor:
        """int64 [1, 1], only padding."""
        return tf.zeros([1, 1], tf.int64)

    def from_dense(self, tensor: tf.Tensor, spec: Any) -> Tensor:
        """Sparse, without 0."""
        return as_parsed(tensor, tf.not_equal(tensor, 0), spec)

    @classmethod
    def profiled(cls, values: npt.NDArray[Any], rows: int) -> npt.NDArray[Any]:
        """The number of actions of each item."""
        return sum(((values >> bit) & 1 for bit in range(ACTION_BITS)), np.zeros_like(values)).astype(np.float32)


def _numbers(feature: History, columns: Columns) -> tf.Tensor:
    items = columns.items(feature.name)[:, : feature.length]
    there = tf.not_equal(items, 0)
    same = there & tf.equal(hash_of_item(items), value_hashes(columns.key(feature.of)))
    happened = did(items, len(feature.actions))
    impressions, alike = _count(there)[:, tf.newaxis], _count(same)[:, tf.newaxis]
    rates = _count(happened) / tf.maximum(impressions, 1.0)
    gains = (_count(happened & same[:, :, tf.newaxis]) - alike * rates) / (alike + PRIOR)
    by_action = tf.reshape(tf.stack([rates, gains], axis=2), [-1, 2 * len(feature.actions)])
    return tf.ensure_shape(tf.concat([impressions, alike, by_action], axis=1), [None, len(feature.forest_names)])


def _count(flags: tf.Tensor) -> tf.Tensor:
    """The number of items with a flag, float32 [batch, …]."""
    return tf.reduce_sum(tf.cast(flags, tf.float32), axis=1)
