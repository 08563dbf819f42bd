"""Which settings to test next, and which one to ship: constrained Thompson sampling.

Each arm is drawn by its probability of being the best setting that holds all guardrails: the changes of all metrics are
drawn from the posterior on a Sobol set of settings, and the best setting of the draw that holds the drawn guardrails is
taken (Thompson, "On the likelihood that one unknown probability exceeds another", 1933; with constraints: Eriksson and
Poloczek, "Scalable constrained Bayesian optimization", AISTATS 2021). The first arm of a batch is the setting that
would be shipped if it had been measured: nothing is shipped that was not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from ranker.evaluation.buckets import Floats
from ranker.tradeoff.gaussian_process import Belief, ChangeModel
from ranker.tradeoff.measurements import OVERALL, Measurements
from ranker.tradeoff.metrics import Metric, Metrics
from ranker.tradeoff.space import Space

_EXPONENT = 9  # of 2: settings over the whole space, and half as many around the best one
_NEAR = 0.25  # the width of the neighbourhood of the best setting, of the whole range
_SAME = 0.01  # settings that differ less in every parameter, as a share of its range, are one

OfflineChanges = Callable[[Floats], Floats]
"""Points [n, parameters] → the offline estimate of the change of every metric, [n, metrics]."""


@dataclass(frozen=True)
class Suggestion:
    """A setting to be tested, and what is believed about it.

    Attributes:
        point: in the unit cube, [parameters].
        means: expected change of every metric, [metrics].
        deviations: their standard deviations, [metrics].
        holds: the probability that it holds all guardrails.
        better: the probability that its goal is above arm 0's.
    """

    point: Floats
    means: Floats
    deviations: Floats
    holds: float
    better: float


class Optimiser:
    """The beliefs about all metrics after some measurements.

    Args:
        space: the search space.
        metrics: goal and guardrails.
        measured: all measurements; may be empty.
        offline: offline estimates; None without.
        half_life_days, cohort_share: see `TradeOff`.
        cohorts: number of cohorts in the measurements; 0 without.
        seed: of the draws and of the Sobol set.
    """

    def __init__(
        self,
        space: Space,
        metrics: Metrics,
        measured: Measurements,
        offline: OfflineChanges | None = None,
        half_life_days: float = 14.0,
        cohort_share: float = 0.3,
        cohorts: int = 0,
        seed: int = 0,
    ) -> None:
        self._space, self._metrics, self._measured, self._seed = space, metrics, measured, seed
        self._current = space.point(space.current)
        self._offline = offline or (lambda points: np.zeros((len(points), len(metrics.all))))
        estimates = self._offline(measured.points)
        with _one_thread():
            self._models = [
                ChangeModel(self._current, cohort_share, cohorts).fit(measured, m, estimates[:, m], half_life_days)
                for m in range(len(metrics.all))
            ]

    def suggest(self, arms: int, cohort: int = OVERALL) -> list[Suggestion]:
        """Distinct settings to be tested beside arm 0."""
        with _one_thread():
            return self._suggest(arms, cohort)

    def _suggest(self, arms: int, cohort: int) -> list[Suggestion]:
        generator = np.random.default_rng([self._seed, len(self._measured), cohort + 1])
        points = self._candidates(cohort)
        estimates = self._offline(points)
        beliefs = [model.believe(points, estimates[:, m], cohort) for m, model in enumerate(self._models)]
        free = ~_near(points, self._current)
        draws = [belief.draw(generator, arms) for belief in beliefs]
        chosen: list[int] = []
        for draw in range(arms):
            shippable = self._best(beliefs, free) if draw == 0 else None
            if not free.any():
                break
            drawn = [of_metric[draw] for of_metric in draws]
            chosen.append(self._winner(drawn, free) if shippable is None else shippable)
            free &= ~_near(points, points[chosen[-1]])
        return [self._suggestion(points, beliefs, index) for index in chosen]

    def ship(self, cohort: int = OVERALL) -> Suggestion | None:
        """The best measured setting that holds the guardrails and is better than arm 0, each at its confidence.

        None: no setting is better than arm 0 at this confidence.
        """
        points = _distinct(self._measured.points)
        points = points[~_near(points, self._current)] if len(points) else points
        if not len(points):
            return None
        beliefs = self.believe(points, cohort)
        best = self._best(beliefs, np.ones(len(points), bool))
        return None if best is None else self._suggestion(points, beliefs, best)

    def believe(self, points: Floats, cohort: int = OVERALL) -> list[Belief]:
        """What is believed about the changes at points [n, parameters], by metric."""
        estimates = self._offline(points)
        return [model.believe(points, estimates[:, m], cohort) for m, model in enumerate(self._models)]

    def judge(self, points: Floats, cohort: int = OVERALL) -> list[Suggestion]:
        """What is believed about each of the points, [n, parameters]."""
        beliefs = self.believe(points, cohort)
        return [self._suggestion(points, beliefs, index) for index in range(len(points))]

    def _candidates(self, cohort: int) -> Floats:
        """A Sobol set, settings around the best expected one, and those that have been measured."""
        spread = self._space.spread(_EXPONENT, self._seed)
        known = np.concatenate([self._current[np.newaxis], _distinct(self._measured.points)])
        beliefs = self.believe(np.concatenate([known, spread[: 1 << (_EXPONENT - 2)]]), cohort)
        middle = np.concatenate([known, spread])[self._most_promising(beliefs)]
        offsets = self._space.spread(_EXPONENT - 1, self._seed + 1 + len(self._measured)) - 0.5
        near = np.clip(middle + _NEAR * offsets, 0.0, 1.0)
        return np.concatenate([known, spread, near])

    def _most_promising(self, beliefs: Sequence[Belief]) -> int:
        goal, *guardrails = beliefs
        held = [
            metric.probability(belief.mean, belief.deviation)
            for metric, belief in zip(self._metrics.guardrails, guardrails, strict=True)
        ]
        likely = np.prod(held, axis=0) if held else np.ones(len(goal.mean))
        return int(np.argmax(np.where(likely >= 0.5, goal.mean, likely - 2.0)))

    def _best(self, beliefs: Sequence[Belief], free: np.ndarray) -> int | None:
        """The setting of the highest expected goal of those that are good enough to be shipped."""
        probabilities = [
            metric.probability(belief.mean, belief.deviation)
            for metric, belief in zip(self._metrics.all, beliefs, strict=True)
        ]
        confidences = [metric.confidence for metric in self._metrics.all]
        good = free.copy()
        for probability, confidence in zip(probabilities, confidences, strict=True):
            good &= probability >= confidence
        if self._metrics.guardrails:
            # Each at its own confidence would let all together fail more often.
            good &= np.prod(probabilities[1:], axis=0) >= min(confidences[1:])
        return int(np.flatnonzero(good)[np.argmax(beliefs[0].mean[good])]) if good.any() else None

    def _winner(self, drawn: Sequence[Floats], free: np.ndarray) -> int:
        """The best setting of a draw that holds the drawn guardrails; without one, that of the least violation."""
        goal, *guardrails = drawn
        pairs: list[tuple[Metric, Floats]] = list(zip(self._metrics.guardrails, guardrails, strict=True))
        holds = free.copy()
        for metric, change in pairs:
            holds &= metric.holds(change)
        if holds.any():
            return int(np.flatnonzero(holds)[np.argmax(goal[holds])])
        violation = np.sum([metric.violation(change) for metric, change in pairs], axis=0)
        return int(np.flatnonzero(free)[np.argmin(violation[free])])

    def _suggestion(self, points: Floats, beliefs: Sequence[Belief], index: int) -> Suggestion:
        means = np.array([belief.mean[index] for belief in beliefs])
        deviations = np.array([belief.deviation[index] for belief in beliefs])
        probabilities = [
            float(metric.probability(mean, deviation))
            for metric, mean, deviation in zip(self._metrics.all, means, deviations, strict=True)
        ]
        return Suggestion(points[index], means, deviations, float(np.prod(probabilities[1:])), probabilities[0])


def _one_thread() -> threadpool_limits:
    """Linear algebra on one thread: these matrices are small, and threads that wait for each other cost more."""
    return threadpool_limits(1, user_api="blas")


def _near(points: Floats, point: Floats) -> np.ndarray:
    return np.asarray((np.abs(points - point) < _SAME).all(axis=-1))


def _distinct(points: Floats) -> Floats:
    """Points without those that repeat an earlier one."""
    if not len(points):
        return points
    _, first = np.unique(points.round(9), axis=0, return_index=True)
    return np.asarray(points[np.sort(first)])
