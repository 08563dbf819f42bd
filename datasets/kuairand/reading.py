"""Reads a CSV into Arrow with given column types; errors name file, column and line."""

import csv as python_csv
import gzip
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from datasets.kuairand.files import RawDataError

_FIRST_DATA_LINE = 2  # line 1 is the header
_MOST_HEADER_BYTES = 1 << 20
_INT64 = np.iinfo(np.int64)


def read_csv(path: Path, columns: Mapping[str, pa.DataType], required: frozenset[str]) -> pa.Table:
    """The named columns of a CSV, plain or gzipped; other columns are ignored, and an empty cell is null.

    Args:
        path: the file; `.gz` at the end of its name means gzip.
        columns: the columns to read and their types: int64, float64 or string.
        required: columns among them that must not have empty cells.

    Raises:
        RawDataError: the file cannot be read, a column is missing, a value is not a number, or a required one is empty.
    """
    _check_header(path, columns)
    try:
        table = _read(path, columns)
    except pa.ArrowInvalid as error:
        raise _diagnosis(path, columns, error) from error
    for name in sorted(required):
        check_values(path, name, table[name].is_null(), lambda _: "the value is missing")
    return table


def check_values(
    path: Path, column: str, wrong: pa.ChunkedArray | pa.Array | np.ndarray, complaint: Callable[[int], str]
) -> None:
    """Raises RawDataError if any of `wrong` [rows] is true; `complaint` makes the message from the first such index."""
    marks = np.asarray(wrong)
    if marks.any():
        row = int(marks.argmax())
        raise RawDataError(f"{path}: column {column}, line {row + _FIRST_DATA_LINE}: {complaint(row)}")


def _check_header(path: Path, columns: Mapping[str, pa.DataType]) -> None:
    present = _header(path)
    if missing := [name for name in columns if name not in present]:
        raise RawDataError(f"{path}: the column {missing[0]} is missing; the header holds {', '.join(present)}")
    counts = Counter(present)
    if twice := [name for name in columns if counts[name] > 1]:
        raise RawDataError(f"{path}: the header holds the column {twice[0]} {counts[twice[0]]} times; once is valid")


def _header(path: Path) -> list[str]:
    """The names in the first line.

    Arrow's streaming reader would read ahead in threads for them, and a later reader can wait for these for ever.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            line = file.readline(_MOST_HEADER_BYTES)
        found = next(python_csv.reader([line.decode("utf-8-sig")]), [])
    except UnicodeDecodeError:
        raise RawDataError(f"{path}: cannot be read as CSV: the header is not text in UTF-8") from None
    except (OSError, EOFError, zlib.error, python_csv.Error) as error:
        raise RawDataError(f"{path}: cannot be read as CSV: {_first_line(error)}") from error
    if not found:
        raise RawDataError(f"{path}: cannot be read as CSV: it begins with an empty line, where a header is expected")
    return found


def _read(path: Path, columns: Mapping[str, pa.DataType]) -> pa.Table:
    options = csv.ConvertOptions(
        include_columns=list(columns), column_types=dict(columns), null_values=[""], strings_can_be_null=True
    )
    try:
        return csv.read_csv(str(path), convert_options=options)
    except OSError as error:
        raise RawDataError(f"{path}: cannot be read: {_first_line(error)}") from error


def _diagnosis(path: Path, columns: Mapping[str, pa.DataType], error: pa.ArrowInvalid) -> RawDataError:
    """Finds the first cell with a wrong type; Arrow's own message names neither column nor line."""
    try:
        text = _read(path, dict.fromkeys(columns, pa.string()))
    except pa.ArrowInvalid:
        return RawDataError(f"{path}: cannot be read as CSV: {_first_line(error)}")
    for name, kind in columns.items():
        cells = text[name].to_pandas()
        if pa.types.is_string(kind) or not (wrong := _unfit(cells, kind)).any():
            continue
        row = int(wrong.argmax())
        expected = "an integer" if pa.types.is_integer(kind) else "a number"
        return RawDataError(
            f"{path}: column {name}, line {row + _FIRST_DATA_LINE}: expected {expected}, got {cells.iloc[row]!r}"
        )
    return RawDataError(f"{path}: cannot be read as CSV: {_first_line(error)}")


def _unfit(cells: pd.Series, kind: pa.DataType) -> npt.NDArray[np.bool_]:
    """Which cells of text [rows] are neither empty nor a number, or not an int64 where `kind` is an integer type."""
    numbers = pd.to_numeric(cells, errors="coerce")
    wrong = numbers.isna() & cells.notna()
    if pa.types.is_integer(kind):
        digits = cells.str.fullmatch(r"\s*-?\d+\s*").fillna(True).astype(bool)
        # float64 cannot tell the limits of int64 from the numbers beside them; Arrow can, and refuses the file anyway.
        wrong |= ~digits | (numbers.notna() & ((numbers < _INT64.min) | (numbers > _INT64.max)))
    return wrong.to_numpy()


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
