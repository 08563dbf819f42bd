"""Reconstructs sessions, which the raw log lacks: a viewer's impressions of one day without a gap over 30 minutes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

SESSION_GAP_MS = 30 * 60 * 1000
_MS_PER_HOUR = 3_600_000


@dataclass(frozen=True)
class Sessions:
    """The session of each impression, in the order of the log [rows], and its state at that impression.

    Attributes:
        ids: viewer, day and number of the session within that viewer's day, as one string.
        position: impressions of the session before this one.
        hours_since_previous: hours from the last impression of the viewer's previous session to the first one of this
            session; NaN if there was none.
    """

    ids: npt.NDArray[np.object_]
    position: npt.NDArray[np.int64]
    hours_since_previous: npt.NDArray[np.float64]


def find_sessions(
    viewer: npt.NDArray[np.int64], day: npt.NDArray[np.int64], timestamp_ms: npt.NDArray[np.int64]
) -> Sessions:
    """Splits each viewer's impressions [rows] into sessions: a new one begins each day and after a gap over 30 minutes.

    Where a session begins depends only on earlier impressions, so it is known when an impression is served.

    Args:
        viewer: the viewer of each impression.
        day: the day of the log as an increasing number, such as 20220504.
        timestamp_ms: milliseconds since the epoch.
    """
    order = np.lexsort((timestamp_ms, day, viewer))
    frame = pd.DataFrame({"viewer": viewer[order], "day": day[order], "at": timestamp_ms[order]})
    same_viewer = frame["viewer"].eq(frame["viewer"].shift())
    gap = frame["at"].diff().where(same_viewer)
    starts = ~same_viewer | frame["day"].ne(frame["day"].shift()) | (gap > SESSION_GAP_MS)
    session = starts.cumsum()
    number = starts.groupby([frame["viewer"], frame["day"]]).cumsum()
    ids = frame["viewer"].astype(str) + "-" + frame["day"].astype(str) + "-" + number.astype(str)
    columns = {
        "ids": ids.to_numpy(),
        "position": frame.groupby(session).cumcount().to_numpy(),
        "hours_since_previous": (gap.where(starts).groupby(session).transform("first") / _MS_PER_HOUR).to_numpy(),
    }
    back = np.argsort(order)
    return Sessions(**{name: values[back] for name, values in columns.items()})
