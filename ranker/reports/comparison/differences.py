"""Differences between two models, candidate minus baseline, with paired intervals."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ranker.evaluation.evaluated_slice import ObjectiveEvaluation
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.intervals import Estimate
from ranker.evaluation.shown_numbers import shown_number


@dataclass(frozen=True)
class Difference:
    """One metric of two models.

    Attributes:
        metric: its name.
        value, lower, upper: candidate minus baseline, and its interval; NaN where the metric is not defined.
        more_is_better: whether a positive difference favours the candidate.
    """

    metric: str
    value: float
    lower: float
    upper: float
    more_is_better: bool

    @property
    def defined(self) -> bool:
        """Whether there are enough outcomes for a value."""
        return math.isfinite(self.value)

    @property
    def significant(self) -> bool:
        """Whether the interval excludes 0."""
        return math.isfinite(self.lower) and math.isfinite(self.upper) and (self.lower > 0 or self.upper < 0)

    @property
    def favours(self) -> str:
        """ "A" or "B", the model that is significantly better; "" if neither is."""
        if not self.significant:
            return ""
        return "A" if (self.value > 0) == self.more_is_better else "B"

    def __str__(self) -> str:
        if not self.defined:
            return "–"
        star = "*" if self.significant else ""
        value, lower, upper = (shown_number(number, "+.4f") for number in (self.value, self.lower, self.upper))
        return f"{value}{star} [{lower}, {upper}]"


def objective_differences(found: ObjectiveEvaluation) -> tuple[Difference, ...]:
    """The compared metrics of one objective; none if the baseline does not predict it."""
    compared = found.comparison
    if compared is None:
        return ()
    return (
        _difference("AUC", compared.auc_drop, more_is_better=True),
        _difference("GAUC", compared.gauc_drop, more_is_better=True),
        _difference("normalized entropy", compared.normalized_entropy_growth, more_is_better=False),
        _difference("|log O/E|", compared.calibration_worsening, more_is_better=False),
    )


def utility_differences(evaluation: Evaluation) -> Iterator[Difference]:
    """The compared metrics of the ranking by the utility."""
    if (compared := evaluation.utility.comparison) is not None:
        name = f"utility of the top {evaluation.sessions.utility.k}, relative"
        yield _difference(name, compared.utility_drop, more_is_better=True)
        yield _difference("NDCG of the utility", compared.ndcg_drop, more_is_better=True)


def _difference(metric: str, estimate: Estimate, more_is_better: bool) -> Difference:
    """An estimate as candidate minus baseline: a drop is baseline minus candidate, a growth is the other way round."""
    sign = -1 if more_is_better else 1
    lower, upper = sorted((sign * estimate.lower, sign * estimate.upper))
    return Difference(metric, sign * estimate.value, lower, upper, more_is_better)
