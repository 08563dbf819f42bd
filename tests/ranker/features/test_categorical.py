"""Categorical columns: conversion, schema and serving."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.config.columns import Categorical
from ranker.features.categorical import CategoricalKind
from ranker.features.drafting import Seen
from ranker.features.log_column import LogColumn
from tests.ranker.features.columns import assert_accepts, converted

STRINGS = pa.dictionary(pa.int32(), pa.string())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array(["a", None, "", "é"]), [[b"a"], None, None, ["é".encode()]]),
        (pa.array(["a", None], pa.large_string()), [[b"a"], None]),
        (pa.array([b"\xff", b""], pa.binary()), [[b"\xff"], None]),
        (pa.array(["a", None, "a"]).dictionary_encode(), [[b"a"], None, [b"a"]]),
        (pa.array([-7, None, 2**40]), [[b"-7"], None, [b"1099511627776"]]),
        (pa.array([True, False]), [[b"1"], [b"0"]]),
        (pa.nulls(1), [None]),
        (pa.array(["x", "a", "b"])[1:], [[b"a"], [b"b"]]),
        (pa.array(["x", None, "b"])[1:], [None, [b"b"]]),
    ],
)
def test_values_become_bytes(values: pa.Array, expected: list[Any]) -> None:
    assert converted("categorical", values) == expected


def test_accepted_types() -> None:
    assert_accepts(
        "categorical",
        good=[STRINGS, pa.large_binary(), pa.int16(), pa.bool_(), pa.null()],
        bad=[pa.float32(), pa.date32()],
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
