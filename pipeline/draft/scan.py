"""What the columns of an unknown feed log hold: types, missing and distinct values, ranges, and a sample of rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from ranker.features import arrow
from ranker.feed_log.layout import FeedLogError, day_files, open_parquet
from ranker.feed_log.reading import parquet_batches

SAMPLE_ROWS = 100_000
"""Rows of the newest days that columns are compared with each other on."""

MOST_DISTINCT = 50_000
"""Distinct values of a column that are counted; a column with more has many."""

STANDS_TWICE = "stands more than once in a file"
"""Why a column is not read whose name a file has twice: its two columns may differ."""

_MS_PER_DAY = 86_400_000
_ZONE_MS = 14 * 3_600_000  # time zones are up to 14 hours from UTC


@dataclass
class ScannedColumn:
    """One column over all rows that were read.

    Attributes:
        name: its name in the Parquet files.
        types: its Arrow types, without dictionaries; files may differ.
        rows: rows of the files that have it.
        nulls: rows without a value: null, NaN or "".
        values: values in all rows; with lists, their elements.
        distinct: the distinct values, or the first `MOST_DISTINCT` of them.
        whole: whether all numbers are whole.
        finite: whether all numbers are finite.
        others: numbers that are neither 0 nor 1.
        least: the smallest number.
        largest: the largest number.
        sizes: the sizes of its lists, or the first 1,000 distinct ones.
        outside: values that are not of the folder's day, read as a time in milliseconds.
        absent: the days with a file that lacks it.
    """

    name: str
    types: list[pa.DataType] = field(default_factory=list)
    rows: int = 0
    nulls: int = 0
    values: int = 0
    distinct: set[Any] = field(default_factory=set)
    whole: bool = True
    finite: bool = True
    others: int = 0
    least: float = np.inf
    largest: float = -np.inf
    sizes: set[int] = field(default_factory=set)
    outside: int = 0
    absent: list[date] = field(default_factory=list)

    @property
    def has_many(self) -> bool:
        """Whether there are more distinct values than are counted."""
        return len(self.distinct) > MOST_DISTINCT

    @property
    def is_list(self) -> bool:
        """Whether all files have lists."""
        return bool(self.types) and all(arrow.is_list(kind) for kind in self.types)

    @property
    def elements(self) -> list[pa.DataType]:
        """The types of the values, or of the lists' elements."""
        return [arrow.decoded_type(kind.value_type) if arrow.is_list(kind) else kind for kind in self.types]

    @property
    def is_number(self) -> bool:
        """Whether its values, or its lists' elements, are numbers."""
        return bool(self.types) and all(arrow.is_number(kind) for kind in self.elements)

    @property
    def is_text(self) -> bool:
        """Whether its values, or its lists' elements, are texts."""
        return bool(self.types) and all(arrow.is_text(kind) for kind in self.elements)

    @property
    def is_time(self) -> bool:
        """Whether it is a point in time, or an integer that may be one."""
        return bool(self.types) and all(
            pt.is_timestamp(kind) or pt.is_date(kind) or pt.is_integer(kind) for kind in self.types
        )

    @property
    def is_binary_outcome(self) -> bool:
        """Whether its values are 0 and 1, and both occur."""
        return not self.is_list and self.is_number and self.finite and self.distinct == {0, 1}

    @property
    def shown_type(self) -> str:
        """Its type as text."""
        return " or ".join(str(kind) for kind in self.types)

    def add(self, values: pa.Array, day: date) -> None:
        """Adds the rows of a batch."""
        if pt.is_dictionary(values.type):
            values = values.dictionary_decode()
        if values.type not in self.types and not pt.is_null(values.type):
            self.types.append(values.type)
        self.rows += len(values)
        self.nulls += values.null_count
        kind = values.type
        if arrow.is_list(kind):
            sizes = pc.list_value_length(values).drop_null()
            if len(self.sizes) < 1_000:
                self.sizes.update(pc.unique(sizes).to_pylist())
            values = pc.list_flatten(values)
            if pt.is_dictionary(values.type):
                values = values.dictionary_decode()
        elif pt.is_timestamp(kind) or pt.is_date(kind) or pt.is_integer(kind):
            self.outside += _outside(values, day)
        if arrow.is_number(values.type):
            self._add_numbers(values, count_missing=not arrow.is_list(kind))
        elif arrow.is_text(values.type):
            if not arrow.is_list(kind):
                empty = pc.equal(pc.binary_length(values), 0)
                self.nulls += int(pc.sum(pc.fill_null(empty, False)).as_py() or 0)
            self._add_distinct(values)
        self.values += len(values) - values.null_count

    def _add_numbers(self, values: pa.Array, count_missing: bool) -> None:
        if pt.is_boolean(values.type) or pt.is_integer(values.type):
            if pt.is_boolean(values.type):
                values = values.cast(pa.uint8())
            self._add_distinct(values)
            numbers = values.drop_null().cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        else:
            numbers = numbers_of(values)
            missing = np.isnan(numbers)
            if count_missing:
                self.nulls += int(missing.sum()) - values.null_count
            elif missing.any():
                self.finite = False
            numbers = numbers[~missing]
            if not self.has_many:
                self.distinct.update(np.unique(numbers[np.isfinite(numbers)])[: MOST_DISTINCT + 1].tolist())
        self.others += int(np.count_nonzero((numbers != 0) & (numbers != 1)))
        finite = np.isfinite(numbers)
        self.finite &= bool(finite.all())
        self.whole &= bool((np.trunc(numbers[finite]) == numbers[finite]).all())
        if finite.any():
            self.least = min(self.least, float(numbers[finite].min()))
            self.largest = max(self.largest, float(numbers[finite].max()))

    def _add_distinct(self, values: pa.Array) -> None:
        if not self.has_many:
            found = map(_as_text, pc.unique(values.drop_null())[: MOST_DISTINCT + 1].to_pylist())
            self.distinct.update(value for value in found if value != "")


@dataclass(frozen=True, eq=False)
class LogScan:
    """The columns of some days of a feed log.

    Attributes:
        days: the days that were read, oldest first.
        all_days: the days that the log has.
        rows: the number of rows that were read.
        columns: by name, in the order of the files.
        sample: the rows of the newest days, by column; a file that lacks a column has nulls.
        twice: the names that a file has more than once; "" if a column has no name.
    """

    days: tuple[date, ...]
    all_days: tuple[date, ...]
    rows: int
    columns: dict[str, ScannedColumn]
    sample: dict[str, list[pa.Array]]
    twice: tuple[str, ...]

    def codes(self, name: str, rows: int = SAMPLE_ROWS) -> npt.NDArray[np.int64]:
        """A code per distinct value of a column, of the first rows of the sample; -1 where missing."""
        values: list[Any] = []
        for part in self.sample[name]:
            values += map(_as_text, part[: rows - len(values)].to_pylist())
            if len(values) >= rows:
                break
        return np.asarray(pd.factorize(np.array(values, dtype=object))[0], np.int64)


def scan(feed_log: str | Path, days: Sequence[date], all_days: Sequence[date]) -> LogScan:
    """Reads every row of the days once; memory is bounded by the columns' distinct values and the sample.

    Raises:
        FeedLogError: a day has no rows, or a file cannot be read.
    """
    columns: dict[str, ScannedColumn] = {}
    parts: list[dict[str, pa.Array]] = []
    twice: list[str] = []
    rows, sampled = 0, 0
    for day in reversed(days):
        before = rows
        for path, names, doubled in _files(feed_log, day):
            twice += [name for name in doubled if name not in twice]
            for name in names:
                if name not in columns:
                    columns[name] = ScannedColumn(name, absent=[other for other in days if other > day])
            for absent in (column for name, column in columns.items() if name not in names):
                if day not in absent.absent:
                    absent.absent.append(day)
            try:
                for batch in parquet_batches(path, names):
                    values = {name: _readable(batch.column(name)) for name in names}
                    for name in names:
                        columns[name].add(values[name], day)
                    rows += batch.num_rows
                    if sampled < SAMPLE_ROWS:
                        kept = min(batch.num_rows, SAMPLE_ROWS - sampled)
                        parts.append({name: values[name].slice(0, kept) for name in names})
                        sampled += kept
            except (pa.ArrowException, OSError) as error:
                raise FeedLogError(f"{path}: cannot be read: {error}") from error
        if rows == before:
            raise FeedLogError(f"feed log {feed_log}: day {day} has no rows")
    for name in twice:
        columns.pop(name, None)
    sample = {name: [_decoded(part, name) for part in parts] for name in columns}
    return LogScan(tuple(days), tuple(all_days), rows, columns, sample, tuple(twice))


def numbers_of(values: pa.Array) -> npt.NDArray[np.float64]:
    """[rows] float64, NaN where null, of any numbers."""
    if pt.is_boolean(values.type):
        values = values.cast(pa.uint8())
    if pt.is_float16(values.type):
        return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)
    return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)


def _files(feed_log: str | Path, day: date) -> Iterator[tuple[str, list[str], list[str]]]:
    """Each file with rows: its path, the names of its columns, and those that it has more than once, or that are ""."""
    for file in day_files(feed_log, day) or ():
        with open_parquet(file.path) as opened:
            names = opened.schema_arrow.names
            if opened.metadata.num_rows:
                doubled = sorted({name for name in names if names.count(name) > 1 or not name})
                yield file.path, [name for name in names if name not in doubled], doubled


def _readable(values: pa.Array) -> pa.Array:
    """The values; texts that are not in UTF-8, such as Latin-1, as bytes, as which the pipeline reads them."""
    kind = values.type
    elements = kind.value_type if arrow.is_list(kind) else kind
    if not arrow.is_text(elements):
        return values
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        if not arrow.is_list(kind):
            return (values.dictionary_decode() if pt.is_dictionary(kind) else values).cast(pa.large_binary())
        flat = pc.list_flatten(values)
        if pt.is_dictionary(flat.type):
            flat = flat.dictionary_decode()
        sizes = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False)
        ends = pa.array(np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]))
        missing = values.is_null() if values.null_count else None
        return pa.LargeListArray.from_arrays(ends, flat.cast(pa.large_binary()), mask=missing)
    return values


def _as_text(value: Any) -> Any:
    """The value; bytes in UTF-8 as text, so that a value is the same one in a batch beside others that are not."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _decoded(part: dict[str, pa.Array], name: str) -> pa.Array:
    if name not in part:
        return pa.nulls(len(next(iter(part.values()))))
    values = part[name]
    return values.dictionary_decode() if pt.is_dictionary(values.type) else values


def _outside(values: pa.Array, day: date) -> int:
    """How many values are not within 14 hours of the day, read as milliseconds since 1970."""
    present = values.drop_null()
    if not pt.is_integer(present.type):
        present = present.cast(pa.timestamp("ms", getattr(present.type, "tz", None)), safe=False)
    times = present.cast(pa.int64(), safe=False).to_numpy(zero_copy_only=False)
    begin = int(datetime.combine(day, time(), UTC).timestamp()) * 1_000
    return int(np.count_nonzero((times < begin - _ZONE_MS) | (times >= begin + _MS_PER_DAY + _ZONE_MS)))
