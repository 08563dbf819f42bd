"""Gates: limits on a candidate's metrics, checked before it is published.

`gated_metrics` lists the metrics that can be limited. There are two rules. A floor or a ceiling has to be shown: the
entire interval of the metric is within the limit, or the gate does not pass. A tolerance (O/E, and the comparisons with
the serving model) passes unless the entire interval is beyond the limit. Where the interval cannot decide, there are
too few positives to judge; `Gates.too_few` says what follows.
"""

import math
from collections.abc import Iterable, Iterator

from ranker.config.gates import Gates, UtilityGate
from ranker.evaluation.enough_positives import positives_needed
from ranker.evaluation.gate_sentences import few_sessions_text, few_text, limit_text, relation, value_text
from ranker.evaluation.gated_metrics import METRICS, UTILITY_METRICS, GatedMetric, Rule
from ranker.evaluation.intervals import Estimate
from ranker.evaluation.slicing import OVERALL, slice_name
from ranker.evaluation.summary import ObjectiveMetrics, SliceMetrics, UtilityEvaluation
from ranker.evaluation.verdict import BY_UTILITY, Limit, Outcome, Verdict


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
        said = f"{value_text(estimate, metric.undefined)}, {relation(outcome, estimate, limit)} {limit_text(limit)}"
        if outcome == "too few":
            said += f": {few_sessions_text(metric, estimate, limit, utility.candidate)}"
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
    needed = positives_needed(estimate, limit, metrics) if outcome == "too few" else None
    undefined = metric.undefined if metrics.impressions else "no outcome was observed"
    said = f"{value_text(estimate, undefined)}, {relation(outcome, estimate, limit)} {limit_text(limit)}"
    if needed is not None:
        said += f": {few_text(needed, metrics)}"
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
