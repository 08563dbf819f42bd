"""Columns of the feed log that say whether a position was drawn at random, and with what chance."""

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.features import arrow
from ranker.features.kind import NumberKeyKind
from ranker.features.log_column import LogColumn


class RandomisedKind(NumberKeyKind):
    """Whether the position of an impression was drawn at random."""

    name = "randomised"
    accepted = "bool and any number type, with the values 0 and 1"
    schema_type = schema_pb2.INT

    @classmethod
    def to_lists(cls, column: LogColumn, values: pa.Array) -> pa.ListArray:
        """Lists of int64; null and numbers other than 0 and 1 are bad values."""
        flags = arrow.floats(values)
        good = (flags == 0) | (flags == 1)
        arrow.check_all(good, lambda row: f"{arrow.shown(values, row)}; a position was drawn at random (1) or not (0)")
        return arrow.singles(pa.array(flags.astype(np.int64)), np.ones(len(flags), bool))


class PropensityKind(NumberKeyKind):
    """The chance that an item stood at its position."""

    name = "propensity"
    accepted = "bool and any number type, above 0 and at most 1"
    schema_type = schema_pb2.FLOAT

    @classmethod
    def accepts(cls, arrow_type: pa.DataType) -> bool:
        """Numbers, or the null type of a log without random positions."""
        return super().accepts(arrow_type) or pt.is_null(arrow_type)

    @classmethod
    def to_lists(cls, column: LogColumn, values: pa.Array) -> pa.ListArray:
        """Lists of float32; null and NaN are missing, other numbers that are no chance above 0 are bad values."""
        chances = arrow.floats(values)
        present = ~np.isnan(chances)
        good = ~present | ((chances > 0) & (chances <= 1))
        arrow.check_all(good, lambda row: f"{arrow.shown(values, row)}; a propensity is above 0 and at most 1")
        return arrow.singles(pa.array(chances[present]), present)
