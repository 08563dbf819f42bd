"""Multi-valued columns: a list of strings or integers per impression."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.config.kinds.multi_valued import MultiValued
from ranker.features import arrow, drafting
from ranker.features.kind import FeatureKind, Transformed
from ranker.features.log_column import LogColumn
from ranker.features.tensors import Columns, Tensor, as_parsed
from ranker.features.vocabularies import NO_RANK, Vocabularies


class MultiValuedKind(FeatureKind[MultiValued]):
    """The forest reads the number of values, and one 0/1 input per value of the vocabulary. Null and "" are ignored."""

    name = "multi_valued"
    accepted = "lists of strings, of binary, of integers, of bool, or of floats or decimals with whole numbers"
    schema_type = schema_pb2.BYTES
    profiled_as = "categories"
    reads = "lists"

    @classmethod
    def accepts(cls, arrow_type: pa.DataType) -> bool:
        """Lists of categories, or the null type of a column without a list or value."""
        if not arrow.is_list(arrow_type):
            return pt.is_null(arrow_type)
        return arrow.is_category(arrow_type.value_type) or pt.is_null(arrow_type.value_type)

    @classmethod
    def to_lists(cls, column: LogColumn, values: pa.Array) -> pa.ListArray:
        """Lists of bytes; whole numbers become decimal strings, booleans "0" and "1".

        Raises:
            BadValueError: a number is not whole.
        """
        if pt.is_null(values.type):
            values = values.cast(pa.list_(pa.null()))
        ends, flat = arrow.flat(values)
        try:
            present, strings = arrow.strings(flat.dictionary_decode() if pt.is_dictionary(flat.type) else flat)
        except arrow.BadValueError as error:
            row = int(np.searchsorted(ends, error.row, side="right")) - 1
            raise arrow.BadValueError(row, error.problem) from None
        return arrow.lists(strings, np.concatenate([[0], np.cumsum(present)])[ends])

    @classmethod
    def draft(cls, column: LogColumn, seen: drafting.Seen) -> schema_pb2.Feature:
        """Optional strings."""
        return drafting.optional_strings(column, seen)

    @classmethod
    def transform(cls, features: Sequence[MultiValued], columns: Columns, vocabularies: Vocabularies) -> Transformed:
        """For each column the number of values of the row, and one 0/1 input per value of the vocabulary."""
        names = [feature.name for feature in features]
        widths = [len(feature.forest_names) for feature in features]
        first = np.cumsum([0, *widths[:-1]])
        rows, owners, values = columns.lists(names)
        ranks = vocabularies.ranks(values, names, owners)
        counts = tf.gather(tf.constant(first, tf.int64), owners)
        hot = counts + 1 + tf.maximum(ranks, 0)
        at = tf.stack([tf.concat([rows, rows], 0), tf.concat([counts, hot], 0)], axis=1)
        added = tf.cast(tf.concat([tf.not_equal(values, ""), ranks != NO_RANK], 0), tf.float32)
        sums = tf.scatter_nd(at, added, tf.stack([columns.rows(), tf.constant(sum(widths), tf.int64)]))
        # A column's first input is the sum over the row's values; in the others a value counts once.
        limits = np.ones(sum(widths), np.float32)
        limits[first] = np.inf
        return Transformed(forest=tf.ensure_shape(tf.minimum(sums, limits), [None, sum(widths)]))

    def tensor_spec(self, name: str) -> tf.TensorSpec:
        """string [batch, values], padded with ""."""
        return tf.TensorSpec([None, None], tf.string, name=name)

    def from_dense(self, tensor: tf.Tensor, spec: Any) -> Tensor:
        """Sparse, without ""."""
        return as_parsed(tensor, tf.not_equal(tensor, ""), spec)
