"""Checks that the rows of a day's folder are of that day.

Timestamps in the wrong unit, or rows of the evaluated day among the training days, look like any other number, and a
model that learned from them is evaluated too favourably. So the timestamps of all rows are counted per minute before
anything else is read. Two rules need no knowledge of the log's time zone:

- The folder's day in any time zone is within 14 hours of the day in UTC.
- In any time zone a day ends before the next one begins. Clocks that differ, and sessions that continue after midnight,
  may mix the rows of less than an hour.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

from ranker.config.rows import Where
from ranker.config.timestamps import Timestamps
from ranker.features import arrow
from ranker.features.keys_and_labels import TimestampKind
from ranker.features.log_column import LogColumn
from ranker.feed_log.layout import FeedLogError, LogFile, open_parquet
from ranker.feed_log.row_filter import kept_rows

_EPOCH = date(1970, 1, 1)
_DAY = 24 * 60  # minutes
_MIXED = 60  # minutes before and after the end of a day in which rows may be of the day before or after it
_FILES_AT_ONCE = 16
_PER_MINUTE = {"s": 60, "ms": 60_000, "us": 60_000_000, "ns": 60_000_000_000}
_UNITS = {  # milliseconds per unit
    "seconds": Fraction(1000),
    "milliseconds": Fraction(1),
    "microseconds": Fraction(1, 1000),
    "nanoseconds": Fraction(1, 10**6),
}
_WRONG_FACTORS = [Fraction(10) ** power for power in (3, 6, 9, -3, -6, -9)]
_NUMBER = re.compile(r"\s*[+-]?\d{1,30}(?:\.\d{0,30})?\s*")
_PLAUSIBLE_MS = (946_684_800_000, 4_102_444_800_000)  # the years 2000 to 2099

Minutes = npt.NDArray[np.int64]
_Wrong = Callable[[Minutes, pa.DataType], npt.NDArray[np.bool_]]


def check_type(path: str, schema: pa.Schema, column: LogColumn) -> None:
    """Checks the type of a file's column of timestamps; a missing column is not looked for.

    Raises:
        FeedLogError: the column is not accepted; the message has an example, and what it looks like.
    """
    index = schema.get_field_index(column.source)
    if index < 0 or TimestampKind.accepts(found := schema.field(index).type):
        return
    example, guess = "", ""
    try:
        with open_parquet(path) as file:
            rows = file.metadata.num_rows
            for batch in file.iter_batches(columns=[column.source]):
                values = batch.column(column.source).drop_null()
                if len(values):
                    example = f", such as {arrow.shown(values, 0)}"
                    guess = _guess(arrow.python_value(values, 0))
                    break
    except (pa.ArrowException, OSError) as error:
        raise FeedLogError(f"{path}: cannot be read: {error}") from error
    raise FeedLogError(
        f"{path}: timestamp column {column.source!r} is {found} in all {rows:,} rows{example}{guess}; accepted are "
        f"{TimestampKind.accepted}"
    )


def check_days(
    files: Mapping[date, Sequence[LogFile]], column: LogColumn, limits: Timestamps, where: Where = ()
) -> tuple[str, ...]:
    """Checks the timestamps of some days, which may be a window or a single day.

    Args:
        files: the files with rows by day, oldest first.
        column: the timestamps; of an accepted type.
        limits: the config's limits.
        where: conditions that rows must meet; others are not looked at.

    Returns:
        A warning for rows outside of their day, and one for rows in the time of another day, where they are too few for
        an error.

    Raises:
        FeedLogError: too many rows of a day are outside of it, or in the time of the day before or after it; or a
            timestamp is null. The message names file, column, number of rows, and an example.
    """
    flat = [file for of_day in files.values() for file in of_day]
    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        counted = dict(zip(flat, pool.map(lambda file: _count(file, column, limits, where), flat), strict=True))
    days = [_Day(day, [counted[file] for file in of_day], limits, where) for day, of_day in files.items()]
    outside = [_outside(day, column, limits) for day in days if day.outside]
    overlaps = [problem for before, after in pairwise(days) for problem in _overlap(before, after, column)]
    for problems in (outside, overlaps):
        if errors := [problem for problem in problems if problem.rows > limits.max_outside * problem.day.rows]:
            raise FeedLogError(_summary(errors))
    return tuple(_summary(problems) for problems in (outside, overlaps) if problems)


@dataclass(frozen=True)
class _Counts:
    """The timestamps of one file.

    Attributes:
        file: the file.
        rows: of the file.
        by_minute: rows by minute of the span of the day, [minutes].
    """

    file: LogFile
    rows: int
    by_minute: Minutes

    @property
    def outside(self) -> int:
        """Rows outside of the span."""
        return self.rows - int(self.by_minute.sum())


class _Day:
    """The timestamps of one day; `span` is the day with the hours before and after it, in minutes since 1970."""

    def __init__(self, day: date, files: Sequence[_Counts], limits: Timestamps, where: Where = ()) -> None:
        self.day = day
        self.where = where
        self.files = files
        self.span = _span(day, limits)
        self.rows = sum(file.rows for file in files)
        self.outside = sum(file.outside for file in files)

    def between(self, begin: int, end: int) -> Minutes:
        """Rows by minute from `begin` to before `end`, which include the span."""
        counts = np.zeros(end - begin, np.int64)
        for file in self.files:
            counts[self.span[0] - begin : self.span[1] - begin] += file.by_minute
        return counts


@dataclass(frozen=True)
class _Problem:
    day: _Day
    rows: int
    text: str


def _summary(problems: Sequence[_Problem]) -> str:
    more = len(problems) - 1
    return problems[0].text + (f" (and {more} more such day{'s' if more > 1 else ''})" if more else "")


def _span(day: date, limits: Timestamps) -> tuple[int, int]:
    midnight = (day - _EPOCH).days * _DAY
    return midnight - round(60 * limits.hours_before), midnight + _DAY + round(60 * limits.hours_after)


def _times_of(
    opened: pq.ParquetFile, column: LogColumn, where: Where
) -> Iterator[tuple[pa.Array, npt.NDArray[np.int64]]]:
    """The timestamps of the rows that meet the conditions, and the index of each row in the file."""
    names = dict.fromkeys([column.source, *(name for alternative in where for name, _, _ in alternative)])
    row = 0
    for batch in opened.iter_batches(columns=list(names)):
        kept = kept_rows(batch, where)
        values = batch.column(column.source)
        yield (values.take(pa.array(kept)) if len(kept) < len(values) else values), row + kept
        row += len(values)


def _count(file: LogFile, column: LogColumn, limits: Timestamps, where: Where) -> _Counts:
    begin, end = _span(file.day, limits)
    counts, row = np.zeros(end - begin, np.int64), 0
    try:
        with open_parquet(file.path) as opened:
            for values, rows in _times_of(opened, column, where):
                if values.null_count:
                    at = rows[int(np.argmin(arrow.valid(values)))]
                    raise FeedLogError(
                        f"{file.path}: timestamp column {column.source!r}, row {at}: null; every impression needs a "
                        "time"
                    )
                minutes = _minutes(values)
                inside = minutes[_is_inside(minutes, values.type, (begin, end))]
                counts += np.bincount(inside - begin, minlength=len(counts))
                row += len(values)
    except (pa.ArrowException, OSError) as error:
        raise FeedLogError(f"{file.path}: cannot be read beyond row {row}: {error}") from error
    return _Counts(file, row, counts)


def _minutes(values: pa.Array) -> Minutes:
    """Minutes since 1970, rounded down, [rows]; a date is its first minute."""
    if pt.is_date(values.type):
        days = values.cast(pa.date32()).view(pa.int32()).to_numpy(zero_copy_only=False)
        return days.astype(np.int64) * _DAY
    if pt.is_timestamp(values.type):
        return values.view(pa.int64()).to_numpy(zero_copy_only=False) // _PER_MINUTE[values.type.unit]
    return (values.to_numpy(zero_copy_only=False) // _PER_MINUTE["ms"]).astype(np.int64)


def _is_inside(minutes: Minutes, kind: pa.DataType, span: tuple[int, int]) -> npt.NDArray[np.bool_]:
    # A date stands for all of its day. So it is inside only if the hours before and after reach that far.
    last = minutes + _DAY - 1 if pt.is_date(kind) else minutes
    return (minutes >= span[0]) & (last < span[1])


def _outside(day: _Day, column: LogColumn, limits: Timestamps) -> _Problem:
    path, row, value = _first(day, column, lambda minutes, kind: ~_is_inside(minutes, kind, day.span))
    unit = "milliseconds since 1970" if pt.is_integer(value.type) else "times"
    text = (
        f"{path}: timestamp column {column.source!r}: {_of_rows(day.outside, day)} outside of {day.day}, the first in "
        f"row {row}: {_shown(value)}, {_meaning(value, day.span)}; expected are {unit} from {_iso(day.span[0])} to "
        f"{_iso(day.span[1])} UTC, that is {limits.hours_before:g} hours before to {limits.hours_after:g} hours after "
        "the day, for time zones"
    )
    return _Problem(day, day.outside, text)


def _overlap(before: _Day, after: _Day, column: LogColumn) -> Iterator[_Problem]:
    """Rows of a day that come after the beginning of the next one, and rows of the next one that come before it.

    The moment at which the next day begins is not known. It is assumed to be the one that leaves the fewest such rows.
    """
    begin, end = before.span[0], after.span[1]
    earlier, later = before.between(begin, end), after.between(begin, end)
    moments = np.arange(end - begin + 1)
    too_late = earlier.sum() - _before(earlier, moments + _MIXED)
    too_early = _before(later, moments - _MIXED)
    misplaced = too_late + too_early
    best = int(np.median(np.flatnonzero(misplaced == misplaced.min())))
    for day, other, rows in ((before, after, int(too_late[best])), (after, before, int(too_early[best]))):
        if rows:
            path, row, value = _first(day, column, _misplaced(day, begin + best, is_late=day is before))
            text = (
                f"{path}: timestamp column {column.source!r}: {_of_rows(rows, day)} of the time of {other.day}, the "
                f"first in row {row}: {_shown(value)}; by most rows, {after.day} begins at about {_iso(begin + best)} "
                "UTC; the days of a log must not overlap, as a model would be evaluated on what it was trained on"
            )
            yield _Problem(day, rows, text)


def _before(counts: Minutes, moments: Minutes) -> Minutes:
    """The sum of the counts of all minutes before each moment."""
    return np.concatenate([[0], np.cumsum(counts)])[np.clip(moments, 0, len(counts))]


def _misplaced(day: _Day, moment: int, is_late: bool) -> _Wrong:
    def wrong(minutes: Minutes, kind: pa.DataType) -> npt.NDArray[np.bool_]:
        beyond = minutes >= moment + _MIXED if is_late else minutes < moment - _MIXED
        return beyond & _is_inside(minutes, kind, day.span)

    return wrong


def _first(day: _Day, column: LogColumn, wrong: _Wrong) -> tuple[str, int, pa.Scalar]:
    """File, row and value of a day's first timestamp that is wrong; there is one."""
    for counts in day.files:
        with open_parquet(counts.file.path) as opened:
            for values, rows in _times_of(opened, column, day.where):
                found = wrong(_minutes(values), values.type)
                if found.any():
                    at = int(np.argmax(found))
                    return counts.file.path, int(rows[at]), values[at]
    raise FeedLogError(f"{day.files[0].file.path}: changed while it was read")


def _of_rows(rows: int, day: _Day) -> str:
    if rows == day.rows:
        return f"all {rows:,} rows of the day are"
    return f"{rows:,} of the {day.rows:,} rows of the day {'is' if rows == 1 else 'are'}"


def _shown(value: pa.Scalar) -> str:
    if pt.is_integer(value.type):
        return str(value.as_py())
    if pt.is_date(value.type):
        return str(np.datetime64(value.cast(pa.date32()).value, "D"))
    # The text of numpy has years beyond 9999, unlike that of Python.
    return str(np.datetime64(value.value, value.type.unit))


def _meaning(value: pa.Scalar, span: tuple[int, int]) -> str:
    """What a timestamp outside of the span looks like."""
    if pt.is_integer(value.type):
        ms = Fraction(value.as_py())
        if unit := _unit(ms, (span[0] * 60_000, span[1] * 60_000)):
            return f"which looks like {unit} since 1970"
        unit = _unit(ms, _PLAUSIBLE_MS)
        if unit == "milliseconds":
            return f"which is {_iso_ms(ms)} UTC"
        if not unit:
            return "which is no time of this century in any unit"
        return f"which looks like {unit} since 1970, {_iso_ms(ms * _UNITS[unit])} UTC"
    if pt.is_date(value.type):
        return "another day"
    ms = value.value * Fraction(60_000, _PER_MINUTE[value.type.unit])
    for factor in _WRONG_FACTORS:
        if span[0] <= ms * factor / 60_000 < span[1]:
            said = f"too small by a factor of {factor}" if factor > 1 else f"too large by a factor of {1 / factor}"
            return f"{said}, which looks like a conversion from the wrong unit"
    return "another time"


def _guess(value: Any) -> str:
    """What an example of a type that is not accepted looks like."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    text = isinstance(value, str)
    try:
        # A fraction such as 1/0, or an exponent of many digits, is no time in any unit.
        number = Fraction(value) if not text or _NUMBER.fullmatch(value) else None
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is not None:
        unit = _unit(number, _PLAUSIBLE_MS)
        return f", which looks like {unit} since 1970{' as text' if text else ''}" if unit else ""
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return ""
    return ", which looks like a time as text"


def _unit(number: Fraction, within: tuple[int, int]) -> str:
    """The unit in which a number is a time within two bounds in milliseconds since 1970, or ""."""
    return next((unit for unit, ms in _UNITS.items() if within[0] <= number * ms < within[1]), "")


def _iso(minutes: int) -> str:
    return str(np.datetime64(minutes, "m"))


def _iso_ms(ms: Fraction) -> str:
    return str(np.datetime64(int(ms), "ms").astype("datetime64[s]"))
