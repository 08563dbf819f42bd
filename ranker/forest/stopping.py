"""Early stopping per objective.

A rare objective overfits after a few dozen rounds; a frequent one still improves after hundreds. All objectives share
the boosting rounds, so the booster grows until the last objective has stopped. Then every tree beyond its objective's
best round is removed.
"""

import json
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
    """

    def __init__(self, rounds: int, evaluated: str, most: Sequence[int | None]) -> None:
        super().__init__()
        self._rounds = rounds
        self._evaluated = evaluated
        self._most = most

    def after_iteration(
        self, model: xgb.Booster, epoch: int, evals_log: xgb.callback.TrainingCallback.EvalsLog
    ) -> bool:
        """Whether to stop."""
        best = best_rounds(evals_log, self._evaluated, self._most)
        return all(
            epoch + 1 - rounds >= self._rounds or (most is not None and epoch + 1 >= most)
            for rounds, most in zip(best, self._most, strict=True)
        )


def best_rounds(
    evals_log: xgb.callback.TrainingCallback.EvalsLog, evaluated: str, most: Sequence[int | None]
) -> list[int]:
    """For each output, the number of rounds with the lowest loss, among the first `most` if that is not None.

    An output without an observed label among the held-out viewers has no loss, and keeps all of these rounds.
    """
    losses = [values for name, values in evals_log[evaluated].items() if name.startswith(_PREFIX)]
    return [_best_round(np.asarray(values[:limit], np.float64)) for values, limit in zip(losses, most, strict=True)]


def _best_round(losses: NDArray[np.float64]) -> int:
    return len(losses) if np.isnan(losses).all() else int(np.nanargmin(losses)) + 1


def keep_rounds(booster: xgb.Booster, rounds: Sequence[int]) -> xgb.Booster:
    """The booster without the trees beyond each output's number of rounds.

    Args:
        booster: has one tree per output and round.
        rounds: rounds to keep of each output, at least 1.
    """
    model = json.loads(bytes(booster.save_raw("json")))
    trees = model["learner"]["gradient_booster"]["model"]
    outputs = len(rounds)
    kept = [
        round_ * outputs + output
        for round_ in range(max(rounds))
        for output, number in enumerate(rounds)
        if round_ < number
    ]
    trees["trees"] = [trees["trees"][old] | {"id": new} for new, old in enumerate(kept)]
    trees["tree_info"] = [trees["tree_info"][old] for old in kept]
    in_round = [sum(round_ < number for number in rounds) for round_ in range(max(rounds))]
    trees["iteration_indptr"] = [0, *np.cumsum(in_round).tolist()]
    trees["gbtree_model_param"]["num_trees"] = str(len(kept))
    return xgb.Booster(model_file=bytearray(json.dumps(model).encode()))
