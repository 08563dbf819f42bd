"""An evaluation's metrics and verdicts as `summary.json` holds them."""

import math
from collections.abc import Iterable
from typing import Any

from pipeline.local.metrics_summary import (
    GateSummary,
    MetricsSummary,
    ObjectiveSummary,
    UtilityMetricsSummary,
    UtilitySummary,
)
from ranker.evaluation.evaluated_slice import ObjectiveEvaluation
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.gate_states import State
from ranker.evaluation.intervals import Estimate
from ranker.evaluation.references import References
from ranker.evaluation.session_metrics import UtilityMetrics
from ranker.evaluation.summary import ObjectiveMetrics
from ranker.evaluation.verdict import BY_UTILITY, Verdict


def summarise_objectives(evaluation: Evaluation) -> dict[str, ObjectiveSummary]:
    """Every objective of an evaluation, over all impressions."""
    return {
        name: _objective(
            found,
            evaluation.state(name),
            evaluation.gate(name),
            evaluation.references.get(name, References()),
            evaluation.observed(name),
        )
        for name, found in evaluation.objectives.items()
    }


def summarise_utility(evaluation: Evaluation) -> UtilitySummary:
    """The ranking by the utility, over all sessions."""
    utility, sessions = evaluation.utility, evaluation.sessions
    compared: dict[str, Any] = {}
    if utility.comparison is not None:
        compared |= _bounded("utility_drop", utility.comparison.utility_drop)
        compared |= _bounded("ndcg_drop", utility.comparison.ndcg_drop)
    return UtilitySummary(
        **_utility_metrics(utility.candidate),
        state=evaluation.state(BY_UTILITY),
        gate=evaluation.gate(BY_UTILITY),
        k=sessions.utility.k,
        weights=sessions.utility.weights,
        session_share=sessions.share,
        impressions_without_session=sessions.impressions_without,
        baseline=UtilityMetricsSummary(**_utility_metrics(utility.baseline)) if utility.baseline is not None else None,
        **compared,
    )


def summarise_gates(verdicts: Iterable[Verdict]) -> tuple[GateSummary, ...]:
    """The verdicts in the same order."""
    return tuple(
        GateSummary(
            objective=verdict.objective,
            slice=verdict.slice,
            metric=verdict.metric,
            value=_finite(verdict.value),
            lower=_finite(verdict.lower),
            upper=_finite(verdict.upper),
            limit=verdict.limit,
            outcome=verdict.outcome,
            passed=verdict.passed,
            blocking=verdict.blocking,
            text=verdict.text,
            positives_needed=verdict.positives_needed,
        )
        for verdict in verdicts
    )


def _objective(
    evaluated: ObjectiveEvaluation, state: State, gate: str, references: References, observed: float
) -> ObjectiveSummary:
    compared: dict[str, Any] = {}
    if evaluated.comparison is not None:
        compared |= _bounded("auc_drop", evaluated.comparison.auc_drop)
        compared |= _bounded("normalized_entropy_growth", evaluated.comparison.normalized_entropy_growth)
        compared |= _bounded("calibration_worsening", evaluated.comparison.calibration_worsening)
        compared |= _bounded("gauc_drop", evaluated.comparison.gauc_drop)
        compared |= _bounded("ndcg_drop", evaluated.comparison.ndcg_drop)
    return ObjectiveSummary(
        **_metrics(evaluated.candidate),
        observed=observed,
        state=state,
        gate=gate,
        baseline=_metrics_summary(evaluated.baseline),
        forest=_metrics_summary(references.forest),
        base_rate=_metrics_summary(references.base_rate),
        **compared,
    )


def _metrics_summary(metrics: ObjectiveMetrics | None) -> MetricsSummary | None:
    return MetricsSummary(**_metrics(metrics)) if metrics is not None else None


def _metrics(metrics: ObjectiveMetrics) -> dict[str, Any]:
    return {
        "impressions": metrics.impressions,
        "positives": metrics.positives,
        **_bounded("auc", metrics.auc),
        **_bounded("o_over_e", metrics.o_over_e),
        "o_over_e_variance": _finite(metrics.o_over_e_variance),
        "viewer_groups": metrics.viewer_groups,
        "mean_prediction": _finite(metrics.mean_prediction),
        **_bounded("normalized_entropy", metrics.normalized_entropy),
        "log_loss": _finite(metrics.log_loss),
        "expected_calibration_error": _finite(metrics.expected_calibration_error),
        **_bounded("gauc", metrics.ranking.gauc),
        "gauc_sessions": metrics.ranking.gauc_sessions,
        **_bounded("ndcg", metrics.ranking.ndcg),
        "ndcg_sessions": metrics.ranking.ndcg_sessions,
    }


def _utility_metrics(metrics: UtilityMetrics) -> dict[str, Any]:
    return {
        "sessions": metrics.sessions,
        **_bounded("top_utility", metrics.top_utility),
        **_bounded("ndcg", metrics.ndcg),
        "ndcg_sessions": metrics.ndcg_sessions,
    }


def _bounded(name: str, estimate: Estimate) -> dict[str, float | None]:
    return {
        name: _finite(estimate.value),
        f"{name}_lower": _finite(estimate.lower),
        f"{name}_upper": _finite(estimate.upper),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
