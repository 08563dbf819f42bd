"""What an order of a session is worth: expected engagement by the simulator's true probabilities."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from datasets.synthetic.candidates import Candidates
from ranker.config.objectives import Objective
from ranker.config.utility import Utility

GROUPS = ("passive", "active", "other")

Engagement = NDArray[np.float64]
"""[sessions, groups] expected engagement: the sum of utility weight times probability over a session's impressions."""


def engagement(candidates: Candidates, order: NDArray[np.int64], objectives: Sequence[Objective]) -> Engagement:
    """The expected engagement of each session that is shown in an order.

    It is an expectation, given everything that the simulator knows, and not a draw. So two orders of a session differ
    only by what the orders are worth.

    Args:
        candidates: consecutive sessions.
        order: [rows], as for `Candidates.show`.
        objectives: their order is that of the simulator's objectives.
    """
    probability = candidates.expectations(order).given_everything
    starts = candidates.offsets[:-1]
    values = np.zeros((len(starts), len(GROUPS)))
    for objective, chances in zip(objectives, probability, strict=True):
        sums = np.add.reduceat(chances.astype(np.float64), starts)
        values[:, GROUPS.index(objective.group)] += objective.utility_weight * sums
    return values


def utility(values: NDArray[np.float64], trade_off: Utility) -> NDArray[np.float64]:
    """[..., groups] engagement → [...] utility.

    Example:
        >>> utility(np.array([2.0, 1.0, 10.0]), Utility(alpha=0.5, lambda_=0.1)).item()
        2.5
    """
    weighed: NDArray[np.float64] = values @ np.array([trade_off.alpha, 1 - trade_off.alpha, trade_off.lambda_])
    return weighed
