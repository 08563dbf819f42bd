"""Intervals in cases with a known truth."""

import numpy as np
import pytest

from research.intervals import SeedEstimate, mean_of, student_half_width

SIMULATIONS, DRAWS, TRUTH = 2_000, 200, 0.75


def covered(seeds: int, of_seeds: float, of_viewers: float) -> float:
    """The coverage of the intervals, for normal seeds and viewers with the given standard deviations."""
    rng = np.random.default_rng(seeds)
    found = 0
    for _ in range(SIMULATIONS):
        values = TRUTH + rng.normal(scale=of_viewers) + rng.normal(scale=of_seeds, size=seeds)
        draws = values.mean() + rng.normal(scale=of_viewers, size=DRAWS)
        low, high = SeedEstimate(values, draws).interval
        found += low <= TRUTH <= high
    return found / SIMULATIONS


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_ninety_five_of_a_hundred_intervals_over_seeds_hold_the_truth(seeds: int) -> None:
    assert 0.93 <= covered(seeds, of_seeds=0.01, of_viewers=0.0) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("of_viewers", [0.003, 0.01, 0.03])
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_so_do_intervals_over_seeds_and_viewers(seeds: int, of_viewers: float) -> None:
    assert covered(seeds, of_seeds=0.01, of_viewers=of_viewers) >= 0.93


def test_a_plain_bootstrap_of_five_seeds_would_not() -> None:
    """The former interval: percentiles of the means of resampled seeds."""
    rng = np.random.default_rng(1)
    found = 0
    for _ in range(SIMULATIONS):
        values = rng.normal(size=5)
        low, high = np.percentile(values[rng.integers(0, 5, (DRAWS, 5))].mean(axis=1), [2.5, 97.5])
        found += low <= 0 <= high
    assert found / SIMULATIONS < 0.88


def test_the_half_width_is_students_and_one_seed_has_none() -> None:
    values = np.array([1.0, 2.0, 4.0])
    assert student_half_width(values) == pytest.approx(4.302653 * np.std(values, ddof=1) / 3**0.5, rel=1e-6)
    assert np.isnan(student_half_width(values[:1]))


def test_with_one_seed_or_equal_ones_the_interval_is_the_viewers() -> None:
    draws = np.arange(1001) / 1000
    for seeds in ([0.4], [0.4, 0.4, 0.4]):
        assert SeedEstimate(np.array(seeds), draws).interval == pytest.approx((0.025, 0.975))


def test_what_two_owe_to_the_same_seed_and_draw_falls_out_of_their_difference() -> None:
    rng = np.random.default_rng(2)
    seeds, draws = rng.normal(size=4), rng.normal(size=100)
    difference = SeedEstimate(seeds + 0.1, draws + 0.1) - SeedEstimate(seeds, draws)
    assert difference.value == pytest.approx(0.1)
    assert difference.interval == pytest.approx((0.1, 0.1))
    assert difference.deviation == pytest.approx(0)


def test_a_mean_counts_the_draws_that_have_a_value() -> None:
    first = SeedEstimate(np.array([1.0, 3.0]), np.array([2.0, np.nan, np.nan]))
    second = SeedEstimate(np.array([5.0, 7.0]), np.array([6.0, 6.0, np.nan]))
    mean = mean_of([first, second])
    np.testing.assert_array_equal(mean.seeds, [3.0, 5.0])
    np.testing.assert_array_equal(mean.draws, [4.0, 6.0, np.nan])
    assert np.isfinite(mean.interval).all()
