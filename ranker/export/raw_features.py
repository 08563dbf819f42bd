"""Raw feature columns, from serialised examples or dense tensors, as Transform's graph or a served model need them."""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import schema_utils

from ranker.config.columns import Features
from ranker.export.names import input_names
from ranker.features.exposure import exposure_values
from ranker.features.fingerprints import table_rows
from ranker.features.registry import feature_kinds
from ranker.features.tensors import as_parsed

Parsed = dict[str, Any]  # column → tf.Tensor or tf.SparseTensor


class RawFeatures:
    """The feature columns of a feed log.

    Args:
        features: the columns, by kind.
        schema: the feed log's schema; its keys and objectives are ignored, since requests need not have them.
        ids: the id columns of random effects, which requests may have. Some may be among the features.

    Attributes:
        features: the columns, by kind.
        input_names: feature column → its name in a signature.
        exposure_names: exposure column → its name in a signature.
        id_names: id column, of the features or of random effects → its name in a signature.
        effect_ids: the id columns of random effects, in the order of the config.
        key_names: column that histories compare candidates by, and that is no feature → its name in a signature.

    Raises:
        ValueError: the schema lacks a column, or two columns would have the same name in a signature.
    """

    def __init__(self, features: Features, schema: schema_pb2.Schema, ids: Sequence[str] = ()) -> None:
        spec = schema_utils.schema_as_feature_spec(schema).feature_spec
        if missing := sorted(set(features.names_read) - set(spec)):
            raise ValueError(f"schema: the feature columns {missing} are missing; it has {sorted(spec)}")
        self.features = features
        self._spec = {name: spec[name] for name in features.names_read}
        self._kinds = feature_kinds(features)
        self._exposure = features.exposure
        names = input_names(dict.fromkeys((*features.names, *features.exposure_names, *features.history_keys, *ids)))
        self.input_names = {column: names[column] for column in features.names}
        self.exposure_names = {column: names[column] for column in features.exposure_names}
        self.id_names = {column: names[column] for column in dict.fromkeys((*features.id_names, *ids))}
        self.effect_ids = tuple(ids)
        self.key_names = {column: names[column] for column in features.history_keys}

    def parse(self, examples: tf.Tensor) -> Parsed:
        """Serialised tf.Examples, string [batch]; features other than the model's own are ignored."""
        spec = {name: kind.parse_spec(self._spec[name]) for name, kind in self._kinds}
        compared = {name: tf.io.VarLenFeature(tf.string) for name in self.key_names}
        parsed = tf.io.parse_example(examples, {**spec, **compared})
        rows = tf.shape(examples, tf.int64)[0]
        return {name: kind.parsed(parsed[name], rows) for name, kind in self._kinds} | {
            name: _as_key(_one(parsed[name], rows, ""), self._spec[name]) for name in compared
        }

    def parse_joined(self, examples: tf.Tensor, further: Mapping[str, tf.DType]) -> Parsed:
        """The same in the form that `RequestColumns` reads, by one operation with `further` columns of these types."""
        spec = {name: kind.joined_spec(self._spec[name]) for name, kind in self._kinds}
        types = {**dict.fromkeys(self.key_names, tf.string), **further}
        optional = {name: tf.io.RaggedFeature(dtype, row_splits_dtype=tf.int64) for name, dtype in types.items()}
        return tf.io.parse_example(examples, {**spec, **optional})

    def tensor_specs(self) -> dict[str, tf.TensorSpec]:
        """Input name → spec of the dense tensor that `from_dense` takes; see the columns' kinds."""
        names = self.input_names
        return {names[column]: kind.tensor_spec(names[column]) for column, kind in self._kinds} | {
            name: tf.TensorSpec([None], tf.string, name=name) for name in self.key_names.values()
        }

    def tensor_defaults(self) -> dict[str, tf.Tensor]:
        """Input name → its value for all rows of a request without it, [1, …]; for those that no request has to have.

        These are histories, and the columns that candidates are compared by.
        """
        empty = {self.input_names[name]: kind.empty() for name, kind in self._kinds if kind.computed}
        return empty | dict.fromkeys(self.key_names.values(), tf.constant([""]))

    def from_dense(self, tensors: Mapping[str, tf.Tensor]) -> Parsed:
        """The same output as `parse` for the equivalent examples.

        Args:
            tensors: by input name, with the specs of `tensor_specs`.
        """
        names = self.input_names
        return {column: kind.from_dense(tensors[names[column]], self._spec[column]) for column, kind in self._kinds} | {
            column: _as_key(tensors[name][:, tf.newaxis], self._spec[column]) for column, name in self.key_names.items()
        }

    def parse_exposure(self, examples: tf.Tensor) -> list[tf.Tensor]:
        """The exposure columns of serialised tf.Examples, float32 or string [batch]; NaN and "" where missing."""
        specs = self.exposure_specs()
        spec = {column: tf.io.VarLenFeature(specs[name].dtype) for column, name in self.exposure_names.items()}
        parsed = tf.io.parse_example(examples, spec)
        rows = tf.shape(examples, tf.int64)[0]
        missing = {tf.string: "", tf.float32: float("nan")}
        return [_one(parsed[column], rows, missing[parsed[column].dtype])[:, 0] for column in self.exposure_names]

    def parse_ids(self, examples: tf.Tensor) -> list[tf.Tensor]:
        """The ids of random effects in serialised tf.Examples, string [batch]; "" where missing."""
        if not self.effect_ids:
            return []
        parsed = tf.io.parse_example(examples, {column: tf.io.VarLenFeature(tf.string) for column in self.effect_ids})
        rows = tf.shape(examples, tf.int64)[0]
        return [_one(parsed[column], rows, "")[:, 0] for column in self.effect_ids]

    def ids_of(self, tensors: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        """The ids of random effects among a request's tensors, in the order of the config."""
        return [tensors[self.id_names[column]] for column in self.effect_ids]

    def hashed_ids(self, tensors: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """`keys.HASHED_IDS` of a request's tensors; only where there are columns of ids among the features."""
        ids = tf.stack([tensors[self.id_names[column.name]] for column in self.features.ids], axis=1)
        return table_rows(ids, [column.buckets for column in self.features.ids])

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


def _one(column: tf.SparseTensor, rows: tf.Tensor, missing: Any) -> tf.Tensor:
    """[rows, 1], from a column with at most one value per row."""
    sparse = tf.SparseTensor(column.indices, column.values, tf.stack([rows, 1]))
    return tf.sparse.to_dense(sparse, default_value=missing)


def _as_key(values: tf.Tensor, spec: Any) -> Any:
    """Texts [batch, 1], "" where missing, in the form of the schema's parse spec."""
    return as_parsed(values, tf.not_equal(values, ""), spec)
