"""The feed log's feature columns: what is known about viewer, video and time before the impression."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from datasets.kuairand.raw import MS_PER_DAY, MS_PER_HOUR, SHANGHAI_MS, USER_CATEGORIES, USER_NUMBERS

_DURATION_BANDS_S = (7.0, 12.0, 20.0, 35.0, 60.0, 100.0, 180.0, 300.0, 600.0)


def duration_band(duration_ms: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Ten bands of the video's duration [rows], from 0 (under 7 s) to 9 (ten minutes and more)."""
    return np.digitize(duration_ms / 1000, _DURATION_BANDS_S)


def context_columns(timestamp_ms: npt.NDArray[np.int64], tab: npt.NDArray[np.int64]) -> dict[str, pa.Array]:
    """The context of each impression [rows]: tab of the app, hour of the day and day of the week in Shanghai."""
    local_ms = timestamp_ms + SHANGHAI_MS
    # 1 January 1970 was a Thursday; Monday is 0.
    return {
        "tab": pa.array(tab),
        "hour": pa.array(local_ms % MS_PER_DAY // MS_PER_HOUR),
        "day_of_week": pa.array((local_ms // MS_PER_DAY + 3) % 7),
    }


def user_columns(users: pa.Table) -> dict[str, pa.Array]:
    """The viewer's columns, from one row of the user table per impression."""
    return {name: users[name] for name in (*USER_NUMBERS, *USER_CATEGORIES)}


def video_columns(
    videos: pa.Table, duration_ms: npt.NDArray[np.int64], timestamp_ms: npt.NDArray[np.int64]
) -> dict[str, pa.Array]:
    """The video's columns, from one row of the video table and one duration per impression.

    The duration comes from the log, where it is never missing; `tags` is a list of strings.
    """
    today = pa.array((timestamp_ms + SHANGHAI_MS) // MS_PER_DAY)
    width, height = videos["server_width"], videos["server_height"]
    return {
        "duration_s": pa.array(duration_ms / 1000),
        "video_age_days": pc.subtract(today, videos["upload_day"]),
        "video_width": width,
        "video_height": height,
        "video_aspect": pc.if_else(pc.greater(width, 0), pc.divide(height, width), None),
        "video_type": videos["video_type"],
        "upload_type": videos["upload_type"],
        "music_type": videos["music_type"],
        "tags": pc.split_pattern(videos["tag"], ","),
    }
