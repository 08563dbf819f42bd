"""Columns of a feed log as lists of the three types a tf.Example knows: floats, bytes and int64s.

Everything works on whole columns. A row without a value becomes a null list, which is a feature absent from the
Example: statistics then count it as missing, and a parser fills in its default.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from ranker.feed_log.columns import Column, Kind, is_list


class BadValueError(ValueError):
    """One row holds a value that its column may not hold; `row` counts from the start of the array."""

    def __init__(self, row: int, problem: str) -> None:
        super().__init__(problem)
        self.row = row
        self.problem = problem


def to_lists(column: Column, values: pa.Array) -> pa.ListArray:
    """A column as lists, one per row.

    Args:
        column: what the column is.
        values: [rows], of a type that `check_schema` accepts for it.

    Returns:
        [rows] lists: float32 for numeric and dense, int64 for objectives and timestamps, binary for the others.
        Integers become decimal strings, booleans "0" and "1". NaN and null numbers, and null and empty strings, are
        left out.

    Raises:
        BadValueError: a null objective, key or embedding; an objective other than 0 and 1; an empty key; an
            embedding of another size or with a value that is not finite.
    """
    if pt.is_dictionary(values.type):
        values = values.dictionary_decode()
    return _CONVERTERS[column.kind](column, values)


def _numeric(_: Column, values: pa.Array) -> pa.ListArray:
    floats = _floats(values)
    present = ~np.isnan(floats)
    return _singles(pa.array(floats[present]), present)


def _categorical(_: Column, values: pa.Array) -> pa.ListArray:
    present, strings = _strings(values)
    return _singles(strings, present)


def _id(_: Column, values: pa.Array) -> pa.ListArray:
    present, strings = _strings(values)
    _all_hold(present, lambda row: f"{_shown(values, row)}; every impression needs a key")
    return _singles(strings, present)


def _timestamp(_: Column, values: pa.Array) -> pa.ListArray:
    present = _valid(values)
    _all_hold(present, lambda row: "null; every impression needs a time")
    if not pt.is_integer(values.type):
        # Finer units lose their fraction, which a safe cast would refuse.
        values = values.cast(pa.timestamp("ms", getattr(values.type, "tz", None)), safe=False)
    return _singles(values.cast(pa.int64()), present)


def _objective(_: Column, values: pa.Array) -> pa.ListArray:
    labels = _floats(values)
    good = (labels == 0) | (labels == 1)
    _all_hold(good, lambda row: f"{_shown(values, row)}; an objective is 0 or 1")
    return _singles(pa.array(labels.astype(np.int64)), np.ones(len(labels), bool))


def _multi_valued(_: Column, values: pa.Array) -> pa.ListArray:
    if pt.is_null(values.type):
        values = values.cast(pa.list_(pa.null()))
    ends, flat = _flat(values)
    present, strings = _strings(flat.dictionary_decode() if pt.is_dictionary(flat.type) else flat)
    return _lists(strings, np.concatenate([[0], np.cumsum(present)])[ends])


def _dense(column: Column, values: pa.Array) -> pa.ListArray:
    _all_hold(_valid(values), lambda row: f"null; every impression needs an embedding of {column.size} numbers")
    ends, flat = _flat(values)
    sizes = np.diff(ends)
    _all_hold(sizes == column.size, lambda row: f"an embedding of {sizes[row]} numbers; the config says {column.size}")
    floats = _floats(flat)
    finite = np.isfinite(floats).reshape(-1, column.size)

    def problem(row: int) -> str:
        at = int(np.argmin(finite[row]))
        return f"{_shown(flat, row * column.size + at)} at position {at}; an embedding's numbers must be finite float32"

    _all_hold(np.asarray(finite.all(axis=1)), problem)
    return _lists(pa.array(floats), ends)


_CONVERTERS: dict[Kind, Callable[[Column, pa.Array], pa.ListArray]] = {
    "objective": _objective,
    "id": _id,
    "timestamp": _timestamp,
    "numeric": _numeric,
    "categorical": _categorical,
    "multi_valued": _multi_valued,
    "dense": _dense,
}


def _floats(values: pa.Array) -> npt.NDArray[np.float32]:
    """[rows] float32, NaN where null."""
    if pt.is_boolean(values.type):
        values = values.cast(pa.uint8())
    elif pt.is_decimal(values.type):
        values = values.cast(pa.float64())
    if not pt.is_float16(values.type):
        # float32 holds fewer digits than int64 and float64; a safe cast would refuse them.
        values = values.cast(pa.float32(), safe=False)
    return values.to_numpy(zero_copy_only=False).astype(np.float32, copy=False)


def _strings(values: pa.Array) -> tuple[npt.NDArray[np.bool_], pa.BinaryArray]:
    """Which rows hold a string that is not empty, [rows], and those strings as bytes."""
    if pt.is_boolean(values.type):
        values = values.cast(pa.uint8())
    if pt.is_integer(values.type):
        values = values.cast(pa.string())
    values = values.cast(pa.binary())
    present = pc.fill_null(pc.binary_length(values), 0).to_numpy(zero_copy_only=False) > 0
    return present, values if present.all() else values.filter(pa.array(present))


def _flat(values: pa.Array) -> tuple[npt.NDArray[np.int64], pa.Array]:
    """Where each list ends, [rows + 1] from 0, and the elements of all lists; a null list has none."""
    assert is_list(values.type)
    sizes = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False)
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]), pc.list_flatten(values)


def _singles(present_values: pa.Array, present: npt.NDArray[np.bool_]) -> pa.ListArray:
    """One value in each row that has one."""
    return _lists(present_values, np.concatenate([[0], np.cumsum(present)]))


def _lists(elements: pa.Array, ends: npt.NDArray[np.int64]) -> pa.ListArray:
    """Lists between one end and the next; an empty one is null."""
    empty = np.diff(ends) == 0
    offsets = pa.array(ends.astype(np.int32))
    return pa.ListArray.from_arrays(offsets, elements, mask=pa.array(empty) if empty.any() else None)


def _valid(values: pa.Array) -> npt.NDArray[np.bool_]:
    return values.is_valid().to_numpy(zero_copy_only=False)


def _all_hold(good: npt.NDArray[np.bool_], problem: Callable[[int], str]) -> None:
    if not good.all():
        row = int(np.argmin(good))
        raise BadValueError(row, problem(row))


def _shown(values: pa.Array, row: int) -> str:
    value = values[row].as_py()
    return "null" if value is None else repr(value)
