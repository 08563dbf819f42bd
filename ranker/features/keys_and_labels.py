"""Columns of the feed log that are not features: the keys of an impression, and the objectives."""

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.features import arrow, drafting
from ranker.features.kind import ColumnKind, KeyKind
from ranker.features.log_column import LogColumn

NOT_OBSERVED = -1
"""Stands for a label that was not observed, where a label is an integer."""


class IdKind(KeyKind):
    """The session, viewer or item of an impression."""

    name = "id"
    accepted = "string, binary, integers, and floats and decimals with whole numbers"
    schema_type = schema_pb2.BYTES

    @classmethod
    def accepts(cls, arrow_type: pa.DataType) -> bool:
        """Strings, bytes or numbers, of which only whole ones are allowed."""
        return arrow.is_category(arrow_type) and not pt.is_boolean(arrow.decoded_type(arrow_type))

    @classmethod
    def to_lists(cls, column: LogColumn, values: pa.Array) -> pa.ListArray:
        """Lists of bytes; null and "" are bad values."""
        present, strings = arrow.strings(values)
        arrow.check_all(present, lambda row: f"{arrow.shown(values, row)}; every impression needs a key")
        return arrow.singles(strings, present)


class OptionalIdKind(IdKind):
    """An entity of an impression that may be unknown, such as the author of the item."""

    name = "optional id"

    @classmethod
    def accepts(cls, arrow_type: pa.DataType) -> bool:
        """Strings, bytes or numbers, or the null type of a column without a single value."""
        return super().accepts(arrow_type) or pt.is_null(arrow_type)

    @classmethod
    def to_lists(cls, column: LogColumn, values: pa.Array) -> pa.ListArray:
        """Lists of bytes; null and "" are missing."""
        present, strings = arrow.strings(values)
        return arrow.singles(strings, present)


class TimestampKind(KeyKind):
    """The time of an impression."""

    name = "timestamp"
    accepted = "timestamp, date and integers that count milliseconds since 1970"
    schema_type = schema_pb2.INT

    @classmethod
    def accepts(cls, arrow_type: pa.DataType) -> bool:
        """Points in time, or integers."""
        return pt.is_timestamp(arrow_type) or pt.is_date(arrow_type) or pt.is_integer(arrow_type)

    @classmethod
    def to_lists(cls, column: LogColumn, values: pa.Array) -> pa.ListArray:
        """Lists of int64, milliseconds since 1970; null is a bad value."""
        present = arrow.valid(values)
        arrow.check_all(present, lambda row: "null; every impression needs a time")
        if not pt.is_integer(values.type):
            # Finer units lose their fraction; a safe cast would raise an error.
            values = values.cast(pa.timestamp("ms", getattr(values.type, "tz", None)), safe=False)
        return arrow.singles(values.cast(pa.int64()), present)


class ObjectiveKind(ColumnKind):
    """A yes/no outcome; null and NaN where it was not observed."""

    name = "objective"
    accepted = "bool and any number type, with the values 0 and 1, and null where it was not observed"
    schema_type = schema_pb2.INT

    @classmethod
    def accepts(cls, arrow_type: pa.DataType) -> bool:
        """Numbers, or the null type of a column without a single value."""
        return arrow.is_number(arrow_type) or pt.is_null(arrow_type)

    @classmethod
    def to_lists(cls, column: LogColumn, values: pa.Array) -> pa.ListArray:
        """Lists of int64, null where the outcome was not observed; numbers other than 0 and 1 are bad values."""
        labels = arrow.floats(values)
        observed = ~np.isnan(labels)
        good = ~observed | (labels == 0) | (labels == 1)
        arrow.check_all(
            good, lambda row: f"{arrow.shown(values, row)}; an objective is 0 or 1, or null if not observed"
        )
        return arrow.singles(pa.array(labels[observed].astype(np.int64)), observed)

    @classmethod
    def draft(cls, column: LogColumn, seen: drafting.Seen) -> schema_pb2.Feature:
        """0 or 1 in every Example, or in some if the log has gaps."""
        if 0.0 < seen.present < 1.0:
            feature = drafting.optional(column, seen, cls.schema_type)
            feature.value_count.max = 1
        else:
            feature = drafting.required(column, cls.schema_type)
        feature.int_domain.min, feature.int_domain.max = 0, 1
        return feature

    @classmethod
    def represent(cls, feature: schema_pb2.Feature, representation: schema_pb2.TensorRepresentation) -> None:
        """Dense, `NOT_OBSERVED` where there is no value."""
        representation.dense_tensor.column_name = feature.name
        representation.dense_tensor.shape.dim.add(size=1)
        representation.dense_tensor.default_value.int_value = NOT_OBSERVED
