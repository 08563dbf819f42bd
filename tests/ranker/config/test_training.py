"""How long a training is, for logs of every size."""

from itertools import pairwise

import pytest

from ranker.config.pipeline import PipelineConfig
from ranker.config.training import Length, Training
from ranker.identity.recipe import recipe_fingerprint
from tests.ranker.trained import CONFIG

SIZES = (1, 500, 4_000, 9_000, 20_000, 30_000, 50_000, 83_000, 199_999, 200_000, 400_000, 500_000, 10_000_000)


@pytest.mark.parametrize(
    ("rows", "length"),
    [
        (3_000, Length(4, 64)),
        (7_000, Length(4, 128)),
        (10_000, Length(4, 128)),
        (20_000, Length(4, 256)),
        (30_000, Length(4, 512)),
        (80_000, Length(4, 512)),
        (400_000, Length(3, 512)),
        (1_000_000, Length(2, 512)),
    ],
)
def test_small_logs_have_small_batches_and_more_epochs(rows: int, length: Length) -> None:
    assert Training().length(rows) == length


def test_larger_logs_have_no_smaller_batches_no_more_epochs_and_enough_steps() -> None:
    lengths = [Training().length(rows) for rows in SIZES]
    for smaller, larger in pairwise(lengths):
        assert smaller.batch_size <= larger.batch_size
        assert smaller.epochs >= larger.epochs
    steps = [length.steps(rows) for length, rows in zip(lengths, SIZES, strict=True)]
    assert all(step >= 200 for step, rows in zip(steps, SIZES, strict=True) if rows >= 4_000)


def test_a_value_of_the_config_wins() -> None:
    assert Training(epochs=1).length(40_000) == Length(1, 128)
    assert Training(batch_size=512).length(9_000) == Length(4, 512)
    assert Training(epochs=5, batch_size=77).length(10_000_000) == Length(5, 77)
    assert Training(epochs=5, batch_size=77).length(9_000, continued=True) == Length(5, 77)


def test_a_training_that_continues_does_not_start_again() -> None:
    for rows in SIZES:
        assert Training().length(rows, continued=True) == Length(2, 512)


def test_steps_count_the_smaller_last_batch_of_each_epoch() -> None:
    assert Length(3, 100).steps(250) == 9
    assert Length(3, 100).steps(200) == 6


def test_a_training_of_chosen_and_of_given_length_are_different_trainings() -> None:
    def fingerprint(training: Training) -> str:
        return recipe_fingerprint(_with(training), "schema", "code")

    assert fingerprint(Training()) == fingerprint(Training())
    assert fingerprint(Training()) != fingerprint(Training(epochs=8, batch_size=128))


def _with(training: Training) -> PipelineConfig:
    return PipelineConfig(
        name=CONFIG.name,
        objectives=CONFIG.objectives,
        features=CONFIG.features,
        schema=CONFIG.schema,
        training=training,
    )
