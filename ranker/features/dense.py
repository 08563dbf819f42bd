"""Dense embeddings: a fixed-size float vector per impression, such as an embedding of a text or an image."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.config.kinds.dense import DenseEmbedding
from ranker.features import arrow, drafting
from ranker.features.kind import FeatureKind, Transformed
from ranker.features.log_column import LogColumn
from ranker.features.tensors import Columns, Tensor, as_parsed
from ranker.features.vocabularies import Vocabularies


class DenseKind(FeatureKind[DenseEmbedding]):
    """The towers read the vector, and the forest its numbers if the config says so. It may not be missing."""

    name = "dense"
    accepted = "lists of numbers"
    schema_type = schema_pb2.FLOAT
    profiled_as = "numbers"
    reads = "dense"
    typical = "mean length"

    @property
    def log_column(self) -> LogColumn:
        """The column, with the size of the vector."""
        return LogColumn(self.column.name, self.name, self.column.size, self.column.column)

    @classmethod
    def accepts(cls, arrow_type: pa.DataType) -> bool:
        """Lists of numbers."""
        return arrow.is_list(arrow_type) and arrow.is_number(arrow_type.value_type)

    @classmethod
    def to_lists(cls, column: LogColumn, values: pa.Array) -> pa.ListArray:
        """Lists of float32.

        Raises:
            BadValueError: a vector is null or has another size, or a number is not a finite float32.
        """
        size = column.size
        arrow.check_all(arrow.valid(values), lambda row: f"null; every impression needs an embedding of {size} numbers")
        ends, flat = arrow.flat(values)
        sizes = np.diff(ends)
        arrow.check_all(sizes == size, lambda row: f"an embedding of {sizes[row]} numbers; the config says {size}")
        floats = arrow.floats(flat)
        finite = np.isfinite(floats).reshape(-1, size)

        def problem(row: int) -> str:
            at = int(np.argmin(finite[row]))
            value = arrow.shown(flat, row * size + at)
            return f"{value} at position {at}; an embedding's numbers must be finite float32"

        arrow.check_all(np.asarray(finite.all(axis=1)), problem)
        return arrow.lists(pa.array(floats), ends)

    @classmethod
    def draft(cls, column: LogColumn, seen: drafting.Seen) -> schema_pb2.Feature:
        """A vector in every Example."""
        return drafting.required(column, cls.schema_type)

    @classmethod
    def transform(cls, features: Sequence[DenseEmbedding], columns: Columns, vocabularies: Vocabularies) -> Transformed:
        """The vectors, unchanged."""
        dense = {
            feature.name: tf.ensure_shape(columns.dense(feature.name, 0.0, feature.size), [None, feature.size])
            for feature in features
        }
        forest = [dense[feature.name] for feature in features if feature.forest]
        return Transformed(forest=tf.concat(forest, axis=1) if forest else None, dense=dense)

    def joined_spec(self, spec: Any) -> Any:
        """The schema's: a vector has a fixed size, or its Examples hold all its numbers."""
        return spec

    def tensor_spec(self, name: str) -> tf.TensorSpec:
        """float32 [batch, size]."""
        return tf.TensorSpec([None, self.column.size], tf.float32, name=name)

    def from_dense(self, tensor: tf.Tensor, spec: Any) -> Tensor:
        """In the form of the schema's parse spec."""
        return as_parsed(tensor, tf.ones_like(tensor, tf.bool), spec)

    @classmethod
    def profiled(cls, values: npt.NDArray[Any], rows: int) -> npt.NDArray[Any]:
        """The L2 norm of each vector."""
        # The square of a float32 may be larger than any float32; so may a norm, which then counts as infinite.
        norms = np.linalg.norm(values.reshape(rows, -1).astype(np.float64), axis=1) if len(values) else values
        with np.errstate(over="ignore"):
            return norms.astype(np.float32)
