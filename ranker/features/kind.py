"""What a kind of column is: the contract that every kind fulfils, in a file of its own.

A kind says everything that differs from one kind of column to another, from the Parquet file to the monitor's page. The
other modules walk over the columns and ask each one's kind. `ranker.features.registry` lists the kinds.

Class methods treat a column of the feed log, which is known by a `Column` alone; keys and objectives have no more than
these. An instance is one feature of a model, known by its part of the config.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

import numpy.typing as npt
import pyarrow as pa
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.config.columns import FeatureColumn
from ranker.features.drafting import Seen
from ranker.features.log_column import Column
from ranker.features.tensors import RawColumns, Tensor

C = TypeVar("C", bound=FeatureColumn)


class ColumnKind(ABC):
    """A kind of column of the feed log.

    Attributes:
        name: how components' parameters, error messages and the monitor's files call the kind.
        accepted: the Arrow types that `accepts` admits, in words.
        schema_type: the type of its values in a tf.Example.
        is_key: whether it identifies an impression: such a column gets no statistics.
    """

    name: ClassVar[str]
    accepted: ClassVar[str]
    schema_type: ClassVar["schema_pb2.FeatureType"]
    is_key: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def accepts(cls, arrow_type: pa.DataType) -> bool:
        """Whether a Parquet file may hold the column as this Arrow type."""

    @classmethod
    @abstractmethod
    def to_lists(cls, column: Column, values: pa.Array) -> pa.ListArray:
        """The column as lists, one per row, null where the row has no value.

        Args:
            column: the column.
            values: [rows], of a type that the kind accepts, not dictionary-encoded.

        Returns:
            [rows] lists of float32, int64 or binary, as `schema_type` says.

        Raises:
            BadValueError: a value that the column may not hold.
        """

    @classmethod
    @abstractmethod
    def draft(cls, column: Column, seen: Seen) -> schema_pb2.Feature:
        """The column's entry in a drafted schema."""

    @classmethod
    def represent(cls, feature: schema_pb2.Feature, representation: schema_pb2.TensorRepresentation) -> None:
        """Says how Transform's inputs hold the column: dense where the schema fixes its shape, and sparse otherwise.

        Args:
            feature: the column's entry in the schema.
            representation: to be filled in.
        """
        if feature.HasField("shape"):
            representation.dense_tensor.column_name = feature.name
            representation.dense_tensor.shape.CopyFrom(feature.shape)
        else:
            representation.varlen_sparse_tensor.column_name = feature.name


class Vocabulary(Protocol):
    """Replaces strings by their rank by frequency over the training days."""

    def __call__(self, values: tf.SparseTensor, name: str, size: int, rest: Literal["shared", "none"]) -> Any:
        """Codes, int64, in place of the values.

        Args:
            values: strings.
            name: of the column; names the vocabulary's file.
            size: values kept, most frequent first.
            rest: what the others get: the rank `size`, which they share, or -1, which is none.
        """


@dataclass(frozen=True)
class Transformed:
    """What Transform makes of one feature.

    Attributes:
        forest: float32 [batch, inputs], the forest's inputs in the order of `FeatureColumn.forest_names`; NaN where
            missing. Infinities are replaced later.
        numbers: float32 [batch, numbers], which the towers read standardised; NaN where missing.
        codes: int64 [batch, 1], in [0, `FeatureColumn.codes`), which the towers read as an embedding, and which
            calibration may differ by.
        dense: name → float32 [batch, size], embeddings for the towers.
    """

    forest: tf.Tensor | None = None
    numbers: tf.Tensor | None = None
    codes: tf.Tensor | None = None
    dense: Mapping[str, tf.Tensor] = field(default_factory=lambda: MappingProxyType({}))


class FeatureKind(ColumnKind, Generic[C]):
    """A kind of feature column; an instance is one feature.

    Args:
        column: the feature's part of the config.

    Attributes:
        profiled_as: whether the monitor counts its values by buckets of numbers or by category.
        typical: what the mean of its numbers is called.
    """

    profiled_as: ClassVar[Literal["numbers", "categories"]]
    typical: ClassVar[str] = "mean"

    def __init__(self, column: C) -> None:
        self.column = column

    @property
    def log_column(self) -> Column:
        """The feature as a column of the feed log."""
        return Column(self.column.name, self.name)

    @abstractmethod
    def transform(self, columns: RawColumns, vocabulary: Vocabulary) -> Transformed:
        """Operations of Transform's graph, which runs over the training days and inside the served model."""

    @abstractmethod
    def tensor_spec(self, name: str) -> tf.TensorSpec:
        """The feature in a request of dense tensors, called `name` there; the first dimension is the batch."""

    @abstractmethod
    def from_dense(self, tensor: tf.Tensor, spec: Any) -> Tensor:
        """Such a tensor, as `parsed` gives it for the equivalent Examples.

        Args:
            tensor: as `tensor_spec` says.
            spec: how the schema has the column parsed.
        """

    def parse_spec(self, spec: Any) -> Any:
        """How serialised Examples are parsed when serving.

        Args:
            spec: how the schema has the column parsed.
        """
        return spec

    def parsed(self, tensor: Tensor, rows: tf.Tensor) -> Tensor:
        """What `parse_spec` gave, as Transform's graph reads it.

        Args:
            tensor: by `tf.io.parse_example`.
            rows: int64 scalar, the batch's.
        """
        return tensor

    @classmethod
    def profiled(cls, values: npt.NDArray[Any], rows: int) -> npt.NDArray[Any]:
        """What the monitor counts.

        Args:
            values: the values of all rows that have any, flattened: float32 or bytes.
            rows: how many rows have any.

        Returns:
            [counted] float32 or bytes, as `profiled_as` says.
        """
        return values
