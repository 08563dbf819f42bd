"""O/E of a day per objective and slice, and drift of its scores from the day that the model was evaluated on."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ranker.config.monitoring import Monitoring
from ranker.evaluation.buckets import Floats, Ints
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.intervals import o_over_e_interval
from ranker.evaluation.jensen_shannon import expected_divergence, jensen_shannon
from ranker.evaluation.scores import ScoreHistogram
from ranker.evaluation.shown_numbers import shown_interval
from ranker.evaluation.summary import Model, ObjectiveMetrics
from ranker.monitoring.drift import CLUSTERING

_SCORE_BIN_SHARE = 0.05


@dataclass(frozen=True)
class OutcomeHealth:
    """One objective on one slice of a day.

    Attributes:
        objective: its name.
        slice: the slice as text, "" for all impressions.
        impressions: impressions.
        observed: outcomes observed.
        expected: outcomes that the model expected.
        o_over_e: observed over expected; None if expected is 0.
        lower: lower end of its interval at the evaluation's confidence.
        upper: upper end.
        limit: the allowed range; None if it is not checked.
        alarm: description of the problem, or "".
        weight: |log| of the end of the alarm's interval that is closer to 1; the order of alarms.
    """

    objective: str
    slice: str
    impressions: int
    observed: int
    expected: float
    o_over_e: float | None
    lower: float | None
    upper: float | None
    limit: tuple[float, float] | None
    alarm: str = ""
    weight: float = 0.0


@dataclass(frozen=True)
class ScoreHealth:
    """The scores of one objective on a day.

    Attributes:
        objective: its name.
        mean: mean predicted probability.
        divergence: from the scores on the day that the model was evaluated on, in bits; None if those are unknown.
        limit: the largest divergence of a healthy day.
        alarm: description of the problem, or "".
        weight: divergence over its limit.
    """

    objective: str
    mean: float | None
    divergence: float | None
    limit: float | None
    alarm: str = ""
    weight: float = 0.0


def outcome_health(evaluation: Evaluation, model: Model, limits: Monitoring) -> list[OutcomeHealth]:
    """Every objective over all impressions and on every slice.

    An alarm is raised if the entire interval is beyond the limits. Many intervals are checked, so their confidence is
    raised such that `false_alarm_rate` applies to all of them together (Bonferroni).

    Args:
        evaluation: of the day.
        model: candidate or baseline.
        limits: the config's limits.
    """
    cells = list(_cells(evaluation, model))
    judged = [_limit(where, metrics, limits) for _, where, metrics in cells]
    looked_at = sum(limit is not None for limit in judged)
    confidence = 1.0 - limits.false_alarm_rate / max(1, looked_at)
    return [
        _judge(objective, where, metrics, limit, confidence)
        for (objective, where, metrics), limit in zip(cells, judged, strict=True)
    ]


def score_health(
    evaluation: Evaluation, model: Model, usual: Mapping[str, ScoreHistogram] | None, limits: Monitoring
) -> list[ScoreHealth]:
    """Compares the scores of every objective with those of the day that the model was evaluated on.

    Args:
        evaluation: of the day.
        model: candidate or baseline.
        usual: score histograms of that earlier day by objective; None if unknown.
        limits: the config's limits.
    """
    found = []
    for objective, curves in evaluation.curves.items():
        if not evaluation.predicts(model, objective):
            continue
        mean = _or_none(evaluation.objectives[objective].of(model).mean_prediction)
        before = (usual or {}).get(objective)
        if before is None:
            found.append(ScoreHealth(objective, mean, None, None))
            continue
        ours, theirs = curves.of(model).scores.counts(), before.counts()
        bins = _bins(theirs)
        divergence = jensen_shannon(_binned(ours, bins), _binned(theirs, bins))
        noise = expected_divergence(int(bins[-1]) + 1, max(1.0, ours.sum()), max(1.0, theirs.sum()))
        limit = limits.score_drift + CLUSTERING * noise
        found.append(_judge_scores(objective, mean, divergence, limit))
    return found


def _cells(evaluation: Evaluation, model: Model) -> Iterator[tuple[str, str, ObjectiveMetrics]]:
    for objective, evaluated in evaluation.objectives.items():
        if evaluation.predicts(model, objective):
            yield objective, "", evaluated.of(model)
    for entry in evaluation.slices:
        for objective, evaluated in entry.objectives.items():
            if evaluation.predicts(model, objective):
                yield objective, entry.name, evaluated.of(model)


def _limit(where: str, metrics: ObjectiveMetrics, limits: Monitoring) -> tuple[float, float] | None:
    """The range that applies, or None if there are too few outcomes or slices are not checked."""
    if max(metrics.positives, metrics.outcomes.expected) < limits.min_outcomes:
        return None
    return limits.slice_o_over_e if where else limits.o_over_e


def _or_none(value: float) -> float | None:
    """None for an undefined or unbounded value, as records store it."""
    return value if math.isfinite(value) else None


def _judge(
    objective: str, where: str, metrics: ObjectiveMetrics, limit: tuple[float, float] | None, confidence: float
) -> OutcomeHealth:
    counts = metrics.outcomes
    alarm, weight = "", 0.0
    if limit is not None:
        interval = o_over_e_interval(counts, confidence)
        if interval.upper < limit[0] or interval.lower > limit[1]:
            low = interval.upper < limit[0]
            weight = abs(math.log(min(max(interval.upper if low else interval.lower, 1e-9), 1e9)))
            alarm = (
                f"O/E is {'∞' if interval.unbounded else shown_interval(interval)}, "
                f"{'below' if low else 'above'} the range of {limit[0]:g} to {limit[1]:g}: "
                f"{counts.observed:,.0f} observed, {counts.expected:,.1f} expected"
            )
    return OutcomeHealth(
        objective=objective,
        slice=where,
        impressions=metrics.impressions,
        observed=metrics.positives,
        expected=counts.expected,
        o_over_e=_or_none(metrics.o_over_e.value),
        lower=_or_none(metrics.o_over_e.lower),
        upper=_or_none(metrics.o_over_e.upper),
        limit=limit,
        alarm=alarm,
        weight=weight,
    )


def _judge_scores(objective: str, mean: float | None, divergence: float | None, limit: float) -> ScoreHealth:
    if divergence is None or divergence <= limit:
        return ScoreHealth(objective, mean, divergence, limit)
    alarm = (
        f"scores diverge by {divergence:.3f} bits from those of the serving model on the day that it was evaluated on, "
        f"beyond the limit of {limit:.3f}"
    )
    return ScoreHealth(objective, mean, divergence, limit, alarm, divergence / limit)


def _binned(scores: Floats, bins: Ints) -> Floats:
    return np.bincount(bins, weights=scores).astype(np.float64)


def _bins(scores: Floats) -> Ints:
    """The bin of each score bucket, [SCORE_BUCKETS]: neighbours are joined up to a share of _SCORE_BIN_SHARE."""
    before = np.concatenate([[0.0], np.cumsum(scores)[:-1]]) / max(1.0, scores.sum())
    _, bins = np.unique((before / _SCORE_BIN_SHARE).astype(np.int64), return_inverse=True)
    return bins
