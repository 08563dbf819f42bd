"""Categorical columns: at most one string or integer per impression."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.types as pt
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.config.kinds.categorical import Categorical
from ranker.features import arrow, drafting
from ranker.features.kind import FeatureKind, Transformed
from ranker.features.log_column import LogColumn
from ranker.features.tensors import Columns, Tensor, as_parsed
from ranker.features.vocabularies import NO_RANK, Vocabularies


class CategoricalKind(FeatureKind[Categorical]):
    """The forest reads the value's rank by frequency, the towers embed it. Null and "" are missing."""

    name = "categorical"
    accepted = "string, binary, integers, bool, and floats and decimals with whole numbers, dictionary-encoded or not"
    schema_type = schema_pb2.BYTES
    profiled_as = "categories"
    reads = "texts"

    @classmethod
    def accepts(cls, arrow_type: pa.DataType) -> bool:
        """Categories, or the null type of a column without a single value."""
        return arrow.is_category(arrow_type) or pt.is_null(arrow_type)

    @classmethod
    def to_lists(cls, column: LogColumn, values: pa.Array) -> pa.ListArray:
        """Lists of bytes; whole numbers become decimal strings, booleans "0" and "1".

        Raises:
            BadValueError: a number is not whole.
        """
        present, strings = arrow.strings(values)
        return arrow.singles(strings, present)

    @classmethod
    def draft(cls, column: LogColumn, seen: drafting.Seen) -> schema_pb2.Feature:
        """An optional string."""
        feature = drafting.optional_strings(column, seen)
        feature.value_count.max = 1
        return feature

    @classmethod
    def transform(cls, features: Sequence[Categorical], columns: Columns, vocabularies: Vocabularies) -> Transformed:
        """The values' ranks; all values outside a column's vocabulary share one code after the last rank."""
        names = [feature.name for feature in features]
        values = columns.texts(names)
        ranks = vocabularies.ranks(values, names)
        known = tf.where(ranks == NO_RANK, vocabularies.rest(names), ranks)
        missing = tf.equal(values, "")
        codes = tf.where(missing, tf.constant([feature.missing_code for feature in features], tf.int64), known)
        forest = tf.where(missing, tf.constant(float("nan")), tf.cast(known, tf.float32))
        shape = [None, len(names)]
        return Transformed(forest=tf.ensure_shape(forest, shape), codes=tf.ensure_shape(codes, shape))

    def tensor_spec(self, name: str) -> tf.TensorSpec:
        """string [batch], "" where missing."""
        return tf.TensorSpec([None], tf.string, name=name)

    def from_dense(self, tensor: tf.Tensor, spec: Any) -> Tensor:
        """Sparse, without ""."""
        values = tensor[:, tf.newaxis]
        return as_parsed(values, tf.not_equal(values, ""), spec)
