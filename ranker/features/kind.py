"""The interface of a kind of column; every kind implements it in its own file.

A kind defines everything that depends on the kind of a column, from the Parquet file to the monitor's page. The other
modules iterate over the columns and call each column's kind. `ranker.features.registry` lists the kinds.

Class methods handle a column of the feed log, which is described by a `LogColumn`; columns that are no features have
only these.
An instance is one feature of a model, described by its part of the config.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Literal, TypeVar

import numpy.typing as npt
import pyarrow as pa
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.config.kinds.column import FeatureColumn
from ranker.features import arrow
from ranker.features.drafting import Seen, key
from ranker.features.log_column import LogColumn
from ranker.features.tensors import Columns, Tensor
from ranker.features.vocabularies import Vocabularies

C = TypeVar("C", bound=FeatureColumn)


class ColumnKind(ABC):
    """A kind of column of the feed log.

    Attributes:
        name: its name in components' parameters, error messages and the monitor's files.
        accepted: description of the Arrow types that `accepts` allows.
        schema_type: the type of its values in a tf.Example.
        is_key: whether it identifies an entity or an impression, or says how it was drawn; no statistics are computed
            for such a column, and no request to a model needs one.
        computed: whether it is computed from earlier days of the feed log where a file does not have it. A request or
            table may lack it too; its values are then empty.
        is_stored: whether the log has the column; another one is computed when rows are read.
    """

    name: ClassVar[str]
    accepted: ClassVar[str]
    schema_type: ClassVar["schema_pb2.FeatureType"]
    is_key: ClassVar[bool] = False
    computed: ClassVar[bool] = False
    is_stored: ClassVar[bool] = True

    @classmethod
    @abstractmethod
    def accepts(cls, arrow_type: pa.DataType) -> bool:
        """Whether the column may have this Arrow type in a Parquet file."""

    @classmethod
    @abstractmethod
    def to_lists(cls, column: LogColumn, values: pa.Array) -> pa.ListArray:
        """The column as lists, one per row, null for a row without a value.

        Args:
            column: the column.
            values: [rows], of a type that the kind accepts, not dictionary-encoded.

        Returns:
            [rows] lists of float32, int64 or binary, depending on `schema_type`.

        Raises:
            BadValueError: a value is not allowed in the column.
        """

    @classmethod
    @abstractmethod
    def draft(cls, column: LogColumn, seen: Seen) -> schema_pb2.Feature:
        """The column's entry in a drafted schema."""

    @classmethod
    def represent(cls, feature: schema_pb2.Feature, representation: schema_pb2.TensorRepresentation) -> None:
        """Sets the tensor representation in Transform's inputs: dense if the schema fixes the shape, otherwise sparse.

        Args:
            feature: the column's entry in the schema.
            representation: is set in place.
        """
        if feature.HasField("shape"):
            representation.dense_tensor.column_name = feature.name
            representation.dense_tensor.shape.CopyFrom(feature.shape)
        else:
            representation.varlen_sparse_tensor.column_name = feature.name


class KeyKind(ColumnKind):
    """A kind of column that no model reads: which impression it was, how it was drawn, or what it weighs."""

    is_key = True

    @classmethod
    def draft(cls, column: LogColumn, seen: Seen) -> schema_pb2.Feature:
        """One value in every row of a log, and none in a request."""
        return key(column, cls.schema_type)


class NumberKeyKind(KeyKind):
    """The same with one number per impression."""

    @classmethod
    def accepts(cls, arrow_type: pa.DataType) -> bool:
        """Numbers."""
        return arrow.is_number(arrow_type)


@dataclass(frozen=True)
class Transformed:
    """Transform's outputs for all features of one kind.

    Attributes:
        forest: float32 [batch, inputs], the forest's inputs: feature by feature, those of a feature in the order of
            `FeatureColumn.forest_names`; NaN if missing. Infinities are replaced later.
        numbers: float32 [batch, numbers], which the towers read standardised; NaN if missing.
        codes: int64 [batch, features], each in [0, `FeatureColumn.codes`), which the towers embed, and which may be the
            key of the calibration.
        ids: int64 [batch, 2 * features], as `fingerprints.table_rows` gives them.
        dense: name → float32 [batch, size], embeddings for the towers.
    """

    forest: tf.Tensor | None = None
    numbers: tf.Tensor | None = None
    codes: tf.Tensor | None = None
    ids: tf.Tensor | None = None
    dense: Mapping[str, tf.Tensor] = field(default_factory=lambda: MappingProxyType({}))


class FeatureKind(ColumnKind, Generic[C]):
    """A kind of feature column; an instance is one feature.

    Args:
        column: the feature's part of the config.

    Attributes:
        profiled_as: whether the monitor counts its values in buckets of numbers or by category.
        typical: name of the mean of its numbers.
        reads: the method of `Columns` by which `transform` reads all columns of the kind.
    """

    profiled_as: ClassVar[Literal["numbers", "categories"]]
    typical: ClassVar[str] = "mean"
    reads: ClassVar[Literal["numbers", "texts", "lists", "dense", "items"]]

    def __init__(self, column: C) -> None:
        self.column = column

    @property
    def log_column(self) -> LogColumn:
        """The feature as a column of the feed log."""
        return LogColumn(self.column.name, self.name, column=self.column.column)

    @classmethod
    @abstractmethod
    def transform(cls, features: Sequence[C], columns: Columns, vocabularies: Vocabularies) -> Transformed:
        """The kind's part of Transform's graph, which runs over the training days and inside the served model.

        All features of the kind are handled as one tensor: the number of operations decides how long it takes to trace
        and to load the graph, and to transform a few rows.

        Args:
            features: at least one, in the order of the config.
            columns: of the rows.
            vocabularies: of the categorical and multi-valued columns.
        """

    @abstractmethod
    def tensor_spec(self, name: str) -> tf.TensorSpec:
        """The spec of the feature's input `name` in a request of dense tensors; the first dimension is the batch."""

    def empty(self) -> tf.Tensor:
        """The tensor of a request without the column, with one row; only a kind that is `computed` has one."""
        raise NotImplementedError(f"{self.name}: every request needs a value")

    @abstractmethod
    def from_dense(self, tensor: tf.Tensor, spec: Any) -> Tensor:
        """Converts such a tensor to the output of `parsed` for the equivalent Examples.

        Args:
            tensor: with the spec of `tensor_spec`.
            spec: the schema's parse spec of the column.
        """

    def joined_spec(self, spec: Any) -> Any:
        """The parse spec of serialised Examples for `RequestColumns`: a column that may be missing is ragged.

        Args:
            spec: the schema's parse spec of the column.
        """
        required = isinstance(spec, tf.io.FixedLenFeature) and spec.default_value is None
        return spec if required else tf.io.RaggedFeature(spec.dtype, row_splits_dtype=tf.int64)

    def parse_spec(self, spec: Any) -> Any:
        """The parse spec of serialised Examples for Transform's graph.

        Args:
            spec: the schema's parse spec of the column.
        """
        return spec

    def parsed(self, tensor: Tensor, rows: tf.Tensor) -> Tensor:
        """Converts a tensor parsed by `parse_spec` to the input of Transform's graph.

        Args:
            tensor: from `tf.io.parse_example`.
            rows: int64 scalar, the batch size.
        """
        return tensor

    @classmethod
    def profiled(cls, values: npt.NDArray[Any], rows: int) -> npt.NDArray[Any]:
        """The values that the monitor counts.

        Args:
            values: the values of all rows that have any, flattened: float32 or bytes.
            rows: number of rows that have any.

        Returns:
            [counted] float32 or bytes, depending on `profiled_as`.
        """
        return values
