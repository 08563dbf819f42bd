"""Columns of ids that the towers learn a vector of each: viewers, items, authors and the like."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.config.kinds.hashed_id import HashedId
from ranker.features import drafting
from ranker.features.fingerprints import table_rows
from ranker.features.keys_and_labels import OptionalIdKind
from ranker.features.kind import FeatureKind, Transformed
from ranker.features.log_column import LogColumn
from ranker.features.tensors import Columns, Tensor, as_parsed
from ranker.features.vocabularies import Vocabularies

_PRESENT = b"known"


class HashedIdKind(FeatureKind[HashedId]):
    """The towers read the id by its rows in two tables; the forest reads nothing. Null and "" are missing."""

    name = "hashed_id"
    accepted = OptionalIdKind.accepted
    schema_type = schema_pb2.BYTES
    profiled_as = "categories"
    reads = "texts"
    is_key = True

    @classmethod
    def accepts(cls, arrow_type: pa.DataType) -> bool:
        """As `OptionalIdKind`."""
        return OptionalIdKind.accepts(arrow_type)

    @classmethod
    def to_lists(cls, column: LogColumn, values: pa.Array) -> pa.ListArray:
        """As `OptionalIdKind`."""
        return OptionalIdKind.to_lists(column, values)

    @classmethod
    def draft(cls, column: LogColumn, seen: drafting.Seen) -> schema_pb2.Feature:
        """At most one string."""
        return drafting.key(column, cls.schema_type)

    @classmethod
    def transform(cls, features: Sequence[HashedId], columns: Columns, vocabularies: Vocabularies) -> Transformed:
        """The ids' rows in their tables."""
        ids = columns.texts([feature.name for feature in features])
        return Transformed(ids=table_rows(ids, [feature.buckets for feature in features]))

    def tensor_spec(self, name: str) -> tf.TensorSpec:
        """string [batch], "" where missing."""
        return tf.TensorSpec([None], tf.string, name=name)

    def from_dense(self, tensor: tf.Tensor, spec: Any) -> Tensor:
        """Sparse, without ""."""
        values = tensor[:, tf.newaxis]
        return as_parsed(values, tf.not_equal(values, ""), spec)

    def joined_spec(self, spec: Any) -> Any:
        """Ragged also where the schema requires it, as a key of every logged impression: a request may lack it."""
        return tf.io.RaggedFeature(tf.string, row_splits_dtype=tf.int64)

    @classmethod
    def profiled(cls, values: npt.NDArray[Any], rows: int) -> npt.NDArray[Any]:
        """The same value for every id: whether there is one may drift, which ids there are does not matter."""
        return np.full(rows, _PRESENT, object)
