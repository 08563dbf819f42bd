"""The part of a feed log whose order was drawn at random: what replay metrics are computed from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ranker.evaluation.buckets import Floats, Ints


@dataclass(frozen=True)
class RandomSessions:
    """Impressions that stood at random positions.

    Attributes:
        rows: which rows of the log they are, ascending, [n]; every other array has their order.
        session: number of the session, from 0, [n].
        viewer: number of the session's viewer, from 0, [sessions].
        position: rank among the session's random impressions in the order shown, from 1, [n].
        propensity: the chance that this item stood at this position, [n].
    """

    rows: Ints
    session: Ints
    viewer: Ints
    position: Ints
    propensity: Floats

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def sizes(self) -> Ints:
        """Random impressions of each session, [sessions]."""
        return np.bincount(self.session, minlength=len(self.viewer))


def random_sessions(
    session: npt.NDArray[Any],
    viewer: npt.NDArray[Any],
    position: npt.NDArray[Any],
    randomised: npt.NDArray[Any],
    propensity: npt.NDArray[Any],
) -> RandomSessions:
    """The random impressions of a log.

    Where only some impressions of a session were random, such as single items inserted into a ranked feed, the others
    are left out, and a position is the rank among the random ones.

    Args:
        session: the session of each row, any comparable type, [rows].
        viewer: the viewer of each row, [rows].
        position: position in the session, or anything else that rises in the order shown, [rows].
        randomised: whether the item's position was drawn at random, [rows].
        propensity: the chance that this item stood at this position, above 0 and at most 1, [rows]; it is not read
            where the row is not randomised.

    Raises:
        ValueError: `randomised` is missing in a row; a random row lacks its session, viewer, position or a valid
            propensity; or two random rows of a session have the same position.

    Example:
        >>> found = random_sessions(
        ...     session=np.array(["a", "a", "b", "b"]),
        ...     viewer=np.array(["v", "v", "w", "w"]),
        ...     position=np.array([2, 1, 1, 2]),
        ...     randomised=np.array([1, 1, 0, 0]),
        ...     propensity=np.array([0.5, 0.5, np.nan, np.nan]),
        ... )
        >>> found.rows.tolist(), found.position.tolist()
        ([0, 1], [2, 1])
    """
    _refuse_missing("randomised", randomised, np.arange(len(randomised)))
    rows = np.flatnonzero(randomised)
    for name, values in (("session", session), ("viewer", viewer), ("position", position)):
        _refuse_missing(name, values, rows)
    chance = np.asarray(propensity, np.float64)[rows]
    if len(bad := np.flatnonzero(~((chance > 0) & (chance <= 1)))):
        raise ValueError(
            f"propensity: {chance[bad[0]]} in row {rows[bad[0]]}; a random row needs the chance of its position, above "
            "0 and at most 1"
        )
    number, _ = pd.factorize(session[rows])
    sessions = int(number.max(initial=-1)) + 1
    place = np.asarray(position)[rows]
    order = np.lexsort((place, number))
    twice = (np.diff(number[order]) == 0) & (np.diff(place[order]) == 0)
    if twice.any():
        at = rows[order[np.flatnonzero(twice)[0]]]
        raise ValueError(
            f"position: session {_shown(session[at])} has {_shown(position[at])} more than once; every position of a "
            "session holds one impression"
        )
    first = np.searchsorted(number[order], np.arange(sessions))
    ranked = np.empty(len(rows), np.int64)
    ranked[order] = np.arange(len(rows)) - first[number[order]] + 1
    return RandomSessions(
        rows=rows,
        session=number.astype(np.int64),
        viewer=pd.factorize(viewer[rows[order[first]]])[0].astype(np.int64),
        position=ranked,
        propensity=chance,
    )


def _shown(value: Any) -> str:
    """A value as a message shows it, without numpy's and Python's types."""
    plain = value.item() if isinstance(value, np.generic) else value
    return repr(plain.decode("utf-8", "replace") if isinstance(plain, bytes) else plain)


def _refuse_missing(name: str, values: npt.NDArray[Any], rows: Ints) -> None:
    missing = np.flatnonzero(pd.isna(np.asarray(values)[rows]))
    if len(missing):
        row = rows[missing[0]]
        needed = "says whether its position was drawn at random" if name == "randomised" else "at random needs it"
        raise ValueError(f"{name}: {values[row]} in row {row}, missing in {len(missing):,}; every row {needed}")
