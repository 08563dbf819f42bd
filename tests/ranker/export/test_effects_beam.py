"""What a failed job says; `tests/components/effects_trainer` compares results."""

from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
import tensorflow as tf

from ranker.config.effects import EffectLevel, Effects
from ranker.effects.inputs import InputLayout
from ranker.effects.newton import NotConvergedError
from ranker.effects.rows import RowShape
from ranker.effects.state import Basis, EffectState
from ranker.effects.update import no_effects
from ranker.export.effects_beam import DayFiles, EffectsJobError, _problem, fit_effects_with_beam
from ranker.export.fitted_effects import FittedState
from ranker.in_process_runner import InProcessRunner

NOT_CONVERGED = "effects: 1 entities did not converge in 100 steps"
EFFECTS = Effects((EffectLevel("viewer_id"),))
LAYOUT = InputLayout({}, ((),))


class _Reader:
    """Can use no row."""

    layout = LAYOUT
    shape = RowShape(1, 0, 1)

    def use(self, basis: Basis) -> None:
        pass

    def rows(self, examples: tf.Tensor, offsets: Any, since: int) -> Any:
        raise ValueError("effects: offset: a row holds NaN or infinity")


def _reader() -> Any:
    return _Reader()


def _pipeline() -> beam.Pipeline:
    return beam.Pipeline(runner=InProcessRunner())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NotConvergedError(f"{NOT_CONVERGED} [while running 'Fit viewer_id']"), NOT_CONVERGED),
        (
            RuntimeError(
                f"Traceback (most recent call last):\nNotConvergedError: {NOT_CONVERGED} [while running 'Fit']\n"
                "\nDuring handling of the above exception, another one occurred\nmore"
            ),
            NOT_CONVERGED,
        ),
        (OSError("no room"), "effects: the Beam job failed: no room"),
    ],
)
def test_a_problem_of_a_worker_is_one_sentence(error: Exception, said: str) -> None:
    assert _problem(error) == said


def test_a_row_that_cannot_be_used_ends_the_job_with_its_sentence(tmp_path: Path) -> None:
    file = str(tmp_path / "examples")
    with tf.io.TFRecordWriter(file) as writer:
        writer.write(b"")
    before = no_effects(EFFECTS, LAYOUT, ("click",), Basis({}, {}))
    days = {"2026-03-02": DayFiles((file,), "model that is not loaded")}
    with pytest.raises(EffectsJobError) as error:
        fit_effects_with_beam(_pipeline, _reader, EFFECTS, ("click",), days, before, str(tmp_path / "scratch"))
    assert str(error.value) == "effects: offset: a row holds NaN or infinity"


def test_without_days_there_is_no_job(tmp_path: Path) -> None:
    def no_pipeline() -> beam.Pipeline:
        raise AssertionError

    def fitted(before: EffectState | None) -> FittedState | None:
        return fit_effects_with_beam(no_pipeline, _reader, EFFECTS, ("click",), {}, before, str(tmp_path))

    assert fitted(None) is None
    found = fitted(no_effects(EFFECTS, LAYOUT, ("click",), Basis({}, {})))
    assert found is not None
    assert (found.rows, found.state.through, found.state.days) == (0, 0, ())
