"""Suggestions and decisions on functions whose best feasible setting is known."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline_config import FEED
from ranker.config.tradeoff import Guardrail, SearchSpace, TradeOff
from ranker.tradeoff.measurements import OVERALL, Measurements
from ranker.tradeoff.metrics import Metrics
from ranker.tradeoff.optimiser import Optimiser
from ranker.tradeoff.space import Space

pytestmark = pytest.mark.slow

TRADEOFF = TradeOff(
    maximize={"comment": 1.0},
    guardrails=(Guardrail("click", min_change=-0.01),),
    search=SearchSpace(alpha=(0.0, 1.0), weights={"comment": 4.0}),
)
CONFIG = replace(FEED, tradeoff=TRADEOFF)
SPACE, METRICS = Space.of(CONFIG, TRADEOFF), Metrics.of(CONFIG, TRADEOFF)
CURRENT = SPACE.point(SPACE.current)
NOISE = 0.002


def truth(points: np.ndarray) -> np.ndarray:
    """Comments rise as alpha falls and their weight rises; clicks fall by a tenth of a point more than linearly."""
    away = CURRENT - points
    comment = 0.10 * away[:, 0] - 0.08 * away[:, 1]
    click = -0.05 * away[:, 0] + 0.02 * away[:, 1]
    return np.stack([comment, click], axis=1)


def measure(points: np.ndarray, generator: np.random.Generator, comparison: int = 0) -> Measurements:
    changes = truth(points)
    noise = np.full(changes.shape, NOISE)
    return Measurements(
        points,
        changes + generator.normal(0.0, NOISE, changes.shape),
        noise**2,
        0.0 * noise,
        np.full(len(points), comparison),
        np.full(len(points), OVERALL),
        np.zeros(len(points)),
    )


def after_rounds(rounds: int, seed: int = 0) -> Optimiser:
    generator = np.random.default_rng(seed)
    parts: list[Measurements] = []
    measured = Measurements.none(2, 2)
    for number in range(rounds):
        points = np.stack([of.point for of in Optimiser(SPACE, METRICS, measured, seed=seed).suggest(3)])
        parts.append(measure(points, generator, number))
        measured = Measurements.joined(parts)
    return Optimiser(SPACE, METRICS, measured, seed=seed)


def test_it_ships_a_nearly_best_setting_that_holds_the_guardrail() -> None:
    grid = SPACE.spread(12, 0)
    changes = truth(grid)
    best = changes[changes[:, 1] >= -0.01, 0].max()
    found = after_rounds(4).ship()
    assert found is not None
    [(gain, click)] = truth(found.point[np.newaxis])
    assert click >= -0.01
    assert gain > 0.75 * best
    assert found.holds >= 0.95
    assert found.better >= 0.95


def test_arms_are_distinct_and_not_arm_0() -> None:
    for rounds in (0, 2):
        points = [CURRENT, *(of.point for of in after_rounds(rounds).suggest(6))]
        for first in range(len(points)):
            for second in range(first):
                assert np.abs(points[first] - points[second]).max() >= 0.01


def test_suggestions_are_reproducible_and_differ_by_seed() -> None:
    optimisers = [Optimiser(SPACE, METRICS, Measurements.none(2, 2), seed=seed) for seed in (1, 1, 2)]
    first, again, other = (np.stack([of.point for of in optimiser.suggest(3)]) for optimiser in optimisers)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_nothing_is_shipped_before_anything_is_measured() -> None:
    assert Optimiser(SPACE, METRICS, Measurements.none(2, 2)).ship() is None


def test_what_breaks_a_guardrail_is_not_shipped_however_good() -> None:
    points = np.array([[0.0, 1.0], [0.0, 0.6]])
    assert truth(points)[:, 1].max() < -0.015
    assert truth(points)[:, 0].min() > 0.05
    assert Optimiser(SPACE, METRICS, measure(points, np.random.default_rng(0))).ship() is None


def test_what_is_not_better_than_arm_0_is_not_shipped() -> None:
    points = np.array([[0.6, 0.5], [0.9, 0.5]])
    assert truth(points)[:, 0].max() < 0
    assert Optimiser(SPACE, METRICS, measure(points, np.random.default_rng(0))).ship() is None


def test_a_noisy_measurement_is_not_enough() -> None:
    points = np.array([[0.5, 0.65]])
    sure = measure(points, np.random.default_rng(0))
    assert Optimiser(SPACE, METRICS, sure).ship() is not None
    noisy = replace(sure, variances=np.full((1, 2), 0.03**2))
    assert Optimiser(SPACE, METRICS, noisy).ship() is None


def test_what_is_believed_agrees_with_the_normal_distribution() -> None:
    optimiser = after_rounds(2)
    point = np.array([[0.3, 0.7]])
    [judged] = optimiser.judge(point)
    goal, click = optimiser.believe(point)
    draws = goal.draw(np.random.default_rng(0), 40_000), click.draw(np.random.default_rng(1), 40_000)
    assert judged.better == pytest.approx(float((draws[0] > 0).mean()), abs=0.02)
    assert judged.holds == pytest.approx(float((draws[1] >= -0.01).mean()), abs=0.02)


def test_several_guardrails_hold_together() -> None:
    tradeoff = replace(
        TRADEOFF,
        guardrails=(
            Guardrail("click", min_change=-0.01),
            Guardrail("like", min_change=-0.01),
            Guardrail("reshare", min_change=-0.01),
        ),
    )
    metrics = Metrics.of(replace(FEED, tradeoff=tradeoff), tradeoff)
    point = np.array([[0.2, 0.5]])

    def optimiser(loss: float) -> Optimiser:
        changes = np.array([[0.05, loss, loss, loss]])
        noise = np.full((1, 4), 0.005)
        nothing = np.zeros(1)
        return Optimiser(
            SPACE,
            metrics,
            Measurements(
                point, changes, noise**2, 0 * noise, nothing.astype(np.int64), nothing.astype(np.int64) - 1, nothing
            ),
        )

    # Each of three limits holds with a probability between 95 and 98 %: together it is less than 95 %.
    [judged] = optimiser(0.0).judge(point)
    assert 0.95 < judged.holds ** (1 / 3) < 0.983
    assert judged.holds < 0.95
    assert optimiser(0.0).ship() is None
    assert optimiser(0.005).ship() is not None


def test_an_offline_estimate_gives_the_first_arms() -> None:
    def gain(optimiser: Optimiser) -> float:
        return float(truth(np.stack([of.point for of in optimiser.suggest(4)]))[:, 0].mean())

    blind = [gain(Optimiser(SPACE, METRICS, Measurements.none(2, 2), seed=seed)) for seed in range(5)]
    guided = [gain(Optimiser(SPACE, METRICS, Measurements.none(2, 2), truth, seed=seed)) for seed in range(5)]
    assert np.mean(guided) > np.mean(blind) + 0.01
