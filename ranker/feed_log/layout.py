"""The feed log on disk: `<root>/day-YYYY-MM-DD/*.parquet`, one row per impression.

A name that starts with `.` or `_` or ends in `.tmp` is being written and is ignored. Any other unexpected name is an
error, so that no data is silently skipped.
"""

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from ranker.feed_log.parquet_types import WithoutArrowTypes
from ranker.files import interrupted
from ranker.plain_text import without_secrets
from ranker.storage import filesystem_of, join, local_path, store_problem

_DAY_FOLDER = re.compile(r"day-(?P<day>.*)")
# Other spellings of a day, such as Day-2026-01-05, day_20260105, 2026-1-5 or dt=2026-01-05.
_LIKE_A_DAY = re.compile(r"(?:day|date|dt|ds)[\W_]*\d.*|\d{4}[\W_]?\d{1,2}[\W_]?\d{1,2}", re.IGNORECASE)
_FILES_AT_ONCE = 16


class FeedLogError(ValueError):
    """The feed log is not valid; the message says where and what was expected."""


@dataclass(frozen=True)
class LogFile:
    """One Parquet file of a day.

    Attributes:
        size: in bytes.
        mtime_ns: time of the last change, in nanoseconds since 1970; 0 if the store does not report it.
    """

    day: date
    path: str
    size: int
    mtime_ns: int = 0


def parse_day(text: str) -> date:
    """The day that `YYYY-MM-DD` names; raises FeedLogError for anything else."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    # fromisoformat also accepts 20240131 and 2024-W05-3.
    if day is None or day.isoformat() != text:
        raise FeedLogError(f"{text!r} is not a day; write it as YYYY-MM-DD")
    return day


def day_folder_name(day: date) -> str:
    """The name of the folder of a day."""
    return f"day-{day.isoformat()}"


def window_days(eval_day: date, train_days: int) -> list[date]:
    """The `train_days` days before `eval_day` and that day itself, oldest first.

    Raises:
        FeedLogError: the calendar has no such days, as it begins with the year 1.
    """
    try:
        first = eval_day - timedelta(days=train_days)
    except OverflowError:
        raise FeedLogError(f"feed log: there are no {train_days} days before {eval_day}") from None
    return [first + timedelta(days=number) for number in range(train_days + 1)]


def reference_days(evaluated: date, train_days: int) -> list[date]:
    """The days that an evaluated day is compared with, oldest first: the `train_days` days before it.

    They are the same whatever the training starts from. A warm start trains on one or two of them; compared with those,
    every weekend would be a drift.
    """
    return window_days(evaluated, train_days)[:-1]


def list_days(root: str | Path) -> list[date]:
    """The days of the feed log, oldest first.

    Raises:
        FeedLogError: there is no folder at `root`, a name looks like that of a day without being one, a day is not a
            folder, or the writer that was replacing a day was killed.
    """
    days = days_to_write(root)
    _check_replaced(root)
    return days


def days_to_write(root: str | Path) -> list[date]:
    """As `list_days`, for a writer: a day that a killed one was replacing is not there, and can be written again."""
    days = []
    for info in _list_folder(root):
        if match := _DAY_FOLDER.fullmatch(info.base_name):
            try:
                days.append(parse_day(match["day"]))
            except FeedLogError as error:
                raise FeedLogError(f"feed log {root}: folder {info.base_name!r}: {error}") from None
            if info.type != fs.FileType.Directory:
                raise FeedLogError(f"feed log {root}: {info.base_name!r} is a file; a day is a folder of Parquet files")
        elif _LIKE_A_DAY.fullmatch(info.base_name):
            raise FeedLogError(
                f"feed log {root}: {info.base_name!r} looks like a day; rename it to day-YYYY-MM-DD, or to a name that "
                "starts with _ to leave it out"
            )
    for name in _dangling_links(root):
        if _DAY_FOLDER.fullmatch(name) or _LIKE_A_DAY.fullmatch(name):
            raise FeedLogError(f"feed log {root}: {name!r} is a link to nothing; a day is a folder of Parquet files")
    return sorted(days)


def latest_day(root: str | Path) -> date:
    """The newest day of the feed log; raises FeedLogError if there is none."""
    days = list_days(root)
    if not days:
        raise FeedLogError(f"feed log {root}: it needs at least one folder named day-YYYY-MM-DD, and has none")
    return days[-1]


def day_files(root: str | Path, day: date) -> list[LogFile] | None:
    """The Parquet files of a day in the order of their names, or None if the day has no folder.

    Raises:
        FeedLogError: the folder contains something other than Parquet files, or the writer that was replacing it was
            killed.
    """
    folder = join(root, day_folder_name(day))
    filesystem, path = filesystem_of(folder)
    if filesystem.get_file_info(path).type == fs.FileType.NotFound:
        _check_replaced(root, day_folder_name(day))
        return None
    files = []
    for info in sorted(_list_folder(folder), key=lambda info: info.base_name):
        path = join(folder, info.base_name)
        if info.type != fs.FileType.File or info.extension != "parquet":
            raise FeedLogError(f"{path}: not a Parquet file; a day's folder may hold nothing else")
        files.append(LogFile(day, path, info.size, info.mtime_ns or 0))
    if broken := _dangling_links(folder):
        raise FeedLogError(f"{join(folder, broken[0])}: a link to nothing; a day's folder may hold Parquet files only")
    return files


def open_parquet(path: str, arrow_types: bool = True) -> pq.ParquetFile:
    """Opens a Parquet file and reads its footer.

    Args:
        path: path or URI.
        arrow_types: whether columns have the Arrow types that the writer noted, or those of Parquet alone.

    Raises:
        FeedLogError: it is not a complete Parquet file.
    """
    filesystem, inner = filesystem_of(path)
    try:
        file = filesystem.open_input_file(inner)
        return pq.ParquetFile(file if arrow_types else WithoutArrowTypes(file))
    except UnicodeDecodeError:
        raise FeedLogError(f"{path}: the name of a column is not text in UTF-8") from None
    except (pa.ArrowException, OSError) as error:
        raise FeedLogError(f"{path}: not a Parquet file, or an incomplete one: {error}") from error


def open_all(files: Sequence[LogFile]) -> list[pq.FileMetaData]:
    """The footers of many files, read in parallel, in the files' order; raises FeedLogError as `open_parquet` does."""
    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        return list(pool.map(_metadata, files))


def _list_folder(folder: str | Path) -> list[fs.FileInfo]:
    try:
        filesystem, path = filesystem_of(folder)
        kind = filesystem.get_file_info(path).type
    except (ValueError, ImportError, OSError) as error:
        where = without_secrets(str(folder))
        raise FeedLogError(f"feed log: {where} cannot be read: {store_problem(error) or error}") from error
    if kind != fs.FileType.Directory:
        raise FeedLogError(f"feed log: there is no folder {folder}")
    try:
        infos = filesystem.get_file_info(fs.FileSelector(path))
    except OSError as error:
        raise FeedLogError(f"feed log: the folder {folder} cannot be read: {error}") from error
    return [info for info in infos if not _is_being_written(info.base_name)]


def _dangling_links(folder: str | Path) -> list[str]:
    """The names of links to nothing, which pyarrow does not list; only a local folder has links."""
    local = local_path(folder)
    if local is None:
        return []
    names = sorted(entry.name for entry in os.scandir(local) if entry.is_symlink() and not os.path.exists(entry.path))
    return [name for name in names if not _is_being_written(name)]


def _check_replaced(root: str | Path, name: str = "") -> None:
    """Makes sure that no day, or not this one, is missing because the writer that was replacing it was killed."""
    local = local_path(root)
    for missing, former in interrupted(local).items() if local is not None else ():
        if name == missing or (not name and _DAY_FOLDER.fullmatch(missing)):
            raise FeedLogError(
                f"feed log {root}: {missing} is missing, as it was being replaced; if nothing is writing it any more, "
                f"write the day again, or rename {former.name} to {missing} to keep the former one"
            )


def _is_being_written(name: str) -> bool:
    return name.startswith((".", "_")) or name.endswith(".tmp")


def _metadata(file: LogFile) -> pq.FileMetaData:
    with open_parquet(file.path) as opened:
        return opened.metadata
