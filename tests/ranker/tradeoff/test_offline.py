"""Offline estimates: the formulas of replay, and the model's own expectation."""

import warnings

import numpy as np
import pytest

from pipeline_config import FEED
from ranker.config.tradeoff import SearchSpace, TradeOff
from ranker.evaluation.random_sessions import random_sessions
from ranker.evaluation.replay import replay
from ranker.tradeoff.metrics import Metrics
from ranker.tradeoff.offline import OfflineValues, RandomOrder, ScoredDay, enough_random_sessions, pareto_front
from ranker.tradeoff.space import Space

TRADEOFF = TradeOff(maximize={"comment": 1.0}, search=SearchSpace(alpha=(0.0, 1.0), weights={"comment": 4.0}))
SPACE = Space.of(FEED, TRADEOFF)
K = 3
OBJECTIVES = len(FEED.objectives)


def random_day(sessions: int = 400, seed: int = 0) -> ScoredDay:
    """Sessions of 5 impressions, of which each viewer has two; outcomes fall with the position."""
    generator = np.random.default_rng(seed)
    session = np.repeat(np.arange(sessions), 5)
    position = generator.permuted(np.tile(np.arange(1, 6), (sessions, 1)), axis=1).ravel()
    probabilities = generator.beta(1.0, 6.0, (OBJECTIVES, len(session)))
    outcomes = (generator.random(probabilities.shape) < probabilities / np.sqrt(position)).astype(np.float64)
    observed = RandomOrder(position, np.full(len(session), 0.2), outcomes, np.arange(sessions) // 2)
    return ScoredDay(session, probabilities, K, observed)


def without_outcomes(day: ScoredDay) -> ScoredDay:
    return ScoredDay(day.session, day.probabilities, day.k)


def test_replay_is_the_doubly_robust_estimate() -> None:
    day = random_day()
    assert day.observed is not None
    sessions = random_sessions(
        day.session,
        day.observed.viewer[day.session],
        day.observed.position,
        np.ones(len(day.session)),
        np.full(2000, 0.2),
    )
    coefficients = np.arange(1.0, OBJECTIVES + 1)
    values = day.values(coefficients).mean(axis=1)
    for objective in range(OBJECTIVES):
        expected = replay(
            sessions,
            coefficients @ day.probabilities,
            day.observed.outcomes[objective],
            K,
            day.probabilities[objective],
        )
        assert expected.doubly_robust is not None
        assert values[objective] == pytest.approx(expected.doubly_robust.estimate.value)
        assert day.effective_sessions(coefficients) == pytest.approx(expected.ips.effective_sessions)


@pytest.mark.parametrize("values", [(0.1,), (0.1, 0.2)])
def test_equal_utilities_are_ordered_at_random_and_not_as_in_the_log(values: tuple[float, ...]) -> None:
    """A log in the order shown: in its order, all equal impressions would match, and their value would be far off."""
    sessions, size = 3_000, 4
    generator = np.random.default_rng(1)
    session, position = np.repeat(np.arange(sessions), size), np.tile(np.arange(1, size + 1), sessions)
    relevance = generator.choice(values, sessions * size)
    outcomes = (generator.random(sessions * size) < relevance / position).astype(np.float64)
    observed = RandomOrder(position, np.full(len(session), 1 / size), outcomes[np.newaxis], np.arange(sessions))
    day = ScoredDay(session, relevance[np.newaxis], 1, observed)
    best = relevance.reshape(sessions, size).max(axis=1).mean()
    assert day.rates(np.ones(1))[0] == pytest.approx(best, rel=0.1)
    assert day.effective_sessions(np.ones(1)) < 0.4 * sessions


def test_without_outcomes_the_models_probabilities_count_by_position() -> None:
    day = ScoredDay(np.array([0, 0, 0, 1]), np.array([[0.1, 0.3, 0.2, 0.5]]), K)
    assert day.method == "model"
    assert day.positions(np.ones(1)).tolist() == [3, 1, 2, 1]
    np.testing.assert_allclose(day.values(np.ones(1)), [[0.3 + 0.2 / np.log2(3) + 0.1 / np.log2(4), 0.5]], rtol=1e-12)
    np.testing.assert_allclose(day.rates(np.ones(1)), day.values(np.ones(1)).mean(axis=1))


@pytest.mark.parametrize("day", [random_day(), without_outcomes(random_day())], ids=["replay", "model"])
def test_a_change_is_that_of_the_means(day: ScoredDay) -> None:
    weights = np.array([[1.0, 0, 0, 0, 0, 0], [0, 0, 1.0, 5.0, 0, 0]])
    values = OfflineValues(day, FEED.objectives, SPACE)
    setting = SPACE.setting(np.array([0.1, 0.9]))
    base = weights @ day.values(SPACE.current.coefficients(FEED.objectives)).mean(axis=1)
    other = weights @ day.values(setting.coefficients(FEED.objectives)).mean(axis=1)
    np.testing.assert_allclose(values.change(setting, weights).relative, other / base - 1)
    np.testing.assert_allclose(values.change(SPACE.current, weights).relative, 0.0, atol=1e-12)


def test_a_standard_error_is_how_much_the_estimate_varies() -> None:
    weights = np.eye(OBJECTIVES)[:1]
    setting = SPACE.setting(np.array([0.1, 0.9]))
    found = [
        OfflineValues(random_day(seed=seed), FEED.objectives, SPACE).change(setting, weights) for seed in range(60)
    ]
    spread = float(np.std([change.relative[0] for change in found]))
    assert np.mean([change.deviations[0] for change in found]) == pytest.approx(spread, rel=0.3)
    model = OfflineValues(without_outcomes(random_day()), FEED.objectives, SPACE)
    assert model.change(setting, weights).deviations.tolist() == [0.0]


def test_a_metric_without_a_positive_has_no_change() -> None:
    day = ScoredDay(np.array([0, 0]), np.zeros((OBJECTIVES, 2)), K)
    values = OfflineValues(day, FEED.objectives, SPACE)
    assert np.isnan(values.change(SPACE.current, np.eye(OBJECTIVES)[:1]).relative).all()
    points = SPACE.spread(2, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not values.prior(Metrics.of(FEED, TRADEOFF), points)(points).any()


def test_estimates_of_pure_noise_are_shrunk() -> None:
    metrics = Metrics.of(FEED, TRADEOFF)
    points = SPACE.spread(6, 0)
    shrunk = {}
    for name, day in (("replay", random_day(60)), ("model", without_outcomes(random_day(60)))):
        values = OfflineValues(day, FEED.objectives, SPACE)
        raw, _ = values.changes(points, metrics.weights)
        shrunk[name] = float(np.abs(values.prior(metrics, points)(points)).mean() / np.abs(raw).mean())
    assert shrunk["model"] == pytest.approx(1.0)
    assert shrunk["replay"] < 0.9


def test_too_few_random_sessions_do_not_value_an_order() -> None:
    current = SPACE.current.coefficients(FEED.objectives)
    assert enough_random_sessions(random_day(400), current)
    assert not enough_random_sessions(random_day(20), current)
    assert not enough_random_sessions(without_outcomes(random_day(400)), current)


def test_rows_of_a_session_have_to_follow_each_other() -> None:
    with pytest.raises(ValueError, match="session"):
        ScoredDay(np.array([0, 1, 0]), np.zeros((1, 3)), K)


def test_the_front_is_what_no_other_point_exceeds() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.random((2, 300)).round(1)
    front = pareto_front(first, second).tolist()
    for index in range(300):
        exceeded = (
            (first >= first[index]) & (second >= second[index]) & ((first > first[index]) | (second > second[index]))
        ).any()
        if index in front:
            assert not exceeded
        elif not exceeded:
            assert any(first[of] == first[index] and second[of] == second[index] for of in front)
