"""Ways to choose the settings of each round, and the one to ship: ours and its rivals."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from bayes_opt import BayesianOptimization
from bayes_opt.acquisition import ExpectedImprovement
from scipy.optimize import NonlinearConstraint
from scipy.stats import qmc

from ranker.evaluation.buckets import Floats
from ranker.tradeoff.measurements import Measurements
from ranker.tradeoff.metrics import Metrics
from ranker.tradeoff.optimiser import OfflineChanges, Optimiser
from ranker.tradeoff.space import Space

_GRID_ALPHAS = 5
_GRID_FACTORS = (0.5, 0.25, 0.75, 1.0)


class Method(Protocol):
    """Chooses settings, as points of the unit cube."""

    def choose(self, measured: Measurements, arms: int) -> Floats:
        """The points of the next round, [arms, parameters], from what has been measured so far."""

    def ship(self, measured: Measurements) -> Floats | None:
        """The point to ship; None keeps the current setting."""


@dataclass
class Ours:
    """The optimiser of `ranker.tradeoff`."""

    space: Space
    metrics: Metrics
    seed: int
    offline: OfflineChanges | None = None

    def choose(self, measured: Measurements, arms: int) -> Floats:
        """See `Method`."""
        return np.stack([suggestion.point for suggestion in self._optimiser(measured).suggest(arms)])

    def ship(self, measured: Measurements) -> Floats | None:
        """See `Method`."""
        found = self._optimiser(measured).ship()
        return None if found is None else found.point

    def _optimiser(self, measured: Measurements) -> Optimiser:
        return Optimiser(self.space, self.metrics, measured, self.offline, seed=self.seed)


@dataclass
class Designed:
    """Settings that are fixed beforehand; the best one is read from the test's own intervals.

    Attributes:
        metrics: goal and guardrails.
        points: of all rounds, [rounds × arms, parameters].
    """

    metrics: Metrics
    points: Floats

    def choose(self, measured: Measurements, arms: int) -> Floats:
        """See `Method`."""
        return self.points[len(measured) : len(measured) + arms]

    def ship(self, measured: Measurements) -> Floats | None:
        """The best arm by its measured goal whose own measurement holds everything at its confidence."""
        return best_arm(self.metrics, measured)


@dataclass
class Library:
    """`bayesian-optimization` from PyPI: expected improvement under constraints, one suggestion at a time.

    It takes no noise per measurement, and has no batches under constraints. So each further arm of a round is chosen
    after telling it the mean of what was measured for the arms before (constant liar). The setting to ship is its
    `max`.
    """

    space: Space
    metrics: Metrics
    seed: int

    def choose(self, measured: Measurements, arms: int) -> Floats:
        """See `Method`."""
        optimiser = self._told(measured)
        told = measured.changes.mean(axis=0) if len(measured) else np.zeros(len(self.metrics.all))
        chosen: list[Floats] = []
        for _ in range(arms):
            point = self._point(optimiser.suggest())
            chosen.append(point)
            optimiser.register(params=self._named(point), target=told[0], constraint_value=told[1:])
        return np.stack(chosen)

    def ship(self, measured: Measurements) -> Floats | None:
        """See `Method`."""
        best = self._told(measured).max
        if best is None or best["target"] <= 0:
            return None
        return self._point(best["params"])

    def _told(self, measured: Measurements) -> BayesianOptimization:
        constraint = NonlinearConstraint(
            lambda **point: np.zeros(len(self.metrics.guardrails)),
            np.array([metric.lower for metric in self.metrics.guardrails]),
            np.array([metric.upper for metric in self.metrics.guardrails]),
        )
        optimiser = BayesianOptimization(
            f=None,
            pbounds=dict.fromkeys(self.space.names, (0.0, 1.0)),
            acquisition_function=ExpectedImprovement(xi=0.0),
            constraint=constraint,
            random_state=self.seed + len(measured),
            verbose=0,
            allow_duplicate_points=True,
        )
        optimiser.register(
            params=self._named(self.space.point(self.space.current)),
            target=0.0,
            constraint_value=np.zeros(len(self.metrics.guardrails)),
        )
        for point, changes in zip(measured.points, measured.changes, strict=True):
            optimiser.register(params=self._named(point), target=float(changes[0]), constraint_value=changes[1:])
        return optimiser

    def _named(self, point: Floats) -> dict[str, float]:
        return dict(zip(self.space.names, point.tolist(), strict=True))

    def _point(self, params: Any) -> Floats:
        return np.array([params[name] for name in self.space.names])


def best_arm(metrics: Metrics, measured: Measurements) -> Floats | None:
    """The point of the best measured arm that is good enough by its own measurement alone."""
    deviations = np.sqrt(measured.variances + measured.shared_deviations**2)
    good = np.ones(len(measured), bool)
    for index, metric in enumerate(metrics.all):
        good &= metric.probability(measured.changes[:, index], deviations[:, index]) >= metric.confidence
    if not good.any():
        return None
    return np.asarray(measured.points[good][np.argmax(measured.changes[good, 0])])


def random_points(space: Space, count: int, seed: int) -> Floats:
    """Uniformly random points."""
    return np.random.default_rng(seed).random((count, len(space)))


def sobol_points(space: Space, count: int, seed: int) -> Floats:
    """The first points of a scrambled Sobol sequence."""
    return np.asarray(qmc.Sobol(len(space), scramble=True, rng=np.random.default_rng(seed)).random(count))


def grid_points(space: Space, count: int, seed: int) -> Floats:
    """A grid as people make it: some values of alpha, times all weights of the goal together smaller or larger."""
    current = space.point(space.current)
    points = []
    for weight in _GRID_FACTORS:
        for alpha in np.linspace(0.1, 0.9, _GRID_ALPHAS):
            point = np.where(np.array([name == "alpha" for name in space.names]), alpha, current)
            active = np.array([name not in ("alpha", "lambda", "long_dwell") for name in space.names])
            points.append(np.where(active, weight, point))
    return np.random.default_rng(seed).permutation(np.stack(points))[:count]


Maker = Callable[[Space, Metrics, int, OfflineChanges, int], Method]
"""Space, metrics, seed, offline estimates and total arms → a method."""

METHODS: dict[str, Maker] = {
    "ours": lambda space, metrics, seed, offline, arms: Ours(space, metrics, seed, offline),
    "ours, without offline estimates": lambda space, metrics, seed, offline, arms: Ours(space, metrics, seed),
    "bayesian-optimization": lambda space, metrics, seed, offline, arms: Library(space, metrics, seed),
    "Sobol": lambda space, metrics, seed, offline, arms: Designed(metrics, sobol_points(space, arms, seed)),
    "random": lambda space, metrics, seed, offline, arms: Designed(metrics, random_points(space, arms, seed)),
    "hand grid": lambda space, metrics, seed, offline, arms: Designed(metrics, grid_points(space, arms, seed)),
}
