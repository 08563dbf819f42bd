"""Columns of exploration: conversion and schema."""

import decimal

import pyarrow as pa
import pytest
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.features.drafting import Seen
from ranker.features.exploration import PropensityKind, RandomisedKind
from ranker.features.log_column import LogColumn
from tests.ranker.features.columns import NAN, assert_accepts, assert_refused, converted


@pytest.mark.parametrize(
    "values",
    [
        pa.array([0, 1], pa.int8()),
        pa.array([False, True]),
        pa.array([0.0, 1.0]),
        pa.array([decimal.Decimal(0), decimal.Decimal(1)]),
    ],
)
def test_whether_a_position_was_random_becomes_0_or_1(values: pa.Array) -> None:
    assert converted("randomised", values) == [[0], [1]]


def test_a_chance_is_a_float_or_nothing() -> None:
    assert converted("propensity", pa.array([0.25, None, NAN, 1.0])) == [[0.25], None, None, [1.0]]
    assert converted("propensity", pa.array([decimal.Decimal("0.5")])) == [[0.5]]
    assert converted("propensity", pa.nulls(2)) == [None, None]


@pytest.mark.parametrize(
    ("kind", "values", "row", "problem"),
    [
        ("randomised", pa.array([0, 1, None]), 2, "null; a position was drawn at random (1) or not (0)"),
        ("randomised", pa.array([2]), 0, "2; a position was drawn"),
        ("propensity", pa.array([0.5, 0.0]), 1, "0.0; a propensity is above 0 and at most 1"),
        ("propensity", pa.array([None, 1.5]), 1, "1.5; a propensity is above 0"),
        ("propensity", pa.array([-0.5]), 0, "-0.5; a propensity is above 0"),
    ],
)
def test_bad_values_are_refused_with_their_row(kind: str, values: pa.Array, row: int, problem: str) -> None:
    assert_refused(kind, values, row, problem)


def test_accepted_types() -> None:
    numbers = [pa.int8(), pa.bool_(), pa.float64(), pa.decimal128(3, 0)]
    assert_accepts("randomised", good=numbers, bad=[pa.string(), pa.null()])
    assert_accepts("propensity", good=[*numbers, pa.null()], bad=[pa.string(), pa.list_(pa.float32())])


@pytest.mark.parametrize(("kind", "kind_of_value"), [(RandomisedKind, "INT"), (PropensityKind, "FLOAT")])
def test_neither_is_required_where_a_model_is_served(
    kind: type[RandomisedKind | PropensityKind], kind_of_value: str
) -> None:
    drafted = kind.draft(LogColumn("x", kind.name), Seen(present=1.0, varies=True))
    assert schema_pb2.FeatureType.Name(drafted.type) == kind_of_value
    assert not drafted.HasField("presence")
    assert not drafted.HasField("shape")
    assert not drafted.HasField("drift_comparator")
    assert (drafted.value_count.min, drafted.value_count.max) == (1, 1)
