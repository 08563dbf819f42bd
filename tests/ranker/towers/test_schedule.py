"""The learning rate at every step of a run."""

import keras
import numpy as np
import pytest

from ranker.config.training import Training
from ranker.towers.schedule import make_schedule


def _rates(steps: int, warmup: float, final: float, peak: float = 0.01) -> np.ndarray:
    training = Training(learning_rate=peak, warmup_fraction=warmup, final_learning_rate_fraction=final)
    rate = make_schedule(training, steps)
    return np.array([float(rate(step)) for step in range(steps)])


def test_climbs_in_equal_steps_to_the_peak_and_decays_to_the_final_fraction() -> None:
    rates = _rates(steps=100, warmup=0.2, final=0.05)

    np.testing.assert_allclose(rates[:20], 0.01 * np.arange(1, 21) / 20, rtol=1e-5)
    assert np.all(np.diff(rates[19:]) < 0)
    # Half-way through the decay a cosine has lost half of what it loses.
    assert rates[59] == pytest.approx(0.01 * (0.05 + 0.95 / 2), rel=1e-5)
    assert rates[-1] == pytest.approx(0.01 * 0.05, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "warmup"), [(100, 0.2), (1000, 0.1), (7, 0.3), (10, 0.1), (5, 0.9)])
def test_every_rate_is_that_of_the_formula(steps: int, warmup: float) -> None:
    nth, warmup_steps = np.arange(1, steps + 1), round(warmup * steps)
    decay = 0.05 + 0.95 * 0.5 * (1 + np.cos(np.pi * (nth - warmup_steps) / max(steps - warmup_steps, 1)))
    expected = 0.01 * np.where(nth <= warmup_steps, nth / warmup_steps, decay)
    np.testing.assert_allclose(_rates(steps, warmup, final=0.05), expected, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("warmup", [0.0, 0.0004])
def test_without_warmup_it_starts_at_the_peak(warmup: float) -> None:
    rates = _rates(steps=1000, warmup=warmup, final=0.0)

    assert rates[0] == pytest.approx(0.01, rel=1e-6)
    assert np.all(np.diff(rates) <= 0)
    assert rates[-1] == pytest.approx(0.0, abs=1e-8)


def test_a_final_fraction_of_one_keeps_the_rate() -> None:
    np.testing.assert_allclose(_rates(steps=10, warmup=0.5, final=1.0)[4:], 0.01, rtol=1e-6)


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.9])
def test_a_single_step_has_the_full_rate(warmup: float) -> None:
    assert _rates(steps=1, warmup=warmup, final=0.5)[0] == pytest.approx(0.01)


def test_an_optimizer_follows_it() -> None:
    training = Training(learning_rate=1.0, warmup_fraction=0.5, final_learning_rate_fraction=1.0)
    optimizer = keras.optimizers.SGD(make_schedule(training, steps=4))
    variable = keras.Variable(0.0)

    values = []
    for _ in range(4):
        optimizer.apply([np.float32(1.0)], [variable])
        values.append(float(variable.numpy()))

    np.testing.assert_allclose(np.diff([0.0, *values]), [-0.5, -1.0, -1.0, -1.0])
