"""The metrics that gates can limit. A further one is one more entry, and a field of `ranker.config.gates.Gate`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ranker.config.gates import Gate, UtilityGate
from ranker.evaluation.intervals import Estimate
from ranker.evaluation.session_metrics import UtilityComparison, UtilityMetrics
from ranker.evaluation.summary import Comparison, ObjectiveMetrics
from ranker.evaluation.verdict import Limit

Rule = Literal["to be shown", "tolerance"]


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
