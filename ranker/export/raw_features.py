"""Raw feature columns, as serialised examples or as dense tensors, in the form that the Transform graph reads."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import schema_utils

from ranker.config.columns import Features
from ranker.export.names import input_names

Parsed = dict[str, Any]  # column → tf.Tensor or tf.SparseTensor


class RawFeatures:
    """The feature columns of a feed log.

    Args:
        features: the columns, by kind.
        schema: the feed log's schema; keys and objectives in it are left out, since serving has none.

    Attributes:
        input_names: column → its name in a signature.

    Raises:
        ValueError: a column that the schema does not have, or two whose names a signature cannot tell apart.
    """

    def __init__(self, features: Features, schema: schema_pb2.Schema) -> None:
        spec = schema_utils.schema_as_feature_spec(schema).feature_spec
        if missing := sorted(set(features.names) - set(spec)):
            raise ValueError(f"schema: it lacks the feature columns {missing}; it has {sorted(spec)}")
        self._spec = {name: spec[name] for name in features.names}
        self._features = features
        self.input_names = input_names(features.names)

    def parse(self, examples: tf.Tensor) -> Parsed:
        """Serialised tf.Examples, string [batch]; features other than the model's own are ignored.

        A numeric column is missing from an example that lacks it, and from one that holds it without a value.
        """
        # A fixed length's default would serve the first kind of gap and fail at the second.
        numeric = {name: tf.io.VarLenFeature(tf.float32) for name in self._features.numeric}
        parsed = tf.io.parse_example(examples, self._spec | numeric)
        shape = tf.stack([tf.shape(examples, tf.int64)[0], 1])
        for name in numeric:
            column = tf.SparseTensor(parsed[name].indices, parsed[name].values, shape)
            parsed[name] = tf.sparse.to_dense(column, default_value=float("nan"))
        return parsed

    def tensor_specs(self) -> dict[str, tf.TensorSpec]:
        """Input name → spec of the dense tensors that `from_dense` takes."""
        features, names = self._features, self.input_names
        specs = {column: tf.TensorSpec([None], tf.float32, name=names[column]) for column in features.numeric}
        for categorical in features.categorical:
            specs[categorical.name] = tf.TensorSpec([None], tf.string, name=names[categorical.name])
        for multi_valued in features.multi_valued:
            specs[multi_valued.name] = tf.TensorSpec([None, None], tf.string, name=names[multi_valued.name])
        for dense in features.dense:
            specs[dense.name] = tf.TensorSpec([None, dense.size], tf.float32, name=names[dense.name])
        return {names[column]: spec for column, spec in specs.items()}

    def from_dense(self, tensors: Mapping[str, tf.Tensor]) -> Parsed:
        """The same rows as `parse` would give for the equivalent examples.

        Args:
            tensors: by input name: a numeric column float32 [batch] with NaN where missing, a categorical one string
                [batch] with "" where missing, a multi-valued one string [batch, k] with "" as padding, a dense
                embedding float32 [batch, size].
        """
        features = self._features
        present = {}
        for categorical in features.categorical:
            values = tensors[self.input_names[categorical.name]][:, tf.newaxis]
            present[categorical.name] = (values, tf.not_equal(values, ""))
        for multi_valued in features.multi_valued:
            values = tensors[self.input_names[multi_valued.name]]
            present[multi_valued.name] = (values, tf.not_equal(values, ""))
        for dense in features.dense:
            values = tensors[self.input_names[dense.name]]
            present[dense.name] = (values, tf.ones_like(values, tf.bool))
        numeric = {name: tensors[self.input_names[name]][:, tf.newaxis] for name in features.numeric}
        return numeric | {name: self._as_parsed(name, *pair) for name, pair in present.items()}

    def _as_parsed(self, column: str, values: tf.Tensor, present: tf.Tensor) -> Any:
        spec = self._spec[column]
        if isinstance(spec, tf.io.FixedLenFeature):
            return tf.reshape(values, [-1, *spec.shape])
        if values.shape[1] == 1:
            where = tf.where(present)
            shape = tf.stack([tf.shape(values, tf.int64)[0], tf.cast(tf.reduce_any(present), tf.int64)])
            return tf.SparseTensor(where, tf.gather_nd(values, where), shape)
        # Values move up to close the gaps that padding may leave between them.
        return tf.ragged.boolean_mask(values, present).to_sparse()
