"""Early stopping of each objective by itself.

A rare objective overfits after a few dozen rounds where a frequent one still learns after hundreds. Rounds are shared,
so the booster grows until the last objective has stopped, and then loses every tree that came after its objective's
best round.
"""

import json
from collections.abc import Callable, Sequence

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from ranker.forest.together import total

_PREFIX = "logloss_of_output_"
_SMALLEST = 1e-7


def losses_of(matrix: xgb.DMatrix) -> Callable[[NDArray[np.float32], xgb.DMatrix], list[tuple[str, float]]]:
    """A custom metric of XGBoost: each output's binary log loss on this matrix, and none on any other."""

    def metric(predicted: NDArray[np.float32], evaluated: xgb.DMatrix) -> list[tuple[str, float]]:
        if evaluated is not matrix:
            return []
        p = np.clip(predicted.astype(np.float64), _SMALLEST, 1 - _SMALLEST).reshape(evaluated.num_row(), -1)
        labels = evaluated.get_label().reshape(p.shape)
        sums = -np.where(labels > 0, np.log(p), np.log1p(-p)).sum(axis=0)
        *sums, rows = total(np.append(sums, len(p)))
        losses = [loss / rows for loss in sums]
        return [(f"{_PREFIX}{output}", float(loss)) for output, loss in enumerate(losses)]

    return metric


class StopEach(xgb.callback.TrainingCallback):
    """Stops when no output's validation loss has improved for some rounds.

    Args:
        rounds: how many; 0 never stops.
        evaluated: the name under which the matrix of `losses_of` is evaluated.
    """

    def __init__(self, rounds: int, evaluated: str) -> None:
        super().__init__()
        self._rounds = rounds
        self._evaluated = evaluated

    def after_iteration(
        self, model: xgb.Booster, epoch: int, evals_log: xgb.callback.TrainingCallback.EvalsLog
    ) -> bool:
        """Tells whether to stop."""
        best = best_rounds(evals_log, self._evaluated)
        return self._rounds > 0 and all(epoch + 1 - rounds >= self._rounds for rounds in best)


def best_rounds(evals_log: xgb.callback.TrainingCallback.EvalsLog, evaluated: str) -> list[int]:
    """For each output, how many rounds gave its least loss."""
    losses = [values for name, values in evals_log[evaluated].items() if name.startswith(_PREFIX)]
    return [int(np.argmin(np.asarray(values, np.float64))) + 1 for values in losses]


def keep_rounds(booster: xgb.Booster, rounds: Sequence[int]) -> xgb.Booster:
    """The booster without the trees beyond each output's number of rounds.

    Args:
        booster: with one tree for each output in each round.
        rounds: for each output, at least 1.
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
