"""The weight of an impression in training: a column of the feed log, or how old the impression is, or both."""

import numpy as np
import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.features import arrow
from ranker.features.kind import NumberKeyKind
from ranker.features.log_column import LogColumn


class WeightKind(NumberKeyKind):
    """A column with weights."""

    name = "weight"
    accepted = "bool and any number type, 0 or more"
    schema_type = schema_pb2.FLOAT

    @classmethod
    def to_lists(cls, column: LogColumn, values: pa.Array) -> pa.ListArray:
        """Lists of float32; null, negative and infinite numbers are bad values."""
        weights = arrow.floats(values)
        good = np.isfinite(weights) & (weights >= 0)
        arrow.check_all(good, lambda row: f"{arrow.shown(values, row)}; a weight is a number of 0 or more")
        return arrow.singles(pa.array(weights), np.ones(len(weights), bool))


class RecencyKind(WeightKind):
    """A weight that follows from the day of the impression; the log has no such column."""

    name = "recency"
    is_stored = False
