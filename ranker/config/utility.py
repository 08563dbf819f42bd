"""The trade-off between objectives that a feed is ranked and judged by."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, Count, Real, Weight
from ranker.config.objectives import Objective


@dataclass(frozen=True, config=CHECKED)
class Utility:
    """How the objectives' probabilities are combined into the utility of a candidate, `alpha·f_p + (1 − alpha)·f_a +
    lambda·f_o`; `f_p`, `f_a` and `f_o` are the sums of utility weight times probability over the passive, active and
    other objectives.

    A request for a ranking that names no trade-off has this one, and models are judged by it.

    Attributes:
        alpha: weight of passive consumption; active consumption has weight 1 - alpha.
        lambda_: weight of the other objectives.
        k: the number of candidates at the top of a session that ranking metrics look at.

    Example:
        >>> utility = Utility(alpha=0.25)
        >>> utility.coefficients([Objective("click", "passive"), Objective("reply", "active", utility_weight=8.0)])
        (0.25, 6.0)
    """

    alpha: Annotated[Real, Field(ge=0.0, le=1.0)] = 0.5
    lambda_: Weight = 0.1
    k: Count = 10

    def coefficients(self, objectives: Sequence[Objective]) -> tuple[float, ...]:
        """What each objective's probability is multiplied by in the utility, in the order of the objectives."""
        groups = {"passive": self.alpha, "active": 1.0 - self.alpha, "other": self.lambda_}
        return tuple(groups[objective.group] * objective.utility_weight for objective in objectives)
