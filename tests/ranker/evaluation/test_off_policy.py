"""A policy's value from the log of another: exact where the log has its expected counts, and its interval's parts."""

import doctest

import numpy as np
import pytest

from ranker.evaluation import random_sessions, replay, shown_numbers
from ranker.evaluation.off_policy import (
    PolicyValue,
    WeightedLog,
    doubly_robust,
    inverse_propensity,
    self_normalised,
)

# Three actions with these chances under the logging policy, under the one to be valued, and these outcomes.
LOGGED, VALUED, REWARD = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.2, 0.7]), np.array([1.0, 3.0, -2.0])


def expected_log(sessions: int = 1000, **changes: float) -> tuple[WeightedLog, np.ndarray]:
    """A log in which every action occurs as often as expected, and the actions."""
    action = np.repeat(np.arange(3), (sessions * LOGGED).astype(int))
    session = np.arange(sessions)
    return WeightedLog(session, session, (VALUED / LOGGED)[action], REWARD[action], **changes), action


def test_with_expected_counts_every_estimator_is_the_value() -> None:
    log, action = expected_log()
    value = float(VALUED @ REWARD)
    assert inverse_propensity(log).estimate.value == pytest.approx(value)
    assert self_normalised(log, np.ones(1000)).estimate.value == pytest.approx(value)
    wrong = np.array([0.3, -1.0, 5.0])
    robust = doubly_robust(log, wrong[action], np.full(1000, VALUED @ wrong))
    assert robust.estimate.value == pytest.approx(value)


def test_a_constant_outcome_is_known_exactly_once_weights_are_normalised() -> None:
    log, _ = expected_log()
    constant = WeightedLog(log.session, log.viewer, log.weight, np.full(1000, 7.0))
    found = self_normalised(constant, np.ones(1000)).estimate
    assert found.value == pytest.approx(7)
    width = found.upper - found.lower
    assert width < 0.1 * np.diff(_ends(inverse_propensity(constant)))[0]


def test_the_interval_of_independent_sessions_is_that_of_a_mean() -> None:
    rng = np.random.default_rng(0)
    session = np.arange(4000)
    outcomes = rng.normal(2.0, 1.5, 4000)
    found = inverse_propensity(WeightedLog(session, session, np.ones(4000), outcomes)).estimate
    half = 1.96 * outcomes.std(ddof=1) / 4000**0.5
    assert (found.value, found.upper - found.value) == pytest.approx((outcomes.mean(), half), rel=2e-3)


def test_sessions_of_one_viewer_count_together() -> None:
    session = np.arange(4000)
    outcomes = np.repeat(np.random.default_rng(0).normal(size=400), 10)
    apart, together = (
        inverse_propensity(WeightedLog(session, viewer, np.ones(4000), outcomes)) for viewer in (session, session // 10)
    )
    ratio = np.diff(_ends(together))[0] / np.diff(_ends(apart))[0]
    assert ratio == pytest.approx(10**0.5, rel=0.02)


def test_effective_sessions_fall_with_the_spread_of_the_weights() -> None:
    log, _ = expected_log()
    mean, square = float((VALUED).sum()), float((VALUED**2 / LOGGED).sum())
    assert inverse_propensity(log).effective_sessions == pytest.approx(1000 * mean**2 / square)


def test_below_the_limit_there_is_no_estimate() -> None:
    log, action = expected_log(needed=999.0)
    for found in (
        inverse_propensity(log),
        self_normalised(log, np.ones(1000)),
        doubly_robust(log, REWARD[action], np.zeros(1000)),
    ):
        assert found.too_few
        assert np.isnan(found.estimate.value)
        assert str(found).startswith("too few matches: 384 effective sessions, needed are 999")


def test_a_single_viewer_or_effective_session_has_no_interval() -> None:
    session, weight = np.arange(2), np.array([1.0, 1e-9])
    for viewer in (session, np.zeros(2, np.int64)):
        log = WeightedLog(session, viewer, weight, np.zeros(2), needed=0.0)
        found = inverse_propensity(log)
        assert str(found) == "0 (−∞ to ∞)"


def test_the_confidence_sets_the_width() -> None:
    wide, narrow = (np.diff(_ends(inverse_propensity(expected_log(confidence=c)[0])))[0] for c in (0.95, 0.68))
    assert wide / narrow == pytest.approx(1.96 / 0.994, rel=0.01)


@pytest.mark.parametrize("module", [replay, random_sessions, shown_numbers], ids=lambda module: module.__name__)
def test_examples_run(module: object) -> None:
    result = doctest.testmod(module)  # type: ignore[arg-type]
    assert result.attempted > 0
    assert result.failed == 0


def _ends(found: PolicyValue) -> tuple[float, float]:
    return found.estimate.lower, found.estimate.upper
