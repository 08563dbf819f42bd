"""Columns of a table as inputs: the same category and the same number in every type, as in the feed log."""

import math
import re
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from feed_ranker_client import InvalidRequestError
from feed_ranker_client.messages import SignatureDef
from feed_ranker_client.table_columns import filled
from feed_ranker_client.tensor_types import type_of_array
from feed_ranker_client.tensors import as_array
from feed_ranker_client.validation import TensorForm, check_forms, form_of
from ranker.features.log_column import LogColumn
from ranker.feed_log.conversion import to_lists

FLOAT, STRING = type_of_array(np.dtype("float32")), type_of_array(np.dtype(object))
NUMBER, VECTOR = TensorForm(FLOAT, (None,)), TensorForm(FLOAT, (None, 2))
TEXT, TEXTS = TensorForm(STRING, (None,)), TensorForm(STRING, (None, None))


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["a", "", None, "ü"]),
        pa.array([b"a", b"\xff", None], pa.binary()),
        pa.array([7, None, -3, 2**62], pa.int64()),
        pa.array([7.0, None, math.nan, 12.0]),
        pa.array([7.0, 3.0], pa.float32()),
        pa.array([True, None, False]),
        pa.array([Decimal("7.00"), None, Decimal("12345678901234567890.00")], pa.decimal128(30, 2)),
        pa.array(["x", None, "x"]).dictionary_encode(),
    ],
    ids=str,
)
def test_a_text_is_what_the_feed_log_makes_of_it(column: pa.Array) -> None:
    logged = to_lists(LogColumn("x", "categorical"), column).to_pylist()
    array = as_array("x", filled("x", column.to_pylist(), TEXT, optional=False), TEXT)
    assert array.tolist() == [b"" if row is None else row[0] for row in logged]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, None, 3], pa.int32()),
        pa.array([1.5, None, math.nan]),
        pa.array([True, None, False]),
        pa.array([Decimal("1.25"), None], pa.decimal128(10, 2)),
    ],
    ids=str,
)
def test_a_number_is_what_the_feed_log_makes_of_it(column: pa.Array) -> None:
    logged = to_lists(LogColumn("x", "numeric"), column).to_pylist()
    array = as_array("x", filled("x", column.to_pylist(), NUMBER, optional=False), NUMBER)
    np.testing.assert_array_equal(array, np.array([math.nan if row is None else row[0] for row in logged], np.float32))


def test_lists_of_whole_numbers_are_lists_of_texts() -> None:
    column = pa.array([[3, None, 4], [], None, [5]], pa.list_(pa.int64()))
    found = as_array("x", filled("x", column.to_pylist(), TEXTS, optional=False), TEXTS)
    assert found.tolist() == [[b"3", b"", b"4"], [b""] * 3, [b""] * 3, [b"5", b"", b""]]


@pytest.mark.parametrize(
    ("values", "form", "said"),
    [
        ([1.5], TEXT, "candidate 0 is 1.5, which is not text"),
        (["a", 2.0**60], TEXT, "candidate 1 is 1.152921504606847e+18, which is not text"),
        ([{}], TEXT, "candidate 0 is {}, which is not text"),
        (["ab"], TEXTS, "candidate 0 is 'ab', which is not a list"),
        (["1"], NUMBER, "candidate 0 is '1', which is not a number"),
        ([None], VECTOR, "candidate 0 is None, which is not a list"),
    ],
)
def test_other_values_are_refused_by_name(values: list[Any], form: TensorForm, said: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"^x: must be .*{re.escape(said)}"):
        as_array("x", filled("x", values, form, optional=False), form)


@pytest.mark.parametrize(
    "values",
    [5, 1.5, None, "abc", b"ab", {"a": 1.0}, {1.0}, np.float32(2), np.str_("a"), np.array(3.0), iter([1.0])],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("form", [NUMBER, TEXTS], ids=str)
def test_what_is_no_list_is_refused_by_name(values: Any, form: TensorForm) -> None:
    with pytest.raises(
        InvalidRequestError, match=rf"^x: must be {re.escape(str(form))}: .* is not a list with one value"
    ):
        filled("x", values, form, optional=False)


@pytest.mark.parametrize("form", [NUMBER, TEXT], ids=str)
def test_an_array_of_rows_is_no_column_of_values(form: TensorForm) -> None:
    def request(values: Any) -> None:
        array = as_array("x", filled("x", values, form, optional=False), form)
        check_forms(SignatureDef(), {"x": form_of(array)}, expected={"x": form})

    with pytest.raises(InvalidRequestError, match=f"^x: must be {re.escape(str(form))}"):
        request(np.ones((2, 3), np.float32))


def test_numpys_values_are_converted_too() -> None:
    assert filled("x", [np.int64(3), np.bool_(True), np.float32(2), "a"], TEXT, optional=False) == ["3", "1", "2", "a"]
    assert filled("x", [np.bool_(True), 2], NUMBER, optional=False) == [1.0, 2]
