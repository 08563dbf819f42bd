"""A setting of the trade-off."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from pydantic.dataclasses import dataclass

from ranker.config.objectives import Objective
from ranker.config.utility import Utility
from ranker.evaluation.buckets import Floats


@dataclass(frozen=True)
class Setting:
    """What a ranking request needs to know of a trade-off.

    Attributes:
        alpha: weight of passive consumption.
        lambda_: weight of the other objectives.
        weights: objective → utility weight, for the searched ones; the others keep the config's.
    """

    alpha: float
    lambda_: float
    weights: dict[str, float]

    def coefficients(self, objectives: Sequence[Objective]) -> Floats:
        """What each objective's probability is multiplied by in the utility, [objectives]."""
        utility = Utility(alpha=self.alpha, lambda_=self.lambda_)
        weighted = [replace(o, utility_weight=self.weights.get(o.name, o.utility_weight)) for o in objectives]
        return np.array(utility.coefficients(weighted))

    def __str__(self) -> str:
        weights = "".join(f", {name} {weight:.4g}" for name, weight in self.weights.items())
        return f"alpha {self.alpha:.3g}, lambda {self.lambda_:.3g}{weights}"
