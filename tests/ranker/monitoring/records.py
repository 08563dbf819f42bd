"""Healthy and faulty days of a history."""

import math
from dataclasses import replace

from ranker.evaluation.intervals import UNDEFINED, Estimate
from ranker.monitoring.drift import FeatureHealth
from ranker.monitoring.outcomes import OutcomeHealth, ScoreHealth
from ranker.monitoring.rankings import DayRanking
from ranker.monitoring.record import DayRecord


def outcome(objective: str, where: str = "", value: float = 1.0, alarm: str = "", weight: float = 0.0) -> OutcomeHealth:
    """An O/E of a hundred expected outcomes."""
    limit = (0.67, 1.5) if where else (0.8, 1.25)
    observed = round(100 * value)
    return OutcomeHealth(objective, where, 5000, observed, 100.0, value, value - 0.1, value + 0.1, limit, alarm, weight)


def feature(name: str, distance: float = 0.01, alarm: str = "", weight: float = 0.0) -> FeatureHealth:
    """A feature with a limit of 0.05 bits."""
    return FeatureHealth(name, 0.02, 0.01, 3.5, 3.4, "mean", (0.5, 3.0, 9.0), distance, 0.05, alarm, weight)


def healthy(day: str, version: str = "1700000000") -> DayRecord:
    """A day within its limits."""
    return DayRecord(
        day=day,
        source="run",
        version=version,
        rows=5000,
        confidence=0.95,
        outcomes=(
            outcome("click"),
            outcome("click", "device=ios"),
            outcome("click", "device=web", 1.1),
            outcome("like"),
            outcome("like", "device=ios", 0.9),
            outcome("like", "device=web"),
        ),
        features=(feature("age"), feature("device"), feature("topic")),
        scores=(ScoreHealth("click", 0.2, 0.003, 0.05), ScoreHealth("like", 0.02, None, None)),
        rankings=(
            DayRanking("", 400, 10, UNDEFINED, Estimate(0.5, 0.48, 0.52), Estimate(1.2, 1.1, 1.3)),
            DayRanking("click", 380, 10, Estimate(0.66, 0.65, 0.67), Estimate(0.52, 0.5, 0.54), UNDEFINED),
            DayRanking("like", 0, 10, UNDEFINED, Estimate(0.2, -math.inf, math.inf), UNDEFINED),
        ),
    )


def broken(day: str) -> DayRecord:
    """A frozen feature, a drifted one, an objective that is broken on one device, and shifted scores."""
    base = healthy(day)
    like = (
        outcome("like", "", 0.6, "O/E is 0.600 [0.500, 0.700], below", 0.36),
        outcome("like", "device=ios", 0.0, "O/E is 0.000 [0.000, 0.050], below", 3.0),
        outcome("like", "device=web"),
    )
    return replace(
        base,
        source="monitor",
        outcomes=base.outcomes[:3] + like,
        features=(
            feature("age", 0.09, "drifted 0.090 bits", 1.8),
            feature("device"),
            feature("topic", 0.7, "frozen: 0 in all 5,000 impressions", 1e6),
        ),
        scores=(ScoreHealth("click", 0.3, 0.2, 0.05, "scores diverge by 0.200 bits", 4.0), base.scores[1]),
        notes=("slices by author were left out: too many values",),
    )
