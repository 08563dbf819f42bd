"""Parses serialised tf.Examples of the feed log into the inputs of Transform's graph."""

from collections.abc import Collection
from typing import Any

import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import schema_utils

from ranker.features.tensors import Tensor


class RawExamples:
    """The columns of a schema with tensor representations.

    Args:
        schema: of the Examples.
        names: the columns to parse; None parses all.

    Raises:
        ValueError: the schema lacks one of the columns.
    """

    def __init__(self, schema: schema_pb2.Schema, names: Collection[str] | None = None) -> None:
        spec = schema_utils.schema_as_feature_spec(schema).feature_spec
        if missing := sorted(set(names or ()) - set(spec)):
            raise ValueError(f"schema: the columns {missing} are missing; it has {sorted(spec)}")
        self._spec = {name: one for name, one in spec.items() if names is None or name in names}
        # A fixed-length spec with a default fails for an empty list; such a column is read as sparse.
        self._filled = {name for name, one in self._spec.items() if getattr(one, "default_value", None) is not None}

    def type_specs(self) -> dict[str, tf.TypeSpec]:
        """Column → spec of its tensor."""
        return {name: _type_spec(one) for name, one in self._spec.items()}

    def parse(self, examples: tf.Tensor) -> dict[str, Tensor]:
        """Serialised Examples, string [batch] → tensors with the specs of `type_specs`."""
        readable = {
            name: tf.io.VarLenFeature(one.dtype) if name in self._filled else one for name, one in self._spec.items()
        }
        parsed = tf.io.parse_example(examples, readable)
        rows = tf.shape(examples, tf.int64)[0]
        return {
            name: self._fill(name, tensor, rows) if name in self._filled else tensor for name, tensor in parsed.items()
        }

    def _fill(self, name: str, tensor: tf.SparseTensor, rows: tf.Tensor) -> tf.Tensor:
        one = self._spec[name]
        default = tf.nest.flatten(one.default_value)[0]
        dense = tf.SparseTensor(tensor.indices, tensor.values, tf.stack([rows, *one.shape]))
        return tf.ensure_shape(tf.sparse.to_dense(dense, default_value=default), [None, *one.shape])


def _type_spec(one: Any) -> tf.TypeSpec:
    if isinstance(one, tf.io.VarLenFeature):
        return tf.SparseTensorSpec([None, None], one.dtype)
    return tf.TensorSpec([None, *one.shape], one.dtype)
