"""The verdict of a gate on a candidate's metric."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ranker.documents import LowerEnd, Number, UpperEnd
from ranker.evaluation.intervals import Estimate

Outcome = Literal["passed", "failed", "too few"]
Limit = tuple[float | None, float | None]

TOO_FEW = "too few positives to judge"
TOO_FEW_SESSIONS = "too few sessions to judge"

BY_UTILITY = ""
"""Stands for the objective in verdicts on the ranking by the utility."""


@dataclass(frozen=True)
class Verdict:
    """The verdict of one gate.

    Attributes:
        objective: the objective; "" for the ranking by the utility.
        slice: the slice as text, "" for all impressions.
        metric: the name of one of `gated_metrics.METRICS` or `UTILITY_METRICS`.
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


def blessed(verdicts: Iterable[Verdict]) -> bool:
    """Whether no verdict blocks the model."""
    return not any(verdict.refuses for verdict in verdicts)
