"""Gates: limits on a candidate's metrics, checked before it is published.

A gate fails only if the entire interval of the metric is beyond the limit, so noise does not block a model. A slice
with few positives and an undefined metric are reported but never block.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from ranker.config.gates import Gate, Gates
from ranker.documents import LowerEnd, Number, UpperEnd
from ranker.evaluation.intervals import Estimate
from ranker.evaluation.slicing import OVERALL, slice_name
from ranker.evaluation.summary import SliceMetrics

Outcome = Literal["passed", "failed", "not evaluated"]
Limit = tuple[float | None, float | None]

_LABELS = {
    "auc": "AUC",
    "o_over_e": "O/E",
    "auc_drop": "AUC drop compared with the serving model",
    "calibration_worsening": "increase of |log O/E| compared with the serving model",
}


@dataclass(frozen=True)
class Verdict:
    """The verdict of one gate.

    Attributes:
        objective: the objective.
        slice: the slice as text, "" for all impressions.
        metric: auc, o_over_e, auc_drop or calibration_worsening.
        value: the metric; NaN where undefined.
        lower: lower end of its interval.
        upper: upper end of its interval.
        limit: the lowest and the highest allowed value; None leaves a side open.
        outcome: `failed` if the entire interval is beyond the limit, `passed` if not, or `not evaluated`.
        blocking: whether a failure blocks the model.
        text: all of this as a sentence.
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

    @property
    def estimate(self) -> Estimate:
        """The metric with its interval."""
        return Estimate(self.value, self.lower, self.upper)

    @property
    def passed(self) -> bool:
        """Whether the gate was evaluated and did not fail."""
        return self.outcome == "passed"

    @property
    def refuses(self) -> bool:
        """Whether this verdict blocks the model."""
        return self.blocking and self.outcome == "failed"


def judge(slices: Iterable[SliceMetrics], gates: Gates) -> list[Verdict]:
    """Every gate's verdict on every slice, in the order of the slices.

    Without a baseline the comparisons with it are skipped: the first model is judged by the absolute limits only.
    """
    return [verdict for metrics in slices for verdict in _judge_slice(metrics, gates)]


def blessed(verdicts: Iterable[Verdict]) -> bool:
    """Whether no verdict blocks the model."""
    return not any(verdict.refuses for verdict in verdicts)


def _judge_slice(metrics: SliceMetrics, gates: Gates) -> Iterator[Verdict]:
    for objective, candidate in metrics.candidate.items():
        overall = metrics.key == OVERALL
        gate = gates.of(objective) if overall else gates.slice
        if gate is None:
            continue
        enough = overall or candidate.positives >= gates.slice_min_positives
        few = "" if enough else f"; reported only, with {candidate.positives} of {gates.slice_min_positives} positives"
        comparison = metrics.comparison.get(objective)
        estimates = {"auc": candidate.auc, "o_over_e": candidate.o_over_e}
        if comparison is not None:
            estimates["auc_drop"] = comparison.auc_drop
            estimates["calibration_worsening"] = comparison.calibration_worsening
        for metric, limit in _limits(gate).items():
            if metric in estimates:
                where = "" if overall else slice_name(metrics.key)
                yield _verdict(objective, where, metric, estimates[metric], limit, enough, few)


def _limits(gate: Gate) -> dict[str, Limit]:
    limits: dict[str, Limit] = {}
    if gate.min_auc is not None:
        limits["auc"] = (gate.min_auc, None)
    if gate.o_over_e is not None:
        limits["o_over_e"] = gate.o_over_e
    if gate.max_auc_drop is not None:
        limits["auc_drop"] = (None, gate.max_auc_drop)
    if gate.max_calibration_worsening is not None:
        limits["calibration_worsening"] = (None, gate.max_calibration_worsening)
    return limits


def _verdict(
    objective: str, where: str, metric: str, estimate: Estimate, limit: Limit, enough: bool, few: str
) -> Verdict:
    outcome, blocking, said = _decide(estimate, limit)
    subject = f"{objective}{f' on {where}' if where else ''}: {_LABELS[metric]}"
    return Verdict(
        objective=objective,
        slice=where,
        metric=metric,
        value=estimate.value,
        lower=estimate.lower,
        upper=estimate.upper,
        limit=limit,
        outcome=outcome,
        blocking=blocking and enough,
        text=f"{subject} {said}{few}",
    )


def _decide(estimate: Estimate, limit: Limit) -> tuple[Outcome, bool, str]:
    """The outcome, whether it can block, and its text."""
    if not estimate.defined:
        return "not evaluated", False, "is undefined, as all outcomes are the same: this gate was not evaluated"
    low, high = limit
    value = f"is {estimate.value:.3f} [{estimate.lower:.3f}, {estimate.upper:.3f}]"
    if (low is not None and estimate.upper < low) or (high is not None and estimate.lower > high):
        return "failed", True, f"{value}, beyond the limit of {_limit_text(limit)}"
    if (low is not None and estimate.value < low) or (high is not None and estimate.value > high):
        return "passed", True, f"{value}, beyond the limit of {_limit_text(limit)} by no more than noise"
    return "passed", True, f"{value}, within the limit of {_limit_text(limit)}"


def _limit_text(limit: Limit) -> str:
    low, high = limit
    if low is None:
        return f"at most {high:g}"
    if high is None:
        return f"at least {low:g}"
    return f"{low:g} to {high:g}"
