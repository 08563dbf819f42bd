"""The learning rate at every step of a run."""

import keras
import numpy as np
import pytest

from ranker.towers.schedule import WarmupCosine


def _rates(schedule: WarmupCosine) -> np.ndarray:
    return np.array([float(schedule(step)) for step in range(schedule.steps)])


def test_climbs_in_equal_steps_to_the_peak_and_decays_to_the_final_fraction() -> None:
    rates = _rates(WarmupCosine(peak=0.01, steps=100, warmup_fraction=0.2, final_fraction=0.05))

    np.testing.assert_allclose(rates[:20], 0.01 * np.arange(1, 21) / 20, rtol=1e-5)
    assert np.all(np.diff(rates[19:]) < 0)
    # Half-way through the decay a cosine has lost half of what it loses.
    assert rates[59] == pytest.approx(0.01 * (0.05 + 0.95 / 2), rel=1e-5)
    assert rates[-1] == pytest.approx(0.01 * 0.05, rel=1e-4)


def test_without_warmup_it_starts_next_to_the_peak() -> None:
    rates = _rates(WarmupCosine(peak=0.01, steps=1000, warmup_fraction=0.0, final_fraction=0.0))

    assert rates[0] == pytest.approx(0.01, rel=1e-4)
    assert rates[-1] == pytest.approx(0.0, abs=1e-8)


def test_a_final_fraction_of_one_keeps_the_rate() -> None:
    rates = _rates(WarmupCosine(peak=0.01, steps=10, warmup_fraction=0.5, final_fraction=1.0))

    np.testing.assert_allclose(rates[4:], 0.01, rtol=1e-6)


def test_a_single_step_with_warmup_has_a_positive_rate() -> None:
    assert _rates(WarmupCosine(peak=0.01, steps=1, warmup_fraction=0.1, final_fraction=0.5))[0] == pytest.approx(0.005)


def test_an_optimizer_follows_it() -> None:
    optimizer = keras.optimizers.SGD(WarmupCosine(peak=1.0, steps=4, warmup_fraction=0.5, final_fraction=1.0))
    variable = keras.Variable(0.0)

    values = []
    for _ in range(4):
        optimizer.apply([np.float32(1.0)], [variable])
        values.append(float(variable.numpy()))

    np.testing.assert_allclose(np.diff([0.0, *values]), [-0.5, -1.0, -1.0, -1.0])
