"""Converts Arrow arrays of a feed log to lists of the types of a tf.Example; shared by the kinds of columns.

Every function works on a complete column. A row without a value becomes a null list, which is a feature without a list
in the Example: statistics count it as missing, and a parser uses its default.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

_EXACT_DIGITS = {pa.float16(): 11, pa.float32(): 24, pa.float64(): 53}  # binary digits of the mantissa
_NOT_WHOLE = "{}; a category is a text or a whole number; for fractions write text, or make the column numeric"


class BadValueError(ValueError):
    """A row has a value that is not allowed in its column; `row` is its index in the array."""

    def __init__(self, row: int, problem: str) -> None:
        super().__init__(problem)
        self.row = row
        self.problem = problem


def is_list(kind: pa.DataType) -> bool:
    """Whether an Arrow type is one of the three list types."""
    return pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind)


def is_number(kind: pa.DataType) -> bool:
    """Whether an Arrow type holds numbers, dictionary-encoded or not; booleans are numbers."""
    kind = decoded_type(kind)
    return pt.is_boolean(kind) or pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind)


def is_text(kind: pa.DataType) -> bool:
    """Whether an Arrow type holds strings or bytes, dictionary-encoded or not."""
    kind = decoded_type(kind)
    is_bytes = pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_fixed_size_binary(kind)  # such as a UUID
    return pt.is_string(kind) or pt.is_large_string(kind) or is_bytes


def is_category(kind: pa.DataType) -> bool:
    """Whether an Arrow type can be a category: strings, bytes, or numbers, of which only whole ones are allowed."""
    return is_text(kind) or is_number(kind)


def decoded_type(kind: pa.DataType) -> pa.DataType:
    """The type of the values of a dictionary-encoded column; other types unchanged."""
    return kind.value_type if pt.is_dictionary(kind) else kind


def floats(values: pa.Array) -> npt.NDArray[np.float32]:
    """[rows] float32, NaN where null."""
    if pt.is_boolean(values.type):
        values = values.cast(pa.uint8())
    elif pt.is_decimal(values.type):
        values = values.cast(pa.float64())
    if not pt.is_float16(values.type):
        # float32 has fewer digits than int64 and float64; a safe cast would raise an error.
        values = values.cast(pa.float32(), safe=False)
    return values.to_numpy(zero_copy_only=False).astype(np.float32, copy=False)


def strings(values: pa.Array) -> tuple[npt.NDArray[np.bool_], pa.BinaryArray]:
    """Whether each row has a non-empty string, [rows], and those strings as bytes.

    Integers become decimal strings, booleans "0" and "1". Floats and decimals become the same strings as integers,
    because writers such as pandas turn integers with gaps, and columns without a value, into floats; NaN is missing.

    Raises:
        BadValueError: a number is not whole, or so large that a float of its type cannot tell it from the next one.
    """
    if pt.is_boolean(values.type):
        values = values.cast(pa.uint8())
    if pt.is_floating(values.type):
        values = _whole_floats(values)
    elif pt.is_decimal(values.type):
        values = _whole_decimals(values)
    if pt.is_integer(values.type):
        values = values.cast(pa.string())
    values = values.cast(pa.binary())
    present = pc.fill_null(pc.binary_length(values), 0).to_numpy(zero_copy_only=False) > 0
    return present, values if present.all() else values.filter(pa.array(present))


def _whole_floats(values: pa.Array) -> pa.Array:
    """Floats as int64, NaN as null."""
    digits = _EXACT_DIGITS[values.type]
    floats = values.to_numpy(zero_copy_only=False).astype(np.float64)
    missing = np.isnan(floats)
    whole = np.where(missing, 0.0, floats)
    check_all(np.isfinite(whole) & (np.trunc(whole) == whole), lambda row: _NOT_WHOLE.format(shown(values, row)))
    check_all(
        np.abs(whole) < 2.0**digits,
        lambda row: (
            f"{shown(values, row)}; {values.type} holds whole numbers exactly only below 2**{digits}, so that "
            "different categories may have become the same number; write the column as integers or text"
        ),
    )
    return pa.array(whole.astype(np.int64), mask=missing)


def _whole_decimals(values: pa.Array) -> pa.Array:
    """Decimals as their digits, without a fraction."""
    # Arrow writes a zero with many decimal places as 0E-10.
    texts = pc.replace_substring_regex(values.cast(pa.string()), r"^0E-\d+$", "0")
    whole = pc.fill_null(pc.match_substring_regex(texts, r"^-?\d+(\.0*)?$"), True).to_numpy(zero_copy_only=False)
    check_all(whole, lambda row: _NOT_WHOLE.format(shown(values, row)))
    return pc.replace_substring_regex(texts, r"\..*$", "")


def flat(values: pa.Array) -> tuple[npt.NDArray[np.int64], pa.Array]:
    """The ends of the lists, [rows + 1] starting with 0, and the elements of all lists; a null list has none."""
    assert is_list(values.type)
    sizes = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False)
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]), pc.list_flatten(values)


def singles(present_values: pa.Array, present: npt.NDArray[np.bool_]) -> pa.ListArray:
    """Lists with one value in each row where `present`, from these values in order; null elsewhere."""
    return lists(present_values, np.concatenate([[0], np.cumsum(present)]))


def lists(elements: pa.Array, ends: npt.NDArray[np.int64]) -> pa.ListArray:
    """Lists of the elements between consecutive ends; an empty list becomes null."""
    empty = np.diff(ends) == 0
    offsets = pa.array(ends.astype(np.int32))
    return pa.ListArray.from_arrays(offsets, elements, mask=pa.array(empty) if empty.any() else None)


def valid(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Whether each value is not null, [rows]."""
    return values.is_valid().to_numpy(zero_copy_only=False)


def check_all(good: npt.NDArray[np.bool_], problem: Callable[[int], str]) -> None:
    """Raises BadValueError for the first row with a false `good`, with `problem(row)` as its message."""
    if not good.all():
        row = int(np.argmin(good))
        raise BadValueError(row, problem(row))


def python_value(values: pa.Array, row: int) -> Any:
    """A value as a Python object; a text that is not in UTF-8, which Arrow does not check, as bytes."""
    scalar = values[row]
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        text = scalar.value if isinstance(scalar, pa.DictionaryScalar) else scalar
        return text.as_buffer().to_pybytes() if isinstance(text, pa.StringScalar) else "…"


def shown(values: pa.Array, row: int) -> str:
    """A value as text for an error message."""
    value = python_value(values, row)
    if value is None:
        return "null"
    return str(value) if isinstance(value, Decimal) else repr(value)
