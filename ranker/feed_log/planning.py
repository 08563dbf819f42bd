"""Plans FeedLogGen's work before anything is written: which rows of which file become which shards."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from ranker.config.rows import Rows, Where
from ranker.features.keys_and_labels import TimestampKind
from ranker.features.log_column import LogColumn
from ranker.feed_log.columns import LogColumns, check_names, check_schema
from ranker.feed_log.duplicates import refuse_copies
from ranker.feed_log.layout import (
    FeedLogError,
    LogFile,
    day_files,
    day_folder_name,
    list_days,
    open_all,
    open_parquet,
    reference_days,
    window_days,
)
from ranker.feed_log.row_filter import check_filter, kept_rows
from ranker.feed_log.timestamps import check_days, check_type
from ranker.storage import join

Split = Literal["reference", "replay", "train", "eval"]
SPLITS: tuple[Split, ...] = ("replay", "train", "eval")  # what is written, from the oldest days to the newest

MAX_SHARD_ROWS = 25_000
MIN_SHARD_ROWS = 1_000
WANTED_SHARDS = 4  # enough to keep a few workers busy in the components that read them

_FILTER_ROWS = 1 << 16
_FILES_AT_ONCE = 16

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkUnit:
    """Consecutive row groups of one file, and the shards that they become.

    Attributes:
        day: of the file.
        first_row: index of the first row within the file, from 0.
        rows: rows in these row groups that meet the conditions.
        first_shard: index of the first shard within the split.
        shards: number of shards among which the rows are divided evenly.
        shards_in_split: number of shards in the split.
        where: conditions that rows must meet.
        recency: the factor of the rows' weights.
    """

    split: Split
    day: date
    path: str
    row_groups: tuple[int, ...]
    first_row: int
    rows: int
    first_shard: int
    shards: int
    shards_in_split: int
    where: Where = ()
    recency: float = 1.0


@dataclass(frozen=True)
class WindowPlan:
    """Everything that one run of FeedLogGen reads.

    Attributes:
        rows_per_day: rows of each existing day, oldest first: replayed days, train days, eval day.
        missing_days: train days without a folder, oldest first.
        warnings: sentences on rows that are not of their day, but too few for an error.
        reference: units of the reference days that no split holds; they are profiled and not written.
    """

    units: tuple[WorkUnit, ...]
    rows_per_day: dict[date, int]
    missing_days: tuple[date, ...]
    warnings: tuple[str, ...] = ()
    reference: tuple[WorkUnit, ...] = ()

    @property
    def splits(self) -> tuple[Split, ...]:
        """The existing splits: train and eval, and replay if a replayed day exists."""
        return tuple(split for split in SPLITS if any(unit.split == split for unit in self.units))

    @property
    def usual_rows(self) -> int:
        """The median of the rows of the days before the last one: of all splits, and of the reference days."""
        *before, _ = self.rows_per_day.values()
        reference: Counter[date] = Counter()
        for unit in self.reference:
            reference[unit.day] += unit.rows
        return int(median([*before, *reference.values()]))

    def rows(self, split: Split) -> int:
        """Rows of one split."""
        return sum(unit.rows for unit in self.units if unit.split == split)


@dataclass(frozen=True)
class _RowGroups:
    """The row groups of a file: all rows of each, and those that meet the conditions."""

    rows: tuple[int, ...]
    of_group: tuple[int, ...]

    @property
    def kept(self) -> int:
        """The rows that meet the conditions."""
        return sum(self.of_group)


@dataclass(frozen=True)
class _Piece:
    """Consecutive row groups of one file; `rows` are those that meet the conditions."""

    day: date
    path: str
    row_groups: tuple[int, ...]
    first_row: int
    rows: int


def plan_window(
    root: str | Path,
    eval_day: date,
    train_days: int,
    columns: LogColumns,
    replay_days: int = 0,
    reference: int = 0,
) -> WindowPlan:
    """Finds the files of a window, checks every footer against the columns, and divides the rows into shards.

    The same window gives the same plan on every orchestrator.

    Args:
        root: the feed log.
        eval_day: becomes the split eval.
        train_days: number of days before it that become the split train.
        columns: the columns that every file must have.
        replay_days: number of days before those that become the split replay; missing ones are skipped.
        reference: number of days before `eval_day` that it is compared with; missing ones are skipped.

    Raises:
        FeedLogError: the eval day or all train days are missing, a day has no rows or too many rows of another day, a
            file is not Parquet or is a copy of another, a column is missing or has a wrong type, or no row of a day
            meets the conditions of `rows.where`.
    """
    days = window_days(eval_day, train_days)
    files = {day: found for day in days if (found := day_files(root, day)) is not None}
    missing = tuple(day for day in days if day not in files)
    if eval_day in missing:
        there = _described(list_days(root))
        raise FeedLogError(
            f"feed log {root}: the eval day {eval_day} has no folder {day_folder_name(eval_day)}; days there: {there}"
        )
    if len(missing) == train_days:
        raise FeedLogError(
            f"feed log {root}: none of the {train_days} train days before {eval_day} ({_described(days[:-1])}) has a "
            f"folder; days there: {_described(list_days(root))}"
        )
    if missing:
        _logger.warning("feed log %s: continuing without the missing days %s", root, _described(missing))

    replayed = window_days(eval_day, train_days + replay_days)[:replay_days]
    earlier = {day: found for day in replayed if (found := day_files(root, day))}
    only_reference = {
        day: found
        for day in reference_days(eval_day, reference)
        if day not in earlier | files and (found := day_files(root, day))
    }
    footers = _checked_footers(root, only_reference | earlier | files, columns)
    refuse_copies(footers)
    groups = _row_groups(root, footers, columns.rows)
    warnings = (*_check_times(footers, columns), *_left_out(groups, columns.rows))
    for warning in warnings:
        _logger.warning("%s", warning)
    rows_per_day = {day: sum(groups[file].kept for file in of_day) for day, of_day in (earlier | files).items()}
    # The held-out day is no reason to count the newest training day less.
    recency = columns.rows.recency(day for day in rows_per_day if day != eval_day)
    units: list[WorkUnit] = []
    for split in SPLITS:
        of_split = {
            file: of_file
            for file, of_file in groups.items()
            if file.day not in only_reference and _split_of(file.day, days) == split
        }
        units += _units(split, of_split, columns.rows.where, recency)
    others = {file: of_file for file, of_file in groups.items() if file.day in only_reference}
    reference_units = tuple(_units("reference", others, columns.rows.where))
    return WindowPlan(tuple(units), rows_per_day, missing, warnings, reference_units)


def plan_day(
    root: str | Path, day: date, columns: LogColumns, warn: Callable[[str], None] = _logger.warning
) -> tuple[WorkUnit, ...]:
    """The work units of a single day, planned like an eval day.

    Args:
        warn: called with a sentence if the day has rows of another day, but too few for an error.

    Raises:
        FeedLogError: as `plan_window`.
    """
    files = day_files(root, day)
    if files is None:
        raise FeedLogError(
            f"feed log {root}: no folder {day_folder_name(day)}; days there: {_described(list_days(root))}"
        )
    footers = _checked_footers(root, {day: files}, columns)
    refuse_copies(footers)
    groups = _row_groups(root, footers, columns.rows)
    for warning in (*_check_times(footers, columns), *_left_out(groups, columns.rows)):
        warn(warning)
    return tuple(_units("eval", groups, columns.rows.where))


def _split_of(day: date, window: Sequence[date]) -> Split:
    """The split of a day; `window` has the train days and then the eval day."""
    if day < window[0]:
        return "replay"
    return "eval" if day == window[-1] else "train"


def _checked_footers(
    root: str | Path, files: Mapping[date, Sequence[LogFile]], columns: LogColumns
) -> dict[LogFile, pq.FileMetaData]:
    """The footers of all files; checks that every day has rows, and every file with rows the right columns."""
    flat = [file for of_day in files.values() for file in of_day]
    footers = dict(zip(flat, open_all(flat), strict=True))
    for day, of_day in files.items():
        if not any(footers[file].num_rows for file in of_day):
            raise FeedLogError(
                f"{join(root, day_folder_name(day))}: a day's folder needs Parquet files with at least one row, and "
                "has none"
            )
    for file, footer in footers.items():
        # Writers that infer types from values cannot do so for an empty file.
        if footer.num_rows:
            schema = _arrow_schema(file, footer)
            for column in _timestamps(columns):
                check_type(file.path, schema, column)
            check_schema(file.path, schema, columns.columns)
            check_names(file.path, schema, columns.rows.columns)
            check_filter(file.path, columns.rows.where, schema)
    return footers


def _arrow_schema(file: LogFile, footer: pq.FileMetaData) -> pa.Schema:
    try:
        return footer.schema.to_arrow_schema()
    except pa.ArrowException as error:
        raise FeedLogError(f"{file.path}: the types of its columns cannot be read: {error}") from error


def _row_groups(
    root: str | Path, footers: Mapping[LogFile, pq.FileMetaData], rows: Rows
) -> dict[LogFile, "_RowGroups"]:
    """The row groups of all files with the rows that meet the conditions.

    Raises:
        FeedLogError: no row of a day meets them, or a file is damaged.
    """
    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        found = dict(zip(footers, pool.map(lambda one: _counted(one[0], one[1], rows), footers.items()), strict=True))
    kept: Counter[date] = Counter()
    for file, groups in found.items():
        kept[file.day] += groups.kept
    if empty := sorted(day for day, count in kept.items() if not count):
        raise FeedLogError(
            f"{join(root, day_folder_name(empty[0]))}: no row meets the conditions of rows.where, {_shown(rows.where)}"
        )
    return found


def _counted(file: LogFile, footer: pq.FileMetaData, rows: Rows) -> "_RowGroups":
    sizes = tuple(footer.row_group(group).num_rows for group in range(footer.num_row_groups))
    if not rows.where:
        return _RowGroups(sizes, sizes)
    kept = []
    try:
        with open_parquet(file.path) as opened:
            for group in range(len(sizes)):
                batches = opened.iter_batches(_FILTER_ROWS, row_groups=[group], columns=list(rows.columns))
                kept.append(sum(len(kept_rows(batch, rows.where)) for batch in batches))
    except (pa.ArrowException, OSError) as error:
        raise FeedLogError(f"{file.path}: cannot be read: {error}") from error
    return _RowGroups(sizes, tuple(kept))


def _left_out(groups: Mapping[LogFile, "_RowGroups"], rows: Rows) -> tuple[str, ...]:
    """One sentence on the rows that do not meet the conditions, if there are conditions."""
    if not rows.where:
        return ()
    everything = sum(sum(of_file.rows) for of_file in groups.values())
    left_out = everything - sum(of_file.kept for of_file in groups.values())
    share = 100.0 * left_out / everything
    return (
        f"rows.where leaves out {left_out:,} of the {everything:,} rows that were read ({share:.3g} %): kept are rows "
        f"with {_shown(rows.where)}",
    )


def _shown(where: Where) -> str:
    return " or ".join(
        " and ".join(f"{column} {operator} {value!r}" for column, operator, value in alternative)
        for alternative in where
    )


def _check_times(footers: Mapping[LogFile, pq.FileMetaData], columns: LogColumns) -> tuple[str, ...]:
    """Checks that the rows of every day are of that day; the warnings of `timestamps.check_days`."""
    files: dict[date, list[LogFile]] = {}
    for file, footer in footers.items():
        if footer.num_rows:
            files.setdefault(file.day, []).append(file)
    return tuple(
        warning
        for column in _timestamps(columns)
        for warning in check_days(dict(sorted(files.items())), column, columns.timestamps, columns.rows.where)
    )


def _timestamps(columns: LogColumns) -> list[LogColumn]:
    return [column for column in columns.columns if column.kind == TimestampKind.name]


def _units(
    split: Split,
    files: Mapping[LogFile, "_RowGroups"],
    where: Where,
    recency: Mapping[date, float] = MappingProxyType({}),
) -> list[WorkUnit]:
    rows = sum(groups.kept for groups in files.values())
    per_shard = min(MAX_SHARD_ROWS, max(MIN_SHARD_ROWS, _divide_up(rows, WANTED_SHARDS)))
    pieces = [piece for file, groups in files.items() for piece in _pieces(file, groups, per_shard)]
    shards = [_divide_up(piece.rows, per_shard) for piece in pieces]
    return [
        WorkUnit(
            split,
            piece.day,
            piece.path,
            piece.row_groups,
            piece.first_row,
            piece.rows,
            sum(shards[:i]),
            shards[i],
            sum(shards),
            where,
            recency.get(piece.day, 1.0),
        )
        for i, piece in enumerate(pieces)
    ]


def _pieces(file: LogFile, row_groups: "_RowGroups", per_shard: int) -> Iterator[_Piece]:
    """Joins row groups that fit into one shard together; a larger one stays alone."""
    groups: list[int] = []
    first_row = begin = rows = 0
    for group, (size, more) in enumerate(zip(row_groups.rows, row_groups.of_group, strict=True)):
        if rows and rows + more > per_shard:
            yield _Piece(file.day, file.path, tuple(groups), first_row, rows)
            groups, first_row, rows = [], begin, 0
        groups.append(group)
        rows += more
        begin += size
    if rows:
        yield _Piece(file.day, file.path, tuple(groups), first_row, rows)


def _divide_up(rows: int, by: int) -> int:
    return -(-rows // by)


def _described(days: Sequence[date]) -> str:
    """The days as text: all of them, or only the first and the last of more than eight."""
    if len(days) > 8:
        return f"{days[0]} … {days[-1]}"
    return ", ".join(map(str, days)) or "none"
