"""What a day's arms did, as sums by groups of viewers: what the state of an experiment keeps of a log.

Sums of several days add up. The standard error of a rate follows from how it differs between groups of viewers, so that
no file holds anything about a single viewer.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from pydantic.dataclasses import dataclass

from ranker.evaluation.buckets import Floats, Ints

FORMAT = 1
VIEWER_GROUPS = 128
MIN_VIEWERS = 30
"""Viewers that an arm needs before its rate has a standard error worth the name."""

_HASH_KEY = "tradeoff-viewers"  # not the draw's hash: groups and arms have to be independent


@dataclass(frozen=True)
class ArmSums:
    """The sessions of one arm in one cohort.

    Attributes:
        arm: its id.
        cohort: value of the config's `by`; "" without one, or where it was missing.
        viewers: number of distinct viewers.
        sessions: number of sessions by group of viewers, [VIEWER_GROUPS].
        positives: number of positives of every objective by group, [objectives][VIEWER_GROUPS].
    """

    arm: str
    cohort: str
    viewers: int
    sessions: list[int]
    positives: list[list[int]]


@dataclass(frozen=True)
class DaySums:
    """The sums of a day.

    Attributes:
        format: of the file.
        experiment: its id.
        day: YYYY-MM-DD.
        objectives: in the order of `positives`.
        arms: one entry per arm and cohort.
    """

    format: int
    experiment: str
    day: str
    objectives: list[str]
    arms: list[ArmSums]


@dataclass(frozen=True)
class Rates:
    """Weighted sums of rates per session, with their variances.

    Attributes:
        values: [metrics].
        variances: [metrics].
    """

    values: list[float]
    variances: list[float]


def viewer_groups(viewers: np.ndarray) -> Ints:
    """The group of each viewer, [viewers] of bytes → [viewers] in [0, VIEWER_GROUPS)."""
    texts = np.array([viewer.decode("utf-8", "replace") for viewer in viewers], dtype=object)
    hashes = pd.util.hash_array(texts, hash_key=_HASH_KEY, categorize=False)
    return np.asarray((hashes % np.uint64(VIEWER_GROUPS)).astype(np.int64))


def added(parts: Iterable[ArmSums]) -> ArmSums:
    """The sums of several days or cohorts. Viewers may repeat, so their number is that of the largest part."""
    parts = list(parts)
    return ArmSums(
        parts[0].arm,
        parts[0].cohort,
        max(part.viewers for part in parts),
        np.sum([part.sessions for part in parts], axis=0).tolist(),
        np.sum([part.positives for part in parts], axis=0).tolist(),
    )


def rates(sums: ArmSums, weights: Floats) -> Rates:
    """The metrics' rates per session.

    The variance is that of a ratio of sums over groups of viewers. Without any positive it would be 0, so that of one
    more positive is added.

    Args:
        sums: of an arm.
        weights: [metrics, objectives].

    Raises:
        ValueError: there are sessions in fewer than two groups of viewers.
    """
    sessions = np.array(sums.sessions, np.float64)
    totals = weights @ np.array(sums.positives, np.float64)
    used = int((sessions > 0).sum())
    if used < 2:
        raise ValueError(f"arm {sums.arm}: a standard error needs viewers of two groups or more")
    values = totals.sum(axis=1) / sessions.sum()
    deviations = totals - values[:, np.newaxis] * sessions
    variances = used / (used - 1) * (deviations**2).sum(axis=1)
    one_more = np.abs(weights).max(axis=1) ** 2
    return Rates(values.tolist(), ((variances + one_more) / sessions.sum() ** 2).tolist())


def objectives_match(sums: DaySums, objectives: Sequence[str]) -> bool:
    """Whether the sums are those of these objectives."""
    return sums.objectives == list(objectives)
