"""Gates: limits on a candidate's metrics, checked before it is published.

`METRICS` lists the metrics that can be limited; a further one is one more entry. There are two rules. A floor or a
ceiling has to be shown: the entire interval of the metric is within the limit, or the gate does not pass. A tolerance
(O/E, and the comparisons with the serving model) passes unless the entire interval is beyond the limit. Where the
interval cannot decide, there are too few positives to judge; `Gates.too_few` says what follows.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from ranker.config.gates import Gate, Gates, UtilityGate
from ranker.documents import LowerEnd, Number, UpperEnd
from ranker.evaluation.buckets import VIEWER_GROUPS
from ranker.evaluation.intervals import Estimate, student_quantile
from ranker.evaluation.session_metrics import UtilityComparison, UtilityMetrics
from ranker.evaluation.shown_numbers import shown_interval
from ranker.evaluation.slicing import OVERALL, slice_name
from ranker.evaluation.summary import Comparison, ObjectiveMetrics, SliceMetrics, UtilityEvaluation

Outcome = Literal["passed", "failed", "too few"]
Limit = tuple[float | None, float | None]
Rule = Literal["to be shown", "tolerance"]

TOO_FEW = "too few positives to judge"
TOO_FEW_SESSIONS = "too few sessions to judge"

BY_UTILITY = ""
"""Stands for the objective in verdicts on the ranking by the utility."""

# Without at least two positives there is no interval to plan with. With 40 positives, an AUC of 0.7 is shown to be
# above 0.55 in about 85 of 100 draws.
_PLANNED_POSITIVES = 40
_SMALLEST = 1e-12
_MOST_PLANNED = 1e12  # impressions, beyond which their number means nothing
_MOST_TIMES = 1000  # beyond it, the estimate is close to its limit, and the number of positives needed means nothing


@dataclass(frozen=True)
class GatedMetric:
    """A metric that a gate can limit.

    Attributes:
        name: its name in verdicts.
        label: its name in sentences.
        rule: `to be shown` for a floor or a ceiling, `tolerance` for a limit that only a significant excess fails.
        limit: the lowest and the highest value that a gate allows; (None, None) without a limit.
        estimate: the metric with its interval; None if there is no serving model to compare with.
        undefined: why the metric can be undefined.
    """

    name: str
    label: str
    rule: Rule
    limit: Callable[[Gate], Limit]
    estimate: Callable[[ObjectiveMetrics, Comparison | None], Estimate | None]
    undefined: str = "all outcomes are the same"


_NO_PAIR = "no session has both outcomes"
_NO_POSITIVE = "no session of two impressions has a positive"
_NO_UTILITY = "no session of two impressions has a utility above 0"

METRICS: tuple[GatedMetric, ...] = (
    GatedMetric("auc", "AUC", "to be shown", lambda gate: (gate.min_auc, None), lambda metrics, _: metrics.auc),
    GatedMetric(
        "gauc",
        "AUC within sessions",
        "to be shown",
        lambda gate: (gate.min_gauc, None),
        lambda metrics, _: metrics.ranking.gauc,
        _NO_PAIR,
    ),
    GatedMetric(
        "ndcg",
        "NDCG",
        "to be shown",
        lambda gate: (gate.min_ndcg, None),
        lambda metrics, _: metrics.ranking.ndcg,
        _NO_POSITIVE,
    ),
    GatedMetric(
        "normalized_entropy",
        "normalized entropy",
        "to be shown",
        lambda gate: (None, gate.max_normalized_entropy),
        lambda metrics, _: metrics.normalized_entropy,
    ),
    GatedMetric(
        "o_over_e",
        "O/E",
        "tolerance",
        lambda gate: gate.o_over_e or (None, None),
        lambda metrics, _: metrics.o_over_e,
        "the model expects no outcome at all",
    ),
    GatedMetric(
        "auc_drop",
        "AUC drop compared with the baseline",
        "tolerance",
        lambda gate: (None, gate.max_auc_drop),
        lambda _, comparison: comparison.auc_drop if comparison else None,
    ),
    GatedMetric(
        "gauc_drop",
        "drop of AUC within sessions compared with the baseline",
        "tolerance",
        lambda gate: (None, gate.max_gauc_drop),
        lambda _, comparison: comparison.gauc_drop if comparison else None,
        _NO_PAIR,
    ),
    GatedMetric(
        "ndcg_drop",
        "NDCG drop compared with the baseline",
        "tolerance",
        lambda gate: (None, gate.max_ndcg_drop),
        lambda _, comparison: comparison.ndcg_drop if comparison else None,
        _NO_POSITIVE,
    ),
    GatedMetric(
        "normalized_entropy_growth",
        "increase of normalized entropy compared with the baseline",
        "tolerance",
        lambda gate: (None, gate.max_normalized_entropy_growth),
        lambda _, comparison: comparison.normalized_entropy_growth if comparison else None,
    ),
    GatedMetric(
        "calibration_worsening",
        "increase of |log O/E| compared with the baseline",
        "tolerance",
        lambda gate: (None, gate.max_calibration_worsening),
        lambda _, comparison: comparison.calibration_worsening if comparison else None,
        "no outcome was observed, or a model expects none",
    ),
)


@dataclass(frozen=True)
class GatedUtility:
    """A metric of the ranking by the utility that a gate can limit.

    Attributes:
        name: its name in verdicts.
        label: its name in sentences.
        rule: as that of a `GatedMetric`.
        limit: the lowest and the highest value that a gate allows; (None, None) without a limit.
        estimate: the metric with its interval; None if there is no serving model to compare with.
        undefined: why the metric can be undefined.
    """

    name: str
    label: str
    rule: Rule
    limit: Callable[[UtilityGate], Limit]
    estimate: Callable[[UtilityMetrics, UtilityComparison | None], Estimate | None]
    undefined: str


UTILITY_METRICS: tuple[GatedUtility, ...] = (
    GatedUtility(
        "top_utility",
        "utility of the top",
        "to be shown",
        lambda gate: (gate.min_utility, None),
        lambda metrics, _: metrics.top_utility,
        "there is no session",
    ),
    GatedUtility(
        "utility_ndcg",
        "NDCG",
        "to be shown",
        lambda gate: (gate.min_ndcg, None),
        lambda metrics, _: metrics.ndcg,
        _NO_UTILITY,
    ),
    GatedUtility(
        "utility_drop",
        "share of the baseline's utility of the top that is lost",
        "tolerance",
        lambda gate: (None, gate.max_utility_drop),
        lambda _, comparison: comparison.utility_drop if comparison else None,
        "the baseline's utility is 0",
    ),
    GatedUtility(
        "utility_ndcg_drop",
        "NDCG drop compared with the baseline",
        "tolerance",
        lambda gate: (None, gate.max_ndcg_drop),
        lambda _, comparison: comparison.ndcg_drop if comparison else None,
        _NO_UTILITY,
    ),
)


@dataclass(frozen=True)
class Verdict:
    """The verdict of one gate.

    Attributes:
        objective: the objective; "" for the ranking by the utility.
        slice: the slice as text, "" for all impressions.
        metric: the name of one of `METRICS` or `UTILITY_METRICS`.
        value: the metric; NaN where undefined.
        lower: lower end of its interval.
        upper: upper end of its interval.
        limit: the lowest and the highest allowed value; None leaves a side open.
        outcome: `passed`, `failed`, or `too few` positives to judge.
        blocking: whether the model is blocked if this gate does not pass.
        text: all of this as a sentence.
        positives_needed: with `too few`, about how many positives would decide if the metric stays as it is; else None.
    """

    objective: str
    slice: str
    metric: str
    value: Number
    lower: LowerEnd
    upper: UpperEnd
    limit: Limit
    outcome: Outcome
    blocking: bool
    text: str
    positives_needed: int | None = None

    @property
    def estimate(self) -> Estimate:
        """The metric with its interval."""
        return Estimate(self.value, self.lower, self.upper)

    @property
    def passed(self) -> bool:
        """Whether the gate passed; a gate with too few positives to judge has not."""
        return self.outcome == "passed"

    @property
    def refuses(self) -> bool:
        """Whether this verdict blocks the model."""
        return self.blocking and not self.passed


def judge(slices: Iterable[SliceMetrics], gates: Gates, first: bool = False) -> list[Verdict]:
    """Every gate's verdict on every slice, in the order of the slices.

    Without a baseline the comparisons with it are skipped: the first model is judged by the absolute limits only.

    Args:
        slices: metrics of every slice.
        gates: the limits.
        first: whether no model is serving yet.
    """
    few_block = gates.too_few == "block" or (gates.too_few == "block_first" and first)
    return [verdict for metrics in slices for verdict in _judge_slice(metrics, gates, few_block)]


def blessed(verdicts: Iterable[Verdict]) -> bool:
    """Whether no verdict blocks the model."""
    return not any(verdict.refuses for verdict in verdicts)


def _judge_slice(metrics: SliceMetrics, gates: Gates, few_block: bool) -> Iterator[Verdict]:
    overall = metrics.key == OVERALL
    if overall:
        yield from _judge_utility(metrics.utility, gates.utility, few_block)
    for objective, candidate in metrics.candidate.items():
        gate = gates.of(objective) if overall else gates.slice
        if gate is None:
            continue
        least = 0 if overall else gates.slice_min_positives
        for metric in METRICS:
            limit = metric.limit(gate)
            estimate = metric.estimate(candidate, metrics.comparison.get(objective))
            if limit != (None, None) and estimate is not None:
                where = "" if overall else slice_name(metrics.key)
                yield _verdict(metric, estimate, limit, candidate, (objective, where), least, few_block)


def _judge_utility(utility: UtilityEvaluation, gate: UtilityGate, few_block: bool) -> Iterator[Verdict]:
    for metric in UTILITY_METRICS:
        limit, estimate = metric.limit(gate), metric.estimate(utility.candidate, utility.comparison)
        if limit == (None, None) or estimate is None:
            continue
        outcome = _bound(estimate, limit) if metric.rule == "to be shown" else _tolerance(estimate, limit)
        said = f"{_value_text(estimate, metric.undefined)}, {_relation(outcome, estimate, limit)} {limit_text(limit)}"
        if outcome == "too few":
            said += f": {_few_sessions_text(metric, estimate, limit, utility.candidate)}"
        yield Verdict(
            objective=BY_UTILITY,
            slice="",
            metric=metric.name,
            value=estimate.value,
            lower=estimate.lower,
            upper=estimate.upper,
            limit=limit,
            outcome=outcome,
            blocking=few_block or outcome != "too few",
            text=f"utility: {metric.label} {said}",
        )


def _few_sessions_text(metric: GatedUtility, estimate: Estimate, limit: Limit, metrics: UtilityMetrics) -> str:
    """`too few sessions to judge (480; about 2,100 would do)`."""
    is_share = metric.name == "utility_ndcg"
    sessions = metrics.ndcg_sessions if is_share else metrics.sessions
    edge = limit[0]
    if metric.rule == "tolerance" or edge is None or not math.isfinite(estimate.upper - estimate.lower):
        return f"{TOO_FEW_SESSIONS} ({sessions:,})"
    ends = np.array([estimate.value, estimate.lower, estimate.upper, edge])
    # The interval of an NDCG is symmetric in log-odds, that of the utility as it is.
    value, lower, upper, edge = special.logit(np.clip(ends, _SMALLEST, 1.0 - _SMALLEST)) if is_share else ends
    half = upper - value if value < edge else value - lower
    times = min((half / abs(value - edge)) ** 2, _MOST_TIMES) if value != edge else _MOST_TIMES
    return f"{TOO_FEW_SESSIONS} ({sessions:,}; about {max(sessions + 1, _two_digits(sessions * times)):,} would do)"


def _verdict(
    metric: GatedMetric,
    estimate: Estimate,
    limit: Limit,
    metrics: ObjectiveMetrics,
    place: tuple[str, str],
    least: int,
    few_block: bool,
) -> Verdict:
    objective, where = place
    outcome = _outcome(metric.rule, estimate, limit, metrics)
    needed = _positives_needed(estimate, limit, metrics) if outcome == "too few" else None
    undefined = metric.undefined if metrics.impressions else "no outcome was observed"
    said = f"{_value_text(estimate, undefined)}, {_relation(outcome, estimate, limit)} {limit_text(limit)}"
    if needed is not None:
        said += f": {_few_text(needed, metrics)}"
    if metrics.positives < least:
        said += f"; reported only, with {metrics.positives} of {least} positives"
    return Verdict(
        objective=objective,
        slice=where,
        metric=metric.name,
        value=estimate.value,
        lower=estimate.lower,
        upper=estimate.upper,
        limit=limit,
        outcome=outcome,
        blocking=metrics.positives >= least and (few_block or outcome != "too few"),
        text=f"{objective}{f' on {where}' if where else ''}: {metric.label} {said}",
        positives_needed=needed,
    )


def _outcome(rule: Rule, estimate: Estimate, limit: Limit, metrics: ObjectiveMetrics) -> Outcome:
    if rule == "to be shown":
        return _bound(estimate, limit)
    if _beyond(estimate, limit):
        return "failed"
    return _tolerance(estimate, limit) if 0 < metrics.positives < metrics.impressions else "too few"


def _bound(estimate: Estimate, limit: Limit) -> Outcome:
    if _beyond(estimate, limit):
        return "failed"
    low, high = _ends(limit)
    return "passed" if low <= estimate.lower and estimate.upper <= high else "too few"


def _tolerance(estimate: Estimate, limit: Limit) -> Outcome:
    if _beyond(estimate, limit):
        return "failed"
    # A tolerance is kept unless it is significantly exceeded, but an estimate without an interval says nothing.
    return "passed" if math.isfinite(estimate.lower) and math.isfinite(estimate.upper) else "too few"


def _beyond(estimate: Estimate, limit: Limit) -> bool:
    """Whether the entire interval is beyond the limit."""
    low, high = _ends(limit)
    return estimate.upper < low or estimate.lower > high


def _ends(limit: Limit) -> tuple[float, float]:
    return -math.inf if limit[0] is None else limit[0], math.inf if limit[1] is None else limit[1]


def _positives_needed(estimate: Estimate, limit: Limit, metrics: ObjectiveMetrics) -> int:
    """About how many of the rarer outcomes would move the interval to one side of the limit, in two digits.

    The width of an interval falls with the square root of their number, and with its degrees of freedom. That holds on
    the scale that the interval is symmetric on: log-odds for a metric with a floor, which lies between 0 and 1, and the
    logarithm for one with a ceiling.
    """
    rarer = _rarer(metrics)
    scale = special.logit if limit[1] is None else np.log
    straddled = [edge for edge in limit if edge is not None and estimate.lower <= edge <= estimate.upper]
    if rarer < 2 or not straddled or not math.isfinite(estimate.upper - estimate.lower):
        return max(_PLANNED_POSITIVES, rarer + 1)
    # Half an outcome keeps a value of 0 or 1 finite, as in the interval.
    value, lower, upper, edge = np.clip(
        [estimate.value, estimate.lower, estimate.upper, straddled[0]],
        [0.5 / (rarer + 1), _SMALLEST, _SMALLEST, _SMALLEST],
        [1.0 - 0.5 / (rarer + 1), *[1.0 - _SMALLEST] * 3] if limit[1] is None else math.inf,
    )
    half = scale(upper) - scale(value) if value < edge else scale(value) - scale(lower)
    distance = abs(scale(value) - scale(edge))
    # The ratio of two quantiles hardly depends on the level.
    now, then = (student_quantile(0.95, min(groups, VIEWER_GROUPS)) for groups in (rarer, VIEWER_GROUPS))
    times = min(float(half / distance * then / now) ** 2, _MOST_TIMES) if distance else _MOST_TIMES
    return max(rarer + 1, _two_digits(rarer * times))


def _two_digits(count: float) -> int:
    """A count rounded up to two significant digits."""
    unit = 10 ** max(0, math.floor(math.log10(count)) - 1)
    return math.ceil(count / unit) * unit


def _rarer(metrics: ObjectiveMetrics) -> int:
    return min(metrics.positives, metrics.impressions - metrics.positives)


def _few_text(needed: int, metrics: ObjectiveMetrics) -> str:
    """`too few positives to judge (37; about 420 in 120,000 impressions would do)`."""
    positives_are_rarer = 2 * metrics.positives <= metrics.impressions
    few = TOO_FEW if positives_are_rarer else TOO_FEW.replace("positives", "negatives")
    expected = metrics.mean_prediction if positives_are_rarer else 1.0 - metrics.mean_prediction
    rate = _rarer(metrics) / metrics.impressions if _rarer(metrics) else expected
    impressions = f" in {_two_digits(needed / rate):,} impressions" if rate * _MOST_PLANNED > needed else ""
    return f"{few} ({_rarer(metrics):,}; about {needed:,}{impressions} would do)"


def _value_text(estimate: Estimate, undefined: str) -> str:
    if not estimate.defined:
        return f"is undefined, as {undefined}"
    return f"is {shown_interval(estimate)}"


def _relation(outcome: Outcome, estimate: Estimate, limit: Limit) -> str:
    if outcome == "too few":
        return "not clearly on one side of the limit of" if estimate.defined else "and the limit is"
    low, high = limit
    outside = (low is not None and estimate.value < low) or (high is not None and estimate.value > high)
    if outcome == "passed" and outside:
        return "by no more than noise beyond the limit of"
    return f"{'beyond' if outcome == 'failed' else 'within'} the limit of"


def limit_text(limit: Limit) -> str:
    """A limit in words: `at least 0.55`, `at most 0.01`, `0.8 to 1.25`."""
    low, high = limit
    if low is None:
        return f"at most {high:g}"
    if high is None:
        return f"at least {low:g}"
    return f"{low:g} to {high:g}"
