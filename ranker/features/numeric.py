"""Numeric columns: at most one number per impression."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.config.kinds.numeric import Numeric
from ranker.features import arrow, drafting
from ranker.features.kind import FeatureKind, Transformed
from ranker.features.log_column import LogColumn
from ranker.features.tensors import Columns, Tensor
from ranker.features.vocabularies import Vocabularies

_MISSING = float("nan")


class NumericKind(FeatureKind[Numeric]):
    """The forest reads the number, the towers read it standardised. NaN and null are missing."""

    name = "numeric"
    accepted = "bool, integers, floats and decimals"
    schema_type = schema_pb2.FLOAT
    profiled_as = "numbers"
    reads = "numbers"

    @classmethod
    def accepts(cls, arrow_type: pa.DataType) -> bool:
        """Numbers, or the null type of a column without a single value."""
        return arrow.is_number(arrow_type) or pt.is_null(arrow_type)

    @classmethod
    def to_lists(cls, column: LogColumn, values: pa.Array) -> pa.ListArray:
        """Lists of float32."""
        floats = arrow.floats(values)
        present = ~np.isnan(floats)
        return arrow.singles(pa.array(floats[present]), present)

    @classmethod
    def draft(cls, column: LogColumn, seen: drafting.Seen) -> schema_pb2.Feature:
        """An optional number."""
        feature = drafting.optional(column, seen, cls.schema_type)
        feature.value_count.max = 1
        if seen.varies:
            feature.drift_comparator.jensen_shannon_divergence.threshold = drafting.MIN_DRIFT_THRESHOLD
        return feature

    @classmethod
    def represent(cls, feature: schema_pb2.Feature, representation: schema_pb2.TensorRepresentation) -> None:
        """Dense, NaN if missing.

        There are many numeric columns, and each sparse column adds three placeholders and a conversion to Transform's
        graph. With dense columns, Transform takes three quarters of the time.
        """
        representation.dense_tensor.column_name = feature.name
        representation.dense_tensor.shape.dim.add(size=1)
        representation.dense_tensor.default_value.float_value = _MISSING

    @classmethod
    def transform(cls, features: Sequence[Numeric], columns: Columns, vocabularies: Vocabularies) -> Transformed:
        """The numbers themselves, for forest and towers."""
        numbers = columns.numbers([feature.name for feature in features])
        return Transformed(forest=numbers, numbers=numbers)

    def tensor_spec(self, name: str) -> tf.TensorSpec:
        """float32 [batch], NaN if missing."""
        return tf.TensorSpec([None], tf.float32, name=name)

    def from_dense(self, tensor: tf.Tensor, spec: Any) -> Tensor:
        """[batch, 1], NaN if missing."""
        return tensor[:, tf.newaxis]

    def parse_spec(self, spec: Any) -> Any:
        """Sparse: a fixed-length spec has a default for an Example without the feature, but fails for an empty list."""
        return tf.io.VarLenFeature(tf.float32)

    def parsed(self, tensor: Tensor, rows: tf.Tensor) -> Tensor:
        """[batch, 1], NaN for an Example without the feature or with an empty list."""
        column = tf.SparseTensor(tensor.indices, tensor.values, tf.stack([rows, 1]))
        return tf.sparse.to_dense(column, default_value=_MISSING)
