"""Early stopping per objective.

A rare objective overfits after a few dozen rounds; a frequent one still improves after hundreds. All objectives share
the boosting rounds, so the booster grows until the last objective has stopped. Then every tree beyond its objective's
best round is removed.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from ranker.forest.masked import log_losses

_PREFIX = "logloss_of_output_"

# Fewer positives than these leave the number of rounds to chance: on labels of pure noise, early stopping by one to
# four held-out positives kept up to 63 rounds.
MIN_HELD_OUT_POSITIVES = 5
# Rounds x learning rate of an objective that cannot be stopped early: 20 rounds at 0.1. On pure noise they raise the
# normalized entropy by at most 0.02. On the feed's rarest objective with 29 to 47 positives, they bring it to 0.90; the
# best number of rounds, which nobody knows beforehand, to 0.885.
_UNTESTED_STEPS = 2.0


def losses_of(
    matrix: xgb.DMatrix, margins: bool = False
) -> Callable[[NDArray[np.float32], xgb.DMatrix], list[tuple[str, float]]]:
    """A custom XGBoost metric: the binary log loss per output on this matrix, and nothing on any other matrix.

    Args:
        matrix: of the held-out viewers.
        margins: whether predictions are log-odds, as they are under a custom objective, and not probabilities.
    """

    def metric(predicted: NDArray[np.float32], evaluated: xgb.DMatrix) -> list[tuple[str, float]]:
        if evaluated is not matrix:
            return []
        probabilities = 1.0 / (1.0 + np.exp(-predicted.astype(np.float64))) if margins else predicted
        losses = log_losses(probabilities, evaluated)
        return [(f"{_PREFIX}{output}", float(loss)) for output, loss in enumerate(losses)]

    return metric


def most_rounds(held_out: Sequence[int], learning_rate: float) -> list[int | None]:
    """The largest number of rounds of each output, or None where early stopping decides alone.

    Args:
        held_out: rows of all held-out viewers with each output's rarer class, which is mostly the positives.
        learning_rate: shrinkage of each tree.
    """
    few = math.ceil(_UNTESTED_STEPS / learning_rate)
    return [few if rarer < MIN_HELD_OUT_POSITIVES else None for rarer in held_out]


class StopEach(xgb.callback.TrainingCallback):
    """Stops when no output's validation loss has improved for `rounds` rounds.

    Args:
        rounds: rounds without improvement.
        evaluated: name of the `evals` entry with the matrix of `losses_of`.
        most: the largest number of rounds of each output, from `most_rounds`.
        before: as in `best_rounds`.
    """

    def __init__(
        self, rounds: int, evaluated: str, most: Sequence[int | None], before: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        self._before = before
        self._rounds = rounds
        self._evaluated = evaluated
        self._most = most

    def after_iteration(
        self, model: xgb.Booster, epoch: int, evals_log: xgb.callback.TrainingCallback.EvalsLog
    ) -> bool:
        """Whether to stop."""
        best = best_rounds(evals_log, self._evaluated, self._most, self._before)
        return all(
            epoch + 1 - rounds >= self._rounds or (most is not None and epoch + 1 >= most)
            for rounds, most in zip(best, self._most, strict=True)
        )


def best_rounds(
    evals_log: xgb.callback.TrainingCallback.EvalsLog,
    evaluated: str,
    most: Sequence[int | None],
    before: Sequence[float] | None = None,
) -> list[int]:
    """For each output, the number of rounds with the lowest loss.

    Args:
        evals_log: XGBoost's, with the metric of `losses_of`.
        evaluated: name of the `evals` entry with the matrix of `losses_of`.
        most: the largest number of rounds of each output, or None for all of them.
        before: each output's loss before the first round, if it may keep no round at all; otherwise it keeps at least
            one. NaN where none of its labels is observed among the held-out viewers.

    An output without an observed label among the held-out viewers has no loss. It keeps as many rounds as it may; none
    of those that continue an earlier forest.
    """
    losses = [values for name, values in evals_log[evaluated].items() if name.startswith(_PREFIX)]
    if before is None:
        return [_best_round(np.asarray(values[:limit], np.float64)) for values, limit in zip(losses, most, strict=True)]
    with_first = ([first, *values[:limit]] for first, values, limit in zip(before, losses, most, strict=True))
    return [0 if np.isnan(values).all() else int(np.nanargmin(values)) for values in with_first]


def _best_round(losses: NDArray[np.float64]) -> int:
    return len(losses) if np.isnan(losses).all() else int(np.nanargmin(losses)) + 1


def within(rounds: Sequence[int], trees: int) -> list[int]:
    """The rounds of each output, cut at the last round that all outputs together may have trees for.

    Args:
        rounds: of each output; each round is a tree.
        trees: the largest sum.

    Example:
        >>> within([30, 4, 10], trees=20)
        [8, 4, 8]
    """
    cut = max(rounds, default=0)
    while sum(min(number, cut) for number in rounds) > trees:
        cut -= 1
    return [min(number, cut) for number in rounds]
