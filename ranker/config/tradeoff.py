"""What a team wants from the trade-off between objectives: the goal, the guardrails, and the settings to search."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, MAX_WEIGHT, ColumnName, Count, Ordered, Range, Real, Share
from ranker.config.names import folded
from ranker.config.objectives import Objective
from ranker.config.utility import Utility

GOAL = "goal"
"""What is maximised, beside the guarded objectives in tables and figures."""

Confidence = Annotated[Real, Field(ge=0.5, le=0.9999)]
MAX_FACTOR = 1000.0

_Alpha = Annotated[Real, Field(ge=0.0, le=1.0)]
_Lambda = Annotated[Real, Field(gt=0.0, le=MAX_WEIGHT)]


@dataclass(frozen=True, config=CHECKED)
class Guardrail:
    """A limit on the change of an objective's rate per session, relative to the current setting's.

    The current setting has a change of 0 and meets every guardrail, so it is the setting to fall back to. What should
    grow or shrink belongs in `maximize`.

    Attributes:
        objective: name of the objective.
        min_change: the largest accepted loss, 0 or less: -0.01 accepts a loss of 1 %. None: the rate may fall.
        max_change: the largest accepted growth, 0 or more. None: the rate may grow.
        confidence: the probability with which a setting has to meet the limit before it is shipped.

    Example:
        >>> Guardrail("click", min_change=-0.01), Guardrail("hide", max_change=0.0, confidence=0.9)
        (click ≥ -1 % at 95 %, hide ≤ +0 % at 90 %)
    """

    objective: str
    min_change: Annotated[Real, Field(ge=-1.0, le=0.0)] | None = None
    max_change: Annotated[Real, Field(ge=0.0, le=100.0)] | None = None
    confidence: Confidence = 0.95

    def __post_init__(self) -> None:
        if self.min_change is None and self.max_change is None:
            raise ValueError(f"guardrail on {self.objective!r}: set min_change, max_change or both")

    @property
    def limits(self) -> str:
        """The limits in words, without the confidence."""
        parts = [(">=", self.min_change), ("<=", self.max_change)]
        signs = {">=": "≥", "<=": "≤"}
        return f"{self.objective} " + " and ".join(
            f"{signs[sign]} {100 * limit + 0.0:{'+' if sign == '<=' else ''}g} %"
            for sign, limit in parts
            if limit is not None
        )

    def __repr__(self) -> str:
        return f"{self.limits} at {100 * self.confidence:g} %"


@dataclass(frozen=True, config=CHECKED)
class SearchSpace:
    """The settings that are searched; everything else keeps the config's value.

    Attributes:
        alpha: the range of alpha. None: not searched.
        lambda_: the range of lambda, on a logarithmic scale. None: not searched.
        weights: objective → factor above 1. The objective's utility weight is searched from weight / factor to weight ×
            factor on a logarithmic scale; its sign stays.

    Example:
        >>> SearchSpace(alpha=(0.2, 0.8), weights={"comment": 8.0}).parameters
        ('alpha', 'weight of comment')
    """

    alpha: Range[_Alpha] | None = (0.0, 1.0)
    lambda_: Range[_Lambda] | None = None
    weights: dict[str, Annotated[Real, Field(gt=1.0, le=MAX_FACTOR)]] = Field(default_factory=dict)

    def __post_init__(self) -> None:
        for field, range_ in (("alpha", self.alpha), ("lambda_", self.lambda_)):
            if range_ is not None and range_[0] >= range_[1]:
                raise ValueError(f"search.{field}: {range_} is not a range, lower end first")
        if not self.parameters:
            raise ValueError("search: there is nothing to search; set alpha, lambda_ or weights")

    @property
    def parameters(self) -> tuple[str, ...]:
        """The searched parameters in order."""
        return (
            *(("alpha",) if self.alpha is not None else ()),
            *(("lambda",) if self.lambda_ is not None else ()),
            *(f"weight of {objective}" for objective in self.weights),
        )


@dataclass(frozen=True, config=CHECKED)
class TradeOff:
    """A trade-off that tunes itself: maximise a metric under guardrails. `docs/tradeoff.md` explains the experiment.

    A metric is an objective's number of positives per session. The current setting, which the others are compared
    with, is `utility` and the utility weights of the config. None of this changes a model.

    Attributes:
        maximize: objective → its weight in the sum of rates that is maximised.
        guardrails: limits on other objectives, at most one entry per objective.
        search: the settings that are searched.
        confidence: the probability with which a setting has to be better than the current one before it is shipped.
        by: a categorical feature of the viewer or the session, such as a device. Each of its values, a cohort, gets
            settings of its own. None: one setting for all.
        cohort_share: with `by`: the share of the variance of a metric's change that is a cohort's own. The lower, the
            more a cohort with little data resembles the others.
        explored: the share of viewers that see a setting under test; the others see the current one.
        min_viewers: viewers that every arm needs before new arms replace it.
        half_life_days: age in days at which a measurement counts half as much as a new one.
        arm: the feed log's column with the arm of a session; null where the session was not part of the experiment.
        propensity: the feed log's column with the chance that its viewer drew this arm.

    Example:
        >>> TradeOff(
        ...     maximize={"comment": 5.0, "reshare": 8.0},
        ...     guardrails=(Guardrail("click", min_change=-0.01), Guardrail("long_dwell", min_change=-0.01)),
        ...     search=SearchSpace(alpha=(0.1, 0.9), weights={"comment": 8.0, "reshare": 8.0}),
        ... ).guardrails[0].confidence
        0.95
    """

    maximize: Annotated[
        dict[str, Annotated[Real, Field(ge=-MAX_WEIGHT, le=MAX_WEIGHT)]],
        Field(min_length=1),
    ]
    guardrails: Ordered[Guardrail] = ()
    search: SearchSpace = SearchSpace()
    confidence: Confidence = 0.95
    by: ColumnName | None = None
    cohort_share: Annotated[Real, Field(ge=0.01, le=0.99)] = 0.3
    explored: Annotated[Share, Field(le=0.95)] = 0.5
    min_viewers: Annotated[Count, Field(ge=30)] = 1000
    half_life_days: Annotated[Real, Field(gt=0.0, le=3_650.0)] = 14.0
    arm: ColumnName = "arm"
    propensity: ColumnName = "arm_propensity"

    def __post_init__(self) -> None:
        if zero := sorted(name for name, weight in self.maximize.items() if weight == 0):
            raise ValueError(f"maximize: {zero} have weight 0; leave them out")
        guarded = [guardrail.objective for guardrail in self.guardrails]
        if twice := sorted({name for name in guarded if guarded.count(name) > 1}):
            raise ValueError(f"guardrails: {twice} occur more than once; set both limits in one guardrail")
        blocked = {
            guardrail.objective
            for guardrail in self.guardrails
            if _blocks(guardrail, self.maximize.get(guardrail.objective, 0.0))
        }
        if blocked == set(self.maximize):
            raise ValueError(
                f"guardrails: they contradict the goal: {sorted(blocked)} may not change in the direction that is "
                "maximised, so that no setting can be better than the current one"
            )

    def check(self, objectives: Sequence[Objective], utility: Utility, categorical: Sequence[str]) -> None:
        """Checks the names, and that the current setting is within the search space.

        Args:
            objectives: of the config.
            utility: of the config.
            categorical: names of the categorical features.

        Raises:
            ValueError: an objective or feature is unknown, or the current setting lies outside the search space.
        """
        names = [objective.name for objective in objectives]
        named = {
            "maximize": list(self.maximize),
            "guardrails": [guardrail.objective for guardrail in self.guardrails],
            "search.weights": list(self.search.weights),
        }
        for field, used in named.items():
            if unknown := sorted(set(used) - set(names)):
                raise ValueError(f"tradeoff.{field}: {unknown} are not among the objectives {names}")
        if same := [name for name in named["guardrails"] if folded(name) == GOAL]:
            raise ValueError(
                f"tradeoff.guardrails: {same[0]!r} is reserved, because {GOAL!r} is what is maximised in reports; "
                f"name the objective otherwise, and keep its column with column={same[0]!r}"
            )
        weights = {objective.name: objective.utility_weight for objective in objectives}
        if zero := sorted(name for name in self.search.weights if weights[name] == 0):
            raise ValueError(
                f"tradeoff.search.weights: {zero} have utility_weight 0, which a factor does not change; give them one"
            )
        for field, range_, current in (
            ("alpha", self.search.alpha, utility.alpha),
            ("lambda_", self.search.lambda_, utility.lambda_),
        ):
            if range_ is not None and not range_[0] <= current <= range_[1]:
                raise ValueError(f"tradeoff.search.{field}: the current {current:g} of utility is not within {range_}")
        if self.by is not None and self.by not in categorical:
            raise ValueError(f"tradeoff.by: {self.by!r} is not among the categorical features {sorted(categorical)}")

    @property
    def log_columns(self) -> tuple[str, str]:
        """The columns that an experiment adds to the feed log."""
        return self.arm, self.propensity


def _blocks(guardrail: Guardrail, weight: float) -> bool:
    """Whether a guardrail forbids every change of an objective that would raise the goal."""
    return (weight > 0 and guardrail.max_change == 0.0) or (weight < 0 and guardrail.min_change == 0.0)
