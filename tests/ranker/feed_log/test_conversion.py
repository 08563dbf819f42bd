import datetime
import decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ranker.feed_log.columns import Column, Kind
from ranker.feed_log.conversion import BadValueError, to_lists

NAN, INF = float("nan"), float("inf")


def converted(kind: Kind, values: pa.Array, size: int = 1) -> list[Any]:
    lists = to_lists(Column("x", kind, size), values)
    expected = {"numeric": pa.float32(), "dense": pa.float32(), "objective": pa.int64(), "timestamp": pa.int64()}
    assert lists.type == pa.list_(expected.get(kind, pa.binary()))
    return lists.to_pylist()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1.5, None, NAN, -INF]), [[1.5], None, None, [-INF]]),
        (pa.array([1, None, -3], pa.int8()), [[1.0], None, [-3.0]]),
        (pa.array([2**53 + 1, 2**63 - 1], pa.int64()), [[2.0**53], [2.0**63]]),
        (pa.array([2**64 - 1], pa.uint64()), [[2.0**64]]),
        (pa.array([True, False, None]), [[1.0], [0.0], None]),
        (pa.array([np.float16(0.5), None, np.float16(NAN)], pa.float16()), [[0.5], None, None]),
        (pa.array([decimal.Decimal("1.25"), None]), [[1.25], None]),
        (pa.array([7.0, None, 7.0]).dictionary_encode(), [[7.0], None, [7.0]]),
        (pa.nulls(2), [None, None]),
        (pa.array([], pa.float64()), []),
    ],
)
def test_numeric(values: pa.Array, expected: list[Any]) -> None:
    assert converted("numeric", values) == expected


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
def test_categorical(values: pa.Array, expected: list[Any]) -> None:
    assert converted("categorical", values) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([["b", "a"], None, [], ["", None, "c"], [None]]), [[b"b", b"a"], None, None, [b"c"], None]),
        (pa.array([[1, 2], [3]], pa.large_list(pa.int64())), [[b"1", b"2"], [b"3"]]),
        (pa.array([["a", "b"], None, ["c", "d"]], pa.list_(pa.string(), 2)), [[b"a", b"b"], None, [b"c", b"d"]]),
        (pa.array([["a"], ["b", "a"]], pa.list_(pa.dictionary(pa.int8(), pa.string()))), [[b"a"], [b"b", b"a"]]),
        (pa.nulls(2), [None, None]),
        (pa.array([["z"], ["a"], ["b"]])[1:], [[b"a"], [b"b"]]),
    ],
)
def test_multi_valued(values: pa.Array, expected: list[Any]) -> None:
    assert converted("multi_valued", values) == expected


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[0.5, 1.0], [2.0, 3.0]]),
        pa.array([[0.5, 1.0], [2.0, 3.0]], pa.large_list(pa.float32())),
        pa.array([[9.0, 9.0], [0.5, 1.0], [2.0, 3.0]], pa.list_(pa.float32(), 2))[1:],
    ],
)
def test_dense(values: pa.Array) -> None:
    assert converted("dense", values, size=2) == [[0.5, 1.0], [2.0, 3.0]]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([0, 1], pa.uint8()),
        pa.array([False, True]),
        pa.array([0.0, 1.0], pa.float32()),
        pa.array([decimal.Decimal(0), decimal.Decimal(1)]),
    ],
)
def test_objective(values: pa.Array) -> None:
    assert converted("objective", values) == [[0], [1]]


def test_keys_are_strings_and_times_are_milliseconds() -> None:
    assert converted("id", pa.array([12, 7])) == [[b"12"], [b"7"]]
    assert converted("id", pa.array(["u1"])) == [[b"u1"]]
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
        ("objective", pa.array([1, None]), 1, "null; an objective is 0 or 1"),
        ("objective", pa.array([0.0, NAN]), 1, "nan; an objective is 0 or 1"),
        ("id", pa.array(["a", None]), 1, "null; every impression needs a key"),
        ("id", pa.array(["a", "b", ""]), 2, "''; every impression needs a key"),
        ("timestamp", pa.array([None, 3]), 0, "null; every impression needs a time"),
        ("dense", pa.array([[1.0, 2.0], None]), 1, "null; every impression needs an embedding of 2 numbers"),
        ("dense", pa.array([[1.0, 2.0], [1.0]]), 1, "an embedding of 1 numbers; the config says 2"),
        ("dense", pa.array([[1.0] * 3], pa.list_(pa.float32(), 3)), 0, "an embedding of 3 numbers; the config says 2"),
        ("dense", pa.array([[1.0, 2.0], [1.0, None]]), 1, "null at position 1; an embedding's numbers must be finite"),
        ("dense", pa.array([[INF, 2.0]]), 0, "inf at position 0; an embedding's numbers must be finite"),
        ("dense", pa.array([[2.0, 1e300]]), 0, "1e+300 at position 1; an embedding's numbers must be finite float32"),
    ],
)
def test_bad_values_are_told_with_their_row(kind: Kind, values: pa.Array, row: int, problem: str) -> None:
    with pytest.raises(BadValueError) as raised:
        to_lists(Column("x", kind, 2 if kind == "dense" else 1), values)
    assert raised.value.row == row
    assert raised.value.problem.startswith(problem)
