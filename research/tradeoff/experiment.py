"""An experiment of several rounds in the simulator, by each method, and what its shipped setting is really worth."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline_config import FEED
from ranker.config.tradeoff import Guardrail, SearchSpace, TradeOff
from ranker.evaluation.buckets import Floats
from ranker.tradeoff.measurements import OVERALL, Measurements, relative_changes
from ranker.tradeoff.metrics import Metrics
from ranker.tradeoff.offline import OfflineValues
from ranker.tradeoff.space import Space
from research.tradeoff.population import Feed, Population, simulate
from research.tradeoff.rivals import METHODS, Maker

TRADEOFF = TradeOff(
    maximize={"like": 1.0, "comment": 5.0, "reshare": 8.0},
    guardrails=(Guardrail("click", min_change=-0.01), Guardrail("long_dwell", min_change=-0.01)),
    search=SearchSpace(
        alpha=(0.05, 0.95),
        lambda_=(0.01, 1.0),
        weights={"long_dwell": 8.0, "like": 8.0, "comment": 8.0, "reshare": 8.0},
    ),
)
CONFIG = replace(FEED, utility=replace(FEED.utility, alpha=0.9), tradeoff=TRADEOFF)
"""A team that has ranked by clicks and dwell so far, and wants more active engagement."""

_SEARCH_EXPONENT = 9
_REFINEMENTS = (0.3, 0.15, 0.08, 0.04)
_REFINED = 6


@dataclass(frozen=True)
class Size:
    """Of an experiment.

    Attributes:
        impressions: of each simulated day.
        rounds: each on a day of its own.
        arms: tested in a round, beside arm 0.
        viewers: of each arm; arm 0 has as many as all arms together.
    """

    impressions: int
    rounds: int
    arms: int
    viewers: int


@dataclass(frozen=True)
class Outcome:
    """What one method has shipped in one feed.

    Attributes:
        gain: true change of the goal by the shipped setting; 0 where the current one was kept.
        guarded: true changes of the guarded metrics.
        broken: whether it breaks a guardrail.
        shipped: whether something other than the current setting was shipped.
        best: the highest gain of a setting that holds all guardrails.
        seconds: of the whole experiment, without measuring.
    """

    gain: float
    guarded: tuple[float, ...]
    broken: bool
    shipped: bool
    best: float
    seconds: float

    @property
    def regret(self) -> float:
        """The gain that was missed; a setting that breaks a guardrail is taken back, and gains nothing."""
        return self.best - (0.0 if self.broken else self.gain)


def run_seed(size: Size, seed: int, makers: Mapping[str, Maker] = METHODS) -> dict[str, Outcome]:
    """Method → what it shipped, in the feed of a seed."""
    feed = simulate(CONFIG, size.impressions, size.rounds, seed)
    space, metrics = Space.of(CONFIG, TRADEOFF), Metrics.of(CONFIG, TRADEOFF)
    best = _best_gain(feed.all_days, space, metrics)
    return {name: _run(feed, space, metrics, maker, size, seed, best) for name, maker in makers.items()}


def _run(feed: Feed, space: Space, metrics: Metrics, maker: Maker, size: Size, seed: int, best: float) -> Outcome:
    start = time.perf_counter()
    offline = OfflineValues(feed.held_out, CONFIG.objectives, space).prior(metrics, space.spread(6, seed))
    method = maker(space, metrics, seed, offline, size.rounds * size.arms)
    measuring = 0.0
    parts: list[Measurements] = []
    measured = Measurements.none(len(space), len(metrics.all))
    for number, day in enumerate(feed.days):
        points = method.choose(measured, size.arms)
        begin = time.perf_counter()
        generator = np.random.default_rng([seed, number])
        parts.append(measure(day, space, metrics, points, size.viewers, size.arms * size.viewers, generator))
        measured = _at_age(parts)
        measuring += time.perf_counter() - begin
    shipped = method.ship(measured)
    seconds = time.perf_counter() - start - measuring
    if shipped is None:
        return Outcome(0.0, (0.0,) * len(metrics.guardrails), False, False, best, seconds)
    [changes] = true_changes(feed.all_days, space, metrics, shipped[np.newaxis])
    held = all(metric.holds(change) for metric, change in zip(metrics.guardrails, changes[1:], strict=True))
    return Outcome(float(changes[0]), tuple(changes[1:].tolist()), not held, True, best, seconds)


def measure(
    day: Population,
    space: Space,
    metrics: Metrics,
    points: Floats,
    viewers: int,
    current_viewers: int,
    generator: np.random.Generator,
) -> Measurements:
    """The arms at `points` beside arm 0, on one day."""
    weights = metrics.weights

    def observed(coefficients: Floats, count: int) -> tuple[Floats, Floats]:
        rates, covariance = day.observed(coefficients, count, generator)
        return weights @ rates, np.diag(weights @ covariance @ weights.T)

    base, base_variances = observed(space.current.coefficients(CONFIG.objectives), current_viewers)
    found = [observed(space.setting(point).coefficients(CONFIG.objectives), viewers) for point in points]
    changes, variances, shared = relative_changes(
        np.stack([rates for rates, _ in found]), np.stack([variance for _, variance in found]), base, base_variances
    )
    nothing = np.zeros(len(points))
    return Measurements(
        points, changes, variances, shared, nothing.astype(np.int64), np.full(len(points), OVERALL), nothing
    )


def true_changes(population: Population, space: Space, metrics: Metrics, points: Floats) -> Floats:
    """The true change of every metric at every point, [points, metrics]."""
    base = metrics.weights @ population.expected(space.current.coefficients(CONFIG.objectives))
    rates = [population.expected(space.setting(point).coefficients(CONFIG.objectives)) for point in points]
    return (np.stack(rates) @ metrics.weights.T - base) / np.abs(base)


def _best_gain(population: Population, space: Space, metrics: Metrics) -> float:
    """The highest true gain that holds all guardrails: a Sobol set, then narrower ones around its best settings."""
    current = space.point(space.current)
    points = np.concatenate([current[np.newaxis], space.spread(_SEARCH_EXPONENT, 0)])
    changes = true_changes(population, space, metrics, points)
    for number, width in enumerate(_REFINEMENTS):
        gains = np.where(_feasible(metrics, changes), changes[:, 0], -np.inf)
        best = np.argsort(-gains)[:3]
        around = np.concatenate(
            [points[index] + width * (space.spread(_REFINED, number + 1) - 0.5) for index in best]
        ).clip(0.0, 1.0)
        points = np.concatenate([points, around])
        changes = np.concatenate([changes, true_changes(population, space, metrics, around)])
    return float(changes[_feasible(metrics, changes), 0].max())


def _feasible(metrics: Metrics, changes: Floats) -> np.ndarray:
    return np.all([metric.holds(changes[:, index]) for index, metric in enumerate(metrics.guardrails, start=1)], axis=0)


def _at_age(parts: Sequence[Measurements]) -> Measurements:
    """All rounds, with their age in days on the newest day."""
    joined = Measurements.joined(list(parts))
    return replace(joined, age_days=(len(parts) - 1 - joined.comparison).astype(np.float64))
