"""Columns of the feed log that are not features: the keys of an impression, and the objectives."""

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.features import arrow, drafting
from ranker.features.kind import ColumnKind
from ranker.features.log_column import LogColumn


class IdKind(ColumnKind):
    """The session, viewer or item of an impression."""

    name = "id"
    accepted = "string, binary, integers, and floats and decimals with whole numbers"
    schema_type = schema_pb2.BYTES
    is_key = True

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

    @classmethod
    def draft(cls, column: LogColumn, seen: drafting.Seen) -> schema_pb2.Feature:
        """A key."""
        return drafting.key(column, cls.schema_type)


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


class TimestampKind(ColumnKind):
    """The time of an impression."""

    name = "timestamp"
    accepted = "timestamp, date and integers that count milliseconds since 1970"
    schema_type = schema_pb2.INT
    is_key = True

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

    @classmethod
    def draft(cls, column: LogColumn, seen: drafting.Seen) -> schema_pb2.Feature:
        """A key."""
        return drafting.key(column, cls.schema_type)


class ObjectiveKind(ColumnKind):
    """A yes/no outcome."""

    name = "objective"
    accepted = "bool and any number type, with the values 0 and 1"
    schema_type = schema_pb2.INT

    @classmethod
    def accepts(cls, arrow_type: pa.DataType) -> bool:
        """Numbers."""
        return arrow.is_number(arrow_type)

    @classmethod
    def to_lists(cls, column: LogColumn, values: pa.Array) -> pa.ListArray:
        """Lists of int64; null and numbers other than 0 and 1 are bad values."""
        labels = arrow.floats(values)
        good = (labels == 0) | (labels == 1)
        arrow.check_all(good, lambda row: f"{arrow.shown(values, row)}; an objective is 0 or 1")
        return arrow.singles(pa.array(labels.astype(np.int64)), np.ones(len(labels), bool))

    @classmethod
    def draft(cls, column: LogColumn, seen: drafting.Seen) -> schema_pb2.Feature:
        """0 or 1 in every Example."""
        feature = drafting.required(column, cls.schema_type)
        feature.int_domain.min, feature.int_domain.max = 0, 1
        return feature
