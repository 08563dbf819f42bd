"""Converts the raw tables to the days of a feed log, one at a time."""

from collections.abc import Iterator
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa

from datasets.kuairand.features import context_columns, duration_band, user_columns, video_columns
from datasets.kuairand.histories import PRIOR_STRENGTH, Histories
from datasets.kuairand.raw import OBJECTIVES, RANDOM, RawTables, rows_of
from datasets.kuairand.sessions import Sessions, find_sessions


def feed_log_days(raw: RawTables, strength: float = PRIOR_STRENGTH) -> Iterator[tuple[date, pa.Table]]:
    """Yields the days of the log in order, each with its impressions as rows of a feed log.

    A day is the log's own `date`. Some impressions of the last minutes before midnight have the next date. They enter
    the histories a day later than they could, never earlier.

    Where there are logs of random impressions, the rows have `is_randomised` and `propensity` in addition.

    The days are processed in order, and each is added to the histories after its rows are made. So no outcome of a day
    is in a feature of that day or of an earlier one, and only one day's columns are in memory at a time.

    Args:
        raw: the raw tables.
        strength: prior strength: weight of the overall rate, in impressions, in every smoothed rate.
    """
    log = raw.log
    videos = rows_of(raw.videos.select(["video_id", "author_id", "tag"]), "video_id", log["video_id"].to_numpy())
    keys = log[["user_id", "video_id", "tab"]].assign(
        author_id=videos["author_id"].to_pandas(),
        tag=videos["tag"].to_pandas(),
        duration_band=duration_band(log["duration_ms"].to_numpy()),
    )
    histories = Histories(keys, strength)
    dates = np.array([int(f"{day:%Y%m%d}") for day in raw.days])[log["day"]]
    sessions = find_sessions(log["user_id"].to_numpy(), dates, log["time_ms"].to_numpy())
    ends = np.cumsum(np.bincount(log["day"], minlength=len(raw.days)))
    for number, (day, end) in enumerate(zip(raw.days, ends, strict=True)):
        rows = slice(int(ends[number - 1]) if number else 0, int(end))
        author = {"author_id": videos["author_id"].slice(rows.start, rows.stop - rows.start)}
        columns = _known_columns(log.iloc[rows], raw, sessions, rows) | author | histories.columns(rows, number)
        if raw.has_random_logs:
            columns |= _exploration(log.iloc[rows], sessions.ids[rows])
        yield day, pa.table(columns | _labels(log.iloc[rows]))
        histories.add(rows, log, number)


def _known_columns(log: pd.DataFrame, raw: RawTables, sessions: Sessions, rows: slice) -> dict[str, pa.Array]:
    """Keys and features of one day that do not depend on histories."""
    user, video, timestamp = (log[name].to_numpy() for name in ("user_id", "video_id", "time_ms"))
    return {
        "session_id": pa.array(sessions.ids[rows]),
        "viewer_id": pa.array(user),
        "item_id": pa.array(video),
        "timestamp": pa.array(timestamp),
        **context_columns(timestamp, log["tab"].to_numpy()),
        "session_position": pa.array(sessions.position[rows]),
        "hours_since_previous_session": pa.array(sessions.hours_since_previous[rows], from_pandas=True),
        **user_columns(rows_of(raw.users, "user_id", user)),
        **video_columns(rows_of(raw.videos, "video_id", video), log["duration_ms"].to_numpy(), timestamp),
    }


def _exploration(log: pd.DataFrame, session: np.ndarray) -> dict[str, pa.Array]:
    """Whether each impression's video was drawn at random, and the chance that this video stood at this position.

    All random videos come from one pool, with equal chances. So given the n random videos of a session, each of them
    stood at each of their positions with chance 1/n. The chance is null where the recommender chose.
    """
    random = log[RANDOM].to_numpy() == 1
    _, of = np.unique(session, return_inverse=True)
    count = np.bincount(of, random)[of]
    return {
        "is_randomised": pa.array(random.astype(np.int8)),
        "propensity": pa.array(1.0 / np.maximum(count, 1), pa.float32(), mask=~random),
    }


def _labels(log: pd.DataFrame) -> dict[str, pa.Array]:
    return {objective: pa.array(log[column].to_numpy()) for objective, column in OBJECTIVES.items()}
