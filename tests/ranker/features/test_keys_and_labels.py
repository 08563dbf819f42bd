"""Keys and objectives: conversion and schema."""

import datetime
import decimal

import pyarrow as pa
import pytest
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.features.drafting import Seen
from ranker.features.keys_and_labels import IdKind, ObjectiveKind, TimestampKind
from ranker.features.log_column import LogColumn
from tests.ranker.features.columns import NAN, assert_accepts, assert_refused, converted

STRINGS = pa.dictionary(pa.int32(), pa.string())


@pytest.mark.parametrize(
    "values",
    [
        pa.array([0, 1], pa.uint8()),
        pa.array([False, True]),
        pa.array([0.0, 1.0], pa.float32()),
        pa.array([decimal.Decimal(0), decimal.Decimal(1)]),
    ],
)
def test_objectives_become_0_and_1(values: pa.Array) -> None:
    assert converted("objective", values) == [[0], [1]]


def test_an_outcome_that_was_not_observed_is_missing() -> None:
    assert converted("objective", pa.array([1, None, 0])) == [[1], None, [0]]
    assert converted("objective", pa.array([0.0, NAN])) == [[0], None]
    assert converted("objective", pa.nulls(2)) == [None, None]
    drafted = ObjectiveKind.draft(LogColumn("click", "objective"), Seen(present=0.6))
    assert (drafted.presence.min_fraction, drafted.int_domain.max, drafted.HasField("shape")) == (0.3, 1, False)


def test_keys_are_strings_and_times_are_milliseconds() -> None:
    assert converted("id", pa.array([12, 7])) == [[b"12"], [b"7"]]
    assert converted("id", pa.array(["u1"])) == [[b"u1"]]
    assert converted("optional id", pa.array(["a1", None, ""])) == [[b"a1"], None, None]
    assert converted("optional id", pa.array([12, None])) == [[b"12"], None]
    assert converted("optional id", pa.array([12.0, NAN, None])) == [[b"12"], None, None]
    assert converted("optional id", pa.nulls(2)) == [None, None]
    moment = datetime.datetime(1970, 1, 2, 0, 0, 1, 999, tzinfo=datetime.UTC)
    for unit in ("us", "ns"):
        assert converted("timestamp", pa.array([moment], pa.timestamp(unit, "UTC"))) == [[86_401_000]]
    assert converted("timestamp", pa.array([2], pa.timestamp("s"))) == [[2000]]
    assert converted("timestamp", pa.array([datetime.date(1970, 1, 2)])) == [[86_400_000]]
    assert converted("timestamp", pa.array([5], pa.int32())) == [[5]]


@pytest.mark.parametrize(
    ("kind", "values", "row", "problem"),
    [
        ("objective", pa.array([0, 1, 2]), 2, "2; an objective is 0 or 1"),
        ("objective", pa.array([0.5]), 0, "0.5; an objective is 0 or 1"),
        ("objective", pa.array([1, None, -1]), 2, "-1; an objective is 0 or 1, or null if not observed"),
        ("id", pa.array(["a", None]), 1, "null; every impression needs a key"),
        ("id", pa.array(["a", "b", ""]), 2, "''; every impression needs a key"),
        ("timestamp", pa.array([None, 3]), 0, "null; every impression needs a time"),
    ],
)
def test_bad_values_are_refused_with_their_row(kind: str, values: pa.Array, row: int, problem: str) -> None:
    assert_refused(kind, values, row, problem)


def test_accepted_types() -> None:
    numbers = [pa.int8(), pa.uint64(), pa.bool_(), pa.float64(), pa.decimal128(3, 0)]
    assert_accepts("objective", good=[*numbers, pa.null()], bad=[pa.string()])
    ids = [
        pa.string(),
        pa.large_string(),
        pa.int64(),
        pa.binary(),
        pa.binary(16),
        pa.float64(),
        pa.decimal128(3, 0),
        STRINGS,
    ]
    assert_accepts("id", good=ids, bad=[pa.bool_(), pa.list_(pa.int8())])
    moments = [pa.int64(), pa.timestamp("ns", "UTC"), pa.date32()]
    assert_accepts("timestamp", good=moments, bad=[pa.string(), pa.float64()])


def test_drafts() -> None:
    click = ObjectiveKind.draft(LogColumn("click", "objective"), Seen())
    assert (click.type, click.int_domain.min, click.int_domain.max) == (schema_pb2.INT, 0, 1)
    assert (click.presence.min_fraction, [dim.size for dim in click.shape.dim]) == (1.0, [1])
    for kind, schema_type in ((IdKind, schema_pb2.BYTES), (TimestampKind, schema_pb2.INT)):
        key = kind.draft(LogColumn("key", kind.name), Seen())
        assert (key.type, key.value_count.min, key.value_count.max) == (schema_type, 1, 1)
        # A request to a model has no keys.
        assert not key.presence.HasField("min_fraction")
        assert kind.is_key
