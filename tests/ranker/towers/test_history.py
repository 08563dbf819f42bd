"""The towers' training history survives its file."""

import math

import pytest

from ranker.documents import DocumentError
from ranker.towers.history import TrainingHistory

HISTORY = TrainingHistory(
    objectives=["click", "like"],
    base_rate_loss=0.7,
    step=[10, 20],
    impressions=[5120, 10240],
    loss=[0.6, 0.5],
    objective_losses=[[0.4, 0.2], [0.35, 0.15]],
    learning_rate=[0.001, 0.0005],
    rows_per_second=9000.0,
    seconds=2.0,
    epochs=2,
    batch_size=512,
)


def test_its_length_in_words() -> None:
    assert HISTORY.length_text == "20 steps (2 × the impressions, in batches of 512)"
    before = TrainingHistory.from_json('{"objectives": ["click"], "base_rate_loss": 0.7, "step": [1500]}')
    assert before.length_text == "1,500 steps"


def test_it_is_equal_after_a_round_trip_through_its_file() -> None:
    assert TrainingHistory.from_json(HISTORY.to_json()) == HISTORY
    empty = TrainingHistory(objectives=[], base_rate_loss=0.0)
    assert TrainingHistory.from_json(empty.to_json()) == empty


def test_a_loss_that_is_not_finite_is_null_and_comes_back_as_nan() -> None:
    exploded = TrainingHistory(["click"], 0.7, loss=[0.5, math.inf], objective_losses=[[0.5], [math.nan]])
    assert "NaN" not in exploded.to_json()
    read = TrainingHistory.from_json(exploded.to_json())
    assert read.loss[0] == 0.5
    assert math.isnan(read.loss[1])
    assert math.isnan(read.objective_losses[1][0])


def test_a_damaged_file_is_named_with_the_field() -> None:
    with pytest.raises(DocumentError, match=r"^history\.json: base_rate_loss: Field required$"):
        TrainingHistory.from_json('{"objectives": ["click"]}')
