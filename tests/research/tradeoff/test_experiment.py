"""Experiments in the simulator: the truth, what is measured of it, and what methods make of it."""

from dataclasses import replace

import numpy as np
import pytest

from datasets.synthetic.feed import DEFAULT_START
from datasets.synthetic.parameters import FeedParameters
from datasets.synthetic.simulator import Simulator
from ranker.tradeoff.measurements import Measurements
from ranker.tradeoff.metrics import Metrics
from ranker.tradeoff.space import Space
from research.tradeoff.experiment import CONFIG, TRADEOFF, Outcome, Size, measure, run_seed, true_changes
from research.tradeoff.page import figures, markdown
from research.tradeoff.population import Feed, simulate
from research.tradeoff.rivals import METHODS, Library, best_arm, grid_points

SPACE, METRICS = Space.of(CONFIG, TRADEOFF), Metrics.of(CONFIG, TRADEOFF)
SIZE = Size(impressions=1_500, rounds=2, arms=2, viewers=1_000_000)
POINTS = SPACE.spread(2, 0)


@pytest.fixture(scope="module")
def feed() -> Feed:
    return simulate(CONFIG, SIZE.impressions, SIZE.rounds, seed=3)


def test_true_rates_are_the_simulators(feed: Feed) -> None:
    simulator = Simulator(FeedParameters(SIZE.impressions, 3, DEFAULT_START))
    [candidates] = simulator.sessions(1)
    coefficients = SPACE.setting(POINTS[0]).coefficients(CONFIG.objectives)
    population = feed.days[0]
    order = candidates.best_first(coefficients @ population.scored.probabilities)
    expected = candidates.expectations(order).given_everything.sum(axis=1) / (len(candidates.offsets) - 1)
    np.testing.assert_allclose(population.expected(coefficients), expected, rtol=1e-4)


def test_a_measurement_varies_by_its_standard_error(feed: Feed) -> None:
    day, truth = feed.days[0], true_changes(feed.days[0], SPACE, METRICS, POINTS[:1])[0]
    found = [
        measure(day, SPACE, METRICS, POINTS[:1], 10_000, 40_000, np.random.default_rng(seed)) for seed in range(200)
    ]
    changes = np.stack([of.changes[0] for of in found])
    deviation = np.sqrt(np.mean([of.variances[0] + of.shared_deviations[0] ** 2 for of in found], axis=0))
    np.testing.assert_allclose(changes.std(axis=0), deviation, rtol=0.2)
    assert np.all(np.abs(changes.mean(axis=0) - truth) < 4 * deviation / 200**0.5)


def test_arms_of_a_round_share_the_noise_of_arm_0(feed: Feed) -> None:
    points = np.tile(POINTS[:1], (2, 1))
    found = [
        measure(feed.days[0], SPACE, METRICS, points, 100_000, 2_000, np.random.default_rng(seed)) for seed in range(60)
    ]
    changes = np.stack([of.changes[:, 0] for of in found])
    assert np.corrcoef(changes[:, 0], changes[:, 1])[0, 1] > 0.8


@pytest.mark.parametrize("name", [name for name in METHODS if name != "bayesian-optimization"])
def test_a_method_chooses_arms_within_the_space(name: str, feed: Feed) -> None:
    method = METHODS[name](SPACE, METRICS, 1, lambda points: np.zeros((len(points), 3)), 4)
    measured = Measurements.none(len(SPACE), 3)
    for _ in range(2):
        points = method.choose(measured, 2)
        assert points.shape == (2, len(SPACE))
        assert ((points >= 0) & (points <= 1)).all()
        of_round = measure(feed.days[0], SPACE, METRICS, points, 10_000, 20_000, np.random.default_rng(0))
        measured = Measurements.joined([measured, of_round] if len(measured) else [of_round])
    shipped = method.ship(measured)
    assert shipped is None or any(np.array_equal(shipped, point) for point in measured.points)


@pytest.mark.slow
def test_the_library_learns_from_what_it_is_told(feed: Feed) -> None:
    library = Library(SPACE, METRICS, 1)
    first = library.choose(Measurements.none(len(SPACE), 3), 2)
    assert first.shape == (2, len(SPACE))
    measured = measure(feed.days[0], SPACE, METRICS, first, 10_000, 20_000, np.random.default_rng(0))
    better = replace(measured, changes=np.array([[0.05, 0.0, 0.0], [0.09, -0.5, 0.0]]))
    shipped = library.ship(better)
    assert shipped is not None
    np.testing.assert_allclose(shipped, first[0])
    assert library.ship(Measurements.none(len(SPACE), 3)) is None


def test_the_best_arm_is_read_from_its_own_interval() -> None:
    nothing = np.zeros(3)
    changes = np.array([[0.05, 0.0, 0.0], [0.09, -0.05, 0.0], [0.02, 0.0, 0.0]])
    of = Measurements(
        POINTS[:3],
        changes,
        np.full((3, 3), 0.004**2),
        np.zeros((3, 3)),
        nothing.astype(np.int64),
        nothing.astype(np.int64),
        nothing,
    )
    np.testing.assert_array_equal(best_arm(METRICS, of), POINTS[0])
    noisy = Measurements(
        POINTS[:3], changes, np.full((3, 3), 0.1**2), np.zeros((3, 3)), of.comparison, of.cohort, nothing
    )
    assert best_arm(METRICS, noisy) is None


def test_a_grid_varies_alpha_and_the_goals_weights_together() -> None:
    points = grid_points(SPACE, 20, 0)
    assert len(np.unique(points.round(6), axis=0)) == 20
    alphas = points[:, SPACE.names.index("alpha")]
    assert len(np.unique(alphas.round(6))) == 5
    weights = points[:, [SPACE.names.index(name) for name in ("like", "comment", "reshare")]]
    assert (weights == weights[:, :1]).all()


@pytest.mark.slow
def test_with_many_viewers_ours_ships_a_good_setting() -> None:
    names = ("ours", "random")
    [ours, random] = run_seed(SIZE, 3, {name: METHODS[name] for name in names}).values()
    assert ours.shipped
    assert not ours.broken
    assert 0.3 * ours.best < ours.gain <= 1.1 * ours.best
    assert random.best == ours.best


def outcome(gain: float, broken: bool = False) -> Outcome:
    return Outcome(gain, (0.0, 0.0), broken, gain != 0.0, 0.04, 1.0)


def test_regret_of_a_setting_that_breaks_a_guardrail_is_the_whole_gain() -> None:
    assert outcome(0.03).regret == pytest.approx(0.01)
    assert outcome(0.06, broken=True).regret == pytest.approx(0.04)


def test_figures_and_table_are_of_all_seeds() -> None:
    outcomes = {
        "ours": [outcome(0.03), outcome(0.02, broken=True)],
        "ours, without offline estimates": [outcome(0.02), outcome(0.02)],
        "random": [outcome(0.0), outcome(0.02)],
        "Sobol": [outcome(0.0), outcome(0.0)],
    }
    found = {figure.name: figure for figure in figures(outcomes, 2.5)}
    assert found["regret_over_random"].ratio == pytest.approx(0.025 / 0.03)
    assert found["regret_over_random"].target == 0.5
    assert found["regret_over.Sobol"].ratio == pytest.approx(0.025 / 0.04)
    assert found["violations"].ratio == 0.5
    assert found["violations"].reached is False
    assert found["seconds_per_suggestion"].ratio == 2.5
    assert set(found) == {"regret_over_random", "regret_over.Sobol", "violations", "seconds_per_suggestion"}
    table = markdown(outcomes, SIZE, 2.5, "uv run python -m research.tradeoff --page FILE")
    assert "| ours | 2.50 ± 2.94 | 0.83 | +2.50 | 2 of 2 | 1 of 2 | 1.0 |" in table
    assert "From `uv run python -m research.tradeoff" in table
