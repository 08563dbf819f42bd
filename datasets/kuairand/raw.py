"""Reads and validates the three raw tables: impressions ordered by time, users and videos with one row each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from datasets.kuairand.files import RawDataError, RawFiles
from datasets.kuairand.reading import check_values, read_csv

# Objective of the feed log → column of the raw log that holds it as 0/1.
OBJECTIVES = {
    "click": "is_click",
    "long_view": "long_view",
    "profile_enter": "is_profile_enter",
    "like": "is_like",
    "comment": "is_comment",
    "follow": "is_follow",
    "forward": "is_forward",
    "hate": "is_hate",
}
RANDOM = "is_rand"

MS_PER_DAY = 86_400_000
MS_PER_HOUR = 3_600_000
SHANGHAI_MS = 8 * MS_PER_HOUR  # China has one time zone and no daylight saving time

_MOST_EXACT = 2.0**53  # from here on, float64 does not hold every integer
_MOST_DAYS_APART = 1  # an impression shortly before midnight can have the next date

USER_CATEGORIES = (
    "user_active_degree", "is_live_streamer", "is_video_author", *(f"onehot_feat{i}" for i in range(18)),
)  # fmt: skip
USER_NUMBERS = ("follow_user_num", "fans_user_num", "friend_user_num", "register_days")
_LOG_NUMBERS = ("duration_ms", "play_time_ms")
_VIDEO_NUMBERS = ("server_width", "server_height")

# The official files repeat some impressions: within a file, and around midnight also with the next date. So the date is
# a part of what may be in one file only.
_IMPRESSION = ["user_id", "video_id", "date", "time_ms", RANDOM]

_LOG: Mapping[str, pa.DataType] = {
    **dict.fromkeys(("user_id", "video_id", "date", "time_ms", *_LOG_NUMBERS, "tab"), pa.int64()),
    **dict.fromkeys(OBJECTIVES.values(), pa.int64()),
}
_USERS: Mapping[str, pa.DataType] = {
    "user_id": pa.int64(),
    **dict.fromkeys((*USER_NUMBERS, *USER_CATEGORIES), pa.float64()),
    "user_active_degree": pa.string(),
}
_VIDEOS: Mapping[str, pa.DataType] = {
    **dict.fromkeys(("video_id", "author_id"), pa.int64()),
    **dict.fromkeys(("video_type", "upload_dt", "upload_type", "tag"), pa.string()),
    **dict.fromkeys((*_VIDEO_NUMBERS, "music_type"), pa.float64()),
}


@dataclass(frozen=True)
class RawTables:
    """The content of the raw files.

    Attributes:
        log: one row per impression, by day and, within it, by time; `day` counts from 0 in the order of `days`, and
            `is_rand` is 1 where the video was drawn at random.
        users: one row per user, by `user_id`.
        videos: one row per video, by `video_id`; `upload_day` in days since 1970.
        days: the days of the log, ascending.
        has_random_logs: whether a log of random impressions was among the files.
    """

    log: pd.DataFrame
    users: pa.Table
    videos: pa.Table
    days: tuple[date, ...]
    has_random_logs: bool = False


def read_raw(files: RawFiles) -> RawTables:
    """Reads and checks the raw files.

    Raises:
        RawDataError: a file or a value in it is invalid; the message names the file and the column.
    """
    ranked = {path: _read_log(path, _LOG).assign(**{RANDOM: np.int8(0)}) for path in files.logs}
    random = {path: _read_log(path, {**_LOG, RANDOM: pa.int64()}) for path in files.random_logs}
    _refuse_overlaps(ranked | random)
    log = pd.concat([*ranked.values(), *random.values()], ignore_index=True)
    log = log.sort_values(["date", "time_ms"], kind="stable", ignore_index=True)
    dates, log["day"] = np.unique(log.pop("date").to_numpy(), return_inverse=True)
    return RawTables(
        log=log,
        users=_read_users(files.users),
        videos=_read_videos(files.videos),
        days=tuple(pd.Timestamp(day).date() for day in dates),
        has_random_logs=bool(files.random_logs),
    )


def rows_of(table: pa.Table, key: str, wanted: npt.NDArray[np.int64]) -> pa.Table:
    """The row of `table`, sorted by `key`, for each wanted key [rows]; a row of nulls if the key is missing."""
    keys = table[key].to_numpy()
    at = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    missing = keys[at] != wanted if len(keys) else np.ones(len(wanted), bool)
    return table.take(pa.array(at, mask=missing))


def _read_log(path: Path, columns: Mapping[str, pa.DataType]) -> pd.DataFrame:
    table = read_csv(path, columns, frozenset(columns))
    if not table.num_rows:
        raise RawDataError(f"{path}: the log holds no impression")
    flags = [name for name in (*OBJECTIVES.values(), RANDOM) if name in columns]
    for column in flags:
        _check_flag(path, column, table[column])
    for column in _LOG_NUMBERS:
        _check_number(path, column, table[column])
    log = table.to_pandas()
    days = pd.to_datetime(log["date"].astype(str), format="%Y%m%d", errors="coerce")
    check_values(path, "date", days.isna(), lambda row: f"expected a day as YYYYMMDD, got {log['date'].iloc[row]}")
    local = (log["time_ms"] + SHANGHAI_MS) // MS_PER_DAY
    apart = (local - (days - pd.Timestamp(0)).dt.days).abs() > _MOST_DAYS_APART
    check_values(
        path,
        "time_ms",
        apart.to_numpy(),
        lambda row: (
            f"expected milliseconds since 1970 on the row's date {log['date'].iloc[row]} in Shanghai, got "
            f"{log['time_ms'].iloc[row]}"
        ),
    )
    return log.assign(date=days, **{column: log[column].astype(np.int8) for column in flags})


def _refuse_overlaps(logs: Mapping[Path, pd.DataFrame]) -> None:
    """Checks that no impression is in two files, as after a copy or a second download."""
    for (first, earlier), (second, later) in combinations(logs.items(), 2):
        if shared := len(later[_IMPRESSION].merge(earlier[_IMPRESSION].drop_duplicates())):
            raise RawDataError(
                f"{second}: {shared:,} of its {len(later):,} impressions are in {first}, too "
                f"({', '.join(_IMPRESSION)} are equal); each may be in one file only, or it would count twice"
            )


def _check_flag(path: Path, column: str, values: pa.ChunkedArray) -> None:
    wrong = pc.invert(pc.is_in(values, value_set=pa.array([0, 1])))
    check_values(path, column, wrong, lambda row: f"expected 0 or 1, got {values[row]}")


def _check_number(path: Path, column: str, values: pa.ChunkedArray) -> None:
    """Checks a count, a duration or a size; it may be missing."""
    expected = "0 or more" if pa.types.is_integer(values.type) else "a finite number, 0 or more"
    wrong = pc.fill_null(pc.invert(pc.and_(pc.is_finite(values), pc.greater_equal(values, 0))), False)
    check_values(path, column, wrong, lambda row: f"expected {expected}, got {values[row]}")


def _read_users(path: Path) -> pa.Table:
    table = _one_row_each(read_csv(path, _USERS, frozenset({"user_id"})), "user_id", path)
    for name in USER_NUMBERS:
        _check_number(path, name, table[name])
    for name in USER_CATEGORIES:
        table = _as_category(table, name, path)
    return table.sort_by("user_id")


def _read_videos(path: Path) -> pa.Table:
    table = _one_row_each(read_csv(path, _VIDEOS, frozenset({"video_id"})), "video_id", path)
    for name in _VIDEO_NUMBERS:
        _check_number(path, name, table[name])
    text = table["upload_dt"].to_pandas()
    days = pd.to_datetime(text, format="%Y-%m-%d", errors="coerce")
    wrong = days.isna() & text.notna()
    check_values(path, "upload_dt", wrong, lambda row: f"expected a day as YYYY-MM-DD, got {text.iloc[row]!r}")
    return _as_category(table, "music_type", path).append_column("upload_day", _days(days)).sort_by("video_id")


def _one_row_each(table: pa.Table, key: str, path: Path) -> pa.Table:
    if not table.num_rows:
        raise RawDataError(f"{path}: it holds no row; expected one for each {key}")
    twice = pd.Series(table[key].to_numpy()).duplicated()
    check_values(path, key, twice.to_numpy(), lambda row: f"{table[key][row]} is in more than one row")
    return table


def _as_category(table: pa.Table, name: str, path: Path) -> pa.Table:
    """Categorical numbers as int64: the raw files contain some of them as 1.0."""
    column = table[name]
    if not pa.types.is_floating(column.type):
        return table
    whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), _MOST_EXACT))
    odd = pc.fill_null(pc.invert(whole), False)
    check_values(path, name, odd, lambda row: f"expected an integer, got {column[row]}")
    return table.set_column(table.schema.get_field_index(name), name, column.cast(pa.int64()))


def _days(timestamps: pd.Series) -> pa.Array:
    """Full days since 1970 as int64, null where there is no date."""
    days = (timestamps - pd.Timestamp(0)).dt.days
    return pa.array(days.to_numpy(), from_pandas=True).cast(pa.int64())
