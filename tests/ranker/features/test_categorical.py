"""Categorical columns: conversion, schema and serving."""

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.config.columns import Categorical
from ranker.features.categorical import CategoricalKind
from ranker.features.drafting import Seen
from ranker.features.log_column import LogColumn
from tests.ranker.features.columns import INF, NAN, assert_accepts, assert_refused, converted

STRINGS = pa.dictionary(pa.int32(), pa.string())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array(["a", None, "", "é"]), [[b"a"], None, None, ["é".encode()]]),
        (pa.array(["a", None], pa.large_string()), [[b"a"], None]),
        (pa.array([b"\xff", b""], pa.binary()), [[b"\xff"], None]),
        (pa.array([b"\xff\x00", None], pa.binary(2)), [[b"\xff\x00"], None]),
        (pa.array(["a", None, "a"]).dictionary_encode(), [[b"a"], None, [b"a"]]),
        (pa.array([-7, None, 2**40]), [[b"-7"], None, [b"1099511627776"]]),
        (pa.array([True, False]), [[b"1"], [b"0"]]),
        (pa.array([True, None]), [[b"1"], None]),
        (pa.array([1.0, None, NAN, -0.0, -7.0]), [[b"1"], None, None, [b"0"], [b"-7"]]),
        (pa.array([2.0**53 - 1, None]), [[b"9007199254740991"], None]),
        (pa.array([2.0**24 - 1, NAN], pa.float32()), [[b"16777215"], None]),
        (pa.array([np.float16(3.0), None], pa.float16()), [[b"3"], None]),
        (pa.array([None, NAN], pa.float64()), [None, None]),
        (pa.array([7.0, None, 7.0]).dictionary_encode(), [[b"7"], None, [b"7"]]),
        (pa.array([Decimal("12.00"), None, Decimal("-3.00")]), [[b"12"], None, [b"-3"]]),
        (pa.array([Decimal(10**30)]), [[b"1" + b"0" * 30]]),
        (pa.array([Decimal(0), Decimal(1), None], pa.decimal128(20, 10)), [[b"0"], [b"1"], None]),
        (pa.array([Decimal(0), Decimal(-120)], pa.decimal256(60, 30)), [[b"0"], [b"-120"]]),
        (pa.array(["1.0", "1"]), [[b"1.0"], [b"1"]]),
        (pa.array([5.5, 1.0, None])[1:], [[b"1"], None]),
        (pa.nulls(1), [None]),
        (pa.array(["x", "a", "b"])[1:], [[b"a"], [b"b"]]),
        (pa.array(["x", None, "b"])[1:], [None, [b"b"]]),
    ],
)
def test_values_become_bytes(values: pa.Array, expected: list[Any]) -> None:
    assert converted("categorical", values) == expected


@pytest.mark.parametrize(
    ("values", "row", "problem"),
    [
        (
            pa.array([1.0, None, 0.5]),
            2,
            "0.5; a category is a text or a whole number; for fractions write text, or make",
        ),
        (pa.array([None, 1e-9]), 1, "1e-09; a category is a text or a whole number"),
        (pa.array([INF, 0.5]), 0, "inf; a category is a text or a whole number"),
        (pa.array([-INF], pa.float32()), 0, "-inf; a category is a text or a whole number"),
        (pa.array([2.25, 2.5]).dictionary_encode(), 0, "2.25; a category is"),
        (pa.array([Decimal("1.00"), Decimal("1.05")]), 1, "1.05; a category is a text or a whole number"),
        (
            pa.array([Decimal("0.0000001")], pa.decimal128(20, 10)),
            0,
            "1.000E-7; a category is a text or a whole number",
        ),
        (pa.array([1.0, 2.0**53]), 1, "9007199254740992.0; double holds whole numbers exactly only below 2**53, so"),
        (pa.array([-(2.0**24)], pa.float32()), 0, "-16777216.0; float holds whole numbers exactly only below 2**24"),
        (pa.array([1e300]), 0, "1e+300; double holds whole numbers exactly only below 2**53"),
    ],
)
def test_fractions_and_inexact_numbers_are_refused_with_the_reason(values: pa.Array, row: int, problem: str) -> None:
    assert_refused("categorical", values, row, problem)


@given(
    st.lists(st.none() | st.integers(-(2**53) + 1, 2**53 - 1), min_size=1, max_size=20),
    st.sampled_from([pa.int64(), pa.float64(), pa.decimal128(20, 2), pa.string(), pa.large_string(), pa.binary()]),
)
def test_a_whole_number_is_the_same_category_in_every_type(numbers: list[int | None], kind: pa.DataType) -> None:
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind)
    values = pa.array([None if n is None else str(n) if text else n for n in numbers], None if text else kind)
    for array in (values.cast(kind), values.cast(kind).dictionary_encode()):
        assert converted("categorical", array) == [None if n is None else [str(n).encode()] for n in numbers]


def test_accepted_types() -> None:
    assert_accepts(
        "categorical",
        good=[
            STRINGS,
            pa.large_binary(),
            pa.binary(16),
            pa.int16(),
            pa.bool_(),
            pa.null(),
            pa.float32(),
            pa.decimal128(5, 2),
        ],
        bad=[pa.date32(), pa.timestamp("ms"), pa.list_(pa.string())],
    )


def test_a_draft_is_an_optional_string_with_its_domain() -> None:
    column = LogColumn("device", "categorical")
    drafted = CategoricalKind.draft(column, Seen(present=1.0, varies=True, domain=["ios", "web"]))
    assert (drafted.type, drafted.value_count.min, drafted.value_count.max) == (schema_pb2.BYTES, 1, 1)
    assert list(drafted.string_domain.value) == ["ios", "web"]
    assert drafted.distribution_constraints.min_domain_mass == pytest.approx(0.95)
    assert drafted.drift_comparator.infinity_norm.threshold == pytest.approx(0.3)
    same = CategoricalKind.draft(column, Seen(present=1.0, domain=["ios"]))
    assert not same.HasField("string_domain")
    assert not same.HasField("drift_comparator")


def test_a_request_is_sparse_without_empty_strings() -> None:
    kind = CategoricalKind(Categorical("device"))
    assert kind.tensor_spec("device") == tf.TensorSpec([None], tf.string, name="device")
    column = kind.from_dense(tf.constant(["ios", "", "web"]), tf.io.VarLenFeature(tf.string))
    np.testing.assert_array_equal(column.indices, [[0, 0], [2, 0]])
    np.testing.assert_array_equal(column.values, [b"ios", b"web"])
    fixed = kind.from_dense(tf.constant(["ios", ""]), tf.io.FixedLenFeature([1], tf.string))
    np.testing.assert_array_equal(fixed, [[b"ios"], [b""]])
