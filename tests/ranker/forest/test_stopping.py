"""Each output stops by itself, and soon where the held-out viewers cannot tell when."""

import math

import numpy as np
import pytest
import xgboost as xgb

from ranker.forest.masked import NOT_OBSERVED, mean_log_loss
from ranker.forest.stopping import MIN_HELD_OUT_POSITIVES, StopEach, best_rounds, losses_of, most_rounds, within

FALLING = np.linspace(0.7, 0.1, 60).tolist()
TURNING = [*np.linspace(0.7, 0.5, 30).tolist(), *np.linspace(0.51, 0.6, 30).tolist()]


def log_of(rounds: int, *losses: list[float]) -> xgb.callback.TrainingCallback.EvalsLog:
    return {"validation": {f"logloss_of_output_{o}": values[:rounds] for o, values in enumerate(losses)}}


def test_the_best_round_is_looked_for_among_the_allowed_ones() -> None:
    log = log_of(60, FALLING, TURNING)
    assert best_rounds(log, "validation", [None, None]) == [60, 30]
    assert best_rounds(log, "validation", [20, None]) == [20, 30]
    assert best_rounds(log, "validation", [20, 40]) == [20, 30]


def test_an_output_without_held_out_labels_keeps_all_rounds_that_it_may() -> None:
    log = log_of(60, [float("nan")] * 60, TURNING)
    assert best_rounds(log, "validation", [20, None]) == [20, 30]
    assert best_rounds(log, "validation", [None, None]) == [60, 30]


def test_an_output_that_continues_may_keep_no_round() -> None:
    log = log_of(60, FALLING, TURNING, [float("nan")] * 60)
    nan = float("nan")
    assert best_rounds(log, "validation", [None] * 3, [0.8, 0.8, nan]) == [60, 30, 0]
    assert best_rounds(log, "validation", [None] * 3, [0.05, 0.45, nan]) == [0, 0, 0]
    assert best_rounds(log, "validation", [0, 10, 0], [0.8, 0.8, nan]) == [0, 10, 0]


def test_rounds_within_a_number_of_trees() -> None:
    assert within([30, 4, 10], 20) == [8, 4, 8]
    assert within([30, 4, 10], 44) == [30, 4, 10]
    assert within([2, 2, 2], 5) == [1, 1, 1]
    assert within([3, 0], 0) == [0, 0]


def test_an_output_without_observed_labels_has_no_loss_and_counts_in_no_mean() -> None:
    labels = np.array([[1, NOT_OBSERVED], [0, NOT_OBSERVED]], np.float32)
    margins = np.array([[0.0, 3.0], [0.0, -3.0]], np.float32)
    matrix = xgb.DMatrix(np.zeros((2, 1), np.float32), labels)
    (_, observed), (_, unobserved) = losses_of(matrix, margins=True)(margins, matrix)
    assert observed == pytest.approx(math.log(2.0))
    assert math.isnan(unobserved)
    assert mean_log_loss(margins, matrix)[0][1] == pytest.approx(math.log(2.0))
    nothing = xgb.DMatrix(np.zeros((2, 1), np.float32), np.full((2, 2), NOT_OBSERVED, np.float32))
    assert math.isnan(mean_log_loss(margins, nothing)[0][1])


def test_an_output_at_its_limit_does_not_keep_the_others_growing() -> None:
    def stops(rounds: int, most: list[int | None]) -> bool:
        log = log_of(rounds, FALLING, TURNING)
        return StopEach(10, "validation", most).after_iteration(None, rounds - 1, log)  # type: ignore[arg-type]

    unlimited = [rounds for rounds in range(1, 61) if stops(rounds, [None, None])]
    assert unlimited == []
    limited = [rounds for rounds in range(1, 61) if stops(rounds, [20, None])]
    assert limited[0] == 40
    assert next(rounds for rounds in range(1, 61) if stops(rounds, [20, 20])) == 20


def test_only_outputs_with_too_few_held_out_positives_are_limited() -> None:
    few, enough = MIN_HELD_OUT_POSITIVES - 1, MIN_HELD_OUT_POSITIVES
    assert most_rounds([0, few, enough, 1_000], 0.1) == [20, 20, None, None]
    assert most_rounds([few], 0.3) == [7]  # larger steps, fewer of them
