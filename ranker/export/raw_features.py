"""Raw feature columns, from serialised examples or dense tensors, as Transform's graph or a served model need them."""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import schema_utils

from ranker.config.columns import Features
from ranker.export.names import input_names
from ranker.features.exposure import exposure_values
from ranker.features.registry import feature_kinds

Parsed = dict[str, Any]  # column → tf.Tensor or tf.SparseTensor


class RawFeatures:
    """The feature columns of a feed log.

    Args:
        features: the columns, by kind.
        schema: the feed log's schema; its keys and objectives are ignored, since requests need not have them.
        ids: the id columns of random effects, which requests may have.

    Attributes:
        features: the columns, by kind.
        input_names: feature column → its name in a signature.
        exposure_names: exposure column → its name in a signature.
        id_names: id column → its name in a signature.

    Raises:
        ValueError: the schema lacks a column, or two columns would have the same name in a signature.
    """

    def __init__(self, features: Features, schema: schema_pb2.Schema, ids: Sequence[str] = ()) -> None:
        spec = schema_utils.schema_as_feature_spec(schema).feature_spec
        if missing := sorted(set(features.names) - set(spec)):
            raise ValueError(f"schema: the feature columns {missing} are missing; it has {sorted(spec)}")
        self.features = features
        self._spec = {name: spec[name] for name in features.names}
        self._kinds = feature_kinds(features)
        self._exposure = features.exposure
        names = input_names((*features.names, *features.exposure_names, *ids))
        self.input_names = {column: names[column] for column in features.names}
        self.exposure_names = {column: names[column] for column in features.exposure_names}
        self.id_names = {column: names[column] for column in ids}

    def parse(self, examples: tf.Tensor) -> Parsed:
        """Serialised tf.Examples, string [batch]; features other than the model's own are ignored."""
        parsed = tf.io.parse_example(examples, {name: kind.parse_spec(self._spec[name]) for name, kind in self._kinds})
        rows = tf.shape(examples, tf.int64)[0]
        return {name: kind.parsed(parsed[name], rows) for name, kind in self._kinds}

    def parse_joined(self, examples: tf.Tensor, further: Mapping[str, tf.DType]) -> Parsed:
        """The same in the form that `RequestColumns` reads, by one operation with `further` columns of these types."""
        spec = {name: kind.joined_spec(self._spec[name]) for name, kind in self._kinds}
        optional = {name: tf.io.RaggedFeature(dtype, row_splits_dtype=tf.int64) for name, dtype in further.items()}
        return tf.io.parse_example(examples, {**spec, **optional})

    def tensor_specs(self) -> dict[str, tf.TensorSpec]:
        """Input name → spec of the dense tensor that `from_dense` takes; see the columns' kinds."""
        names = self.input_names
        return {names[column]: kind.tensor_spec(names[column]) for column, kind in self._kinds}

    def from_dense(self, tensors: Mapping[str, tf.Tensor]) -> Parsed:
        """The same output as `parse` for the equivalent examples.

        Args:
            tensors: by input name, with the specs of `tensor_specs`.
        """
        names = self.input_names
        return {column: kind.from_dense(tensors[names[column]], self._spec[column]) for column, kind in self._kinds}

    def parse_exposure(self, examples: tf.Tensor) -> list[tf.Tensor]:
        """The exposure columns of serialised tf.Examples, float32 or string [batch]; NaN and "" where missing."""
        specs = self.exposure_specs()
        spec = {column: tf.io.VarLenFeature(specs[name].dtype) for column, name in self.exposure_names.items()}
        parsed = tf.io.parse_example(examples, spec)
        shape = tf.stack([tf.shape(examples, tf.int64)[0], 1])
        found = []
        for column in self.exposure_names:
            sparse = tf.SparseTensor(parsed[column].indices, parsed[column].values, shape)
            missing = "" if sparse.dtype == tf.string else float("nan")
            found.append(tf.sparse.to_dense(sparse, default_value=missing)[:, 0])
        return found

    def parse_ids(self, examples: tf.Tensor) -> list[tf.Tensor]:
        """The id columns of serialised tf.Examples, string [batch]; "" where missing."""
        if not self.id_names:
            return []
        parsed = tf.io.parse_example(examples, {column: tf.io.VarLenFeature(tf.string) for column in self.id_names})
        shape = tf.stack([tf.shape(examples, tf.int64)[0], 1])
        found = (tf.SparseTensor(parsed[column].indices, parsed[column].values, shape) for column in self.id_names)
        return [tf.sparse.to_dense(sparse, default_value="")[:, 0] for sparse in found]

    def ids_of(self, tensors: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        """The id columns of a request's tensors, in the order of the config."""
        return [tensors[name] for name in self.id_names.values()]

    def id_specs(self) -> dict[str, tf.TensorSpec]:
        """Input name → spec of an id column's tensor, string [batch], "" where missing; no signature requires it."""
        return {name: tf.TensorSpec([None], tf.string, name=name) for name in self.id_names.values()}

    def exposure_of(self, tensors: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        """The exposure columns of a request's tensors, in the order of the config."""
        return [tensors[name] for name in self.exposure_names.values()]

    def exposure_values(self, columns: Sequence[tf.Tensor]) -> tf.Tensor:
        """What the examination model reads of the exposure columns, float32 [batch, columns]."""
        return exposure_values(self._exposure, columns)

    def exposure_specs(self) -> dict[str, tf.TensorSpec]:
        """Input name → spec of an exposure column's tensor, float32 or string [batch]; no signature requires it."""
        return {
            self.exposure_names[one.name]: tf.TensorSpec(
                [None], tf.string if isinstance(one.default, str) else tf.float32, name=self.exposure_names[one.name]
            )
            for one in self._exposure
        }

    def exposure_types(self) -> dict[str, tf.DType]:
        """Exposure column → type of its values, in the order of the config."""
        specs = self.exposure_specs()
        return {column: specs[name].dtype for column, name in self.exposure_names.items()}

    def exposure_defaults(self) -> dict[str, float | str]:
        """Input name → the value of all rows of a request without it."""
        return {self.exposure_names[one.name]: one.default for one in self._exposure}
