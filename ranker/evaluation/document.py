"""The evaluation as JSON: what the run summary, the report and a reader of `gates.json` see."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ranker.evaluation.buckets import score_edges
from ranker.evaluation.gates import Verdict, blessed
from ranker.evaluation.intervals import Estimate
from ranker.evaluation.slicing import OVERALL, SliceSpec, slice_name
from ranker.evaluation.summary import BASELINE, CANDIDATE, ObjectiveMetrics, SliceMetrics

_RATES = ("mean_prediction", "normalized_entropy", "log_loss", "expected_calibration_error")


@dataclass(frozen=True)
class Baseline:
    """The model now serving.

    Attributes:
        version: its version, or None where no model is serving.
        dropped: why the candidate was not compared with it, or None.
    """

    version: str | None = None
    dropped: str | None = None


def evaluation_document(
    slices: Sequence[SliceMetrics],
    verdicts: Sequence[Verdict],
    baseline: Baseline,
    confidence: float,
    too_many: Sequence[SliceSpec] = (),
) -> dict[str, Any]:
    """The whole evaluation, JSON-ready: NaN and infinities become None.

    Args:
        slices: metrics of every slice, all impressions among them.
        verdicts: what `gates.judge` says of them.
        baseline: the model now serving.
        confidence: level of the intervals.
        too_many: kinds of slices that were given up.

    Returns:
        `blessed`; `confidence`; `baseline` (`version`, `dropped`); `objectives`, metrics over all impressions by
        objective; `curves`, per objective and model the reliability curve and the score histogram over all
        impressions; `slices`, the metrics per slice; `slices_dropped`, kinds of slices with too many values;
        `verdicts`, of every gate over all impressions and of every slice's gate that failed; `slice_verdicts`, how many
        slice gates ended how.
    """
    overall = next(metrics for metrics in slices if metrics.key == OVERALL)
    on_slices = [verdict for verdict in verdicts if verdict.slice]
    return {
        "blessed": blessed(verdicts),
        "confidence": confidence,
        "baseline": {"version": baseline.version, "dropped": baseline.dropped},
        "objectives": _objectives(overall),
        "curves": {
            name: {
                model: _curves(metrics[name])
                for model, metrics in ((CANDIDATE, overall.candidate), (BASELINE, overall.baseline))
                if name in metrics
            }
            for name in overall.candidate
        },
        "slices": [
            {"slice": dict(metrics.key), "name": slice_name(metrics.key), "objectives": _objectives(metrics)}
            for metrics in slices
            if metrics.key != OVERALL
        ],
        "slices_dropped": [list(spec) for spec in too_many],
        "verdicts": [_verdict(v) for v in verdicts if not v.slice or v.outcome == "failed"],
        "slice_verdicts": dict(Counter(verdict.outcome for verdict in on_slices)),
    }


def _objectives(metrics: SliceMetrics) -> dict[str, dict[str, Any]]:
    documents = {}
    for name, candidate in metrics.candidate.items():
        document = _metrics(candidate)
        if name in metrics.baseline:
            document["baseline"] = _metrics(metrics.baseline[name])
            document |= _bounded("auc_drop", metrics.comparison[name].auc_drop)
            document |= _bounded("calibration_worsening", metrics.comparison[name].calibration_worsening)
        documents[name] = document
    return documents


def _metrics(metrics: ObjectiveMetrics) -> dict[str, Any]:
    return {
        "impressions": metrics.impressions,
        "positives": metrics.positives,
        **_bounded("auc", metrics.auc),
        **_bounded("o_over_e", metrics.o_over_e),
        "o_over_e_variance": _number(metrics.outcomes.variance),
        "viewer_groups": metrics.outcomes.groups,
        **{name: _number(getattr(metrics, name)) for name in _RATES},
    }


def _curves(metrics: ObjectiveMetrics) -> dict[str, Any]:
    """The reliability curve, and the score histogram from the first to the last bucket that holds anything."""
    curve = metrics.reliability
    occupied = np.flatnonzero(metrics.scores)
    first, end = (int(occupied[0]), int(occupied[-1]) + 1) if len(occupied) else (0, 1)
    return {
        "reliability": {
            name: getattr(curve, name).tolist() for name in ("edges", "impressions", "positives", "predicted")
        },
        "scores": {
            "first_bucket": first,
            "edges": score_edges()[first : end + 1].tolist(),
            "impressions": metrics.scores[first:end].tolist(),
        },
    }


def _bounded(name: str, estimate: Estimate) -> dict[str, float | None]:
    return {
        name: _number(estimate.value),
        f"{name}_lower": _number(estimate.lower),
        f"{name}_upper": _number(estimate.upper),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "objective": verdict.objective,
        "slice": verdict.slice,
        "metric": verdict.metric,
        "value": _number(verdict.value),
        "lower": _number(verdict.lower),
        "upper": _number(verdict.upper),
        "limit": list(verdict.limit),
        "outcome": verdict.outcome,
        "passed": verdict.passed,
        "blocking": verdict.blocking,
        "text": verdict.text,
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
