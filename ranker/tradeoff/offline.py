"""What every setting would be worth, from one day that was scored once.

The model's probabilities do not depend on the setting. So the sessions of a held-out day are ranked anew under any
setting in milliseconds, without a call of the model. An order is valued in one of two ways:

- `replay`: by what happened in sessions that were shown in random order, doubly robust: the formula of
  `ranker.evaluation.replay`, for the first k positions.
- `model`: by the model's own probabilities, discounted by 1 / log2(1 + position). This cannot see what the model gets
  wrong: if it overestimates an objective, every setting that favours this objective looks better than it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from ranker.config.objectives import Objective
from ranker.evaluation.buckets import Floats, Ints
from ranker.evaluation.off_policy import MIN_EFFECTIVE_SESSIONS
from ranker.tradeoff.metrics import Metrics
from ranker.tradeoff.setting import Setting
from ranker.tradeoff.space import Space

Method = Literal["replay", "model"]

_TIE_SEED = 0

MODEL_WARNING = (
    "there are too few sessions in random order to value settings by what happened; they are valued by the model's own "
    "probabilities, which cannot see what the model gets wrong"
)


@dataclass(frozen=True)
class RandomOrder:
    """What was observed in sessions shown in random order.

    Attributes:
        position: in the order shown, from 1, [rows].
        propensity: the chance of this position, [rows].
        outcomes: 0 or 1, [objectives, rows].
        viewer: number of each session's viewer, from 0, [sessions].
    """

    position: Ints
    propensity: Floats
    outcomes: Floats
    viewer: Ints


@dataclass(frozen=True)
class ScoredDay:
    """The impressions of a day with the model's probabilities.

    Attributes:
        session: number of the session, from 0, ascending, [rows].
        probabilities: without the effect of exposure, [objectives, rows].
        k: the positions at the top that replay counts.
        observed: of sessions in random order; None values by the model's probabilities.
    """

    session: Ints
    probabilities: Floats
    k: int
    observed: RandomOrder | None = None

    def __post_init__(self) -> None:
        if np.any(np.diff(self.session) < 0):
            raise ValueError("session: the rows of a session have to follow each other, in ascending order")

    @property
    def sessions(self) -> int:
        """Number of sessions."""
        return int(self.session[-1]) + 1 if len(self.session) else 0

    @property
    def method(self) -> Method:
        """How orders are valued."""
        return "model" if self.observed is None else "replay"

    def positions(self, coefficients: Floats) -> Ints:
        """The position of each impression, from 1, if sessions are ordered by falling utility, [rows].

        Equal utilities are ordered at random, independently of the order in the log: in the log's order, all of them
        would match.
        """
        utility = coefficients @ self.probabilities
        span = float(np.ptp(utility)) or 1.0
        # One key is several times faster to sort than two.
        key = self.session - 0.5 * (utility - utility.min()) / span
        order = self._shuffled[np.argsort(key[self._shuffled])]
        positions = np.empty(len(self.session), np.int64)
        positions[order] = self._places
        return positions

    def values(self, coefficients: Floats) -> Floats:
        """The expected positives of each session in the order by this utility, [objectives, sessions]."""
        positions = self.positions(coefficients)
        if self.observed is None:
            return self._per_session(self.probabilities * self._discounts[positions])
        top = positions <= self.k
        weight = top * (positions == self.observed.position) / self.observed.propensity
        corrections = weight * (self.observed.outcomes - self.probabilities)
        return self._per_session(top * self.probabilities + corrections)

    def rates(self, coefficients: Floats) -> Floats:
        """The mean of `values` over the sessions, [objectives]."""
        if self.observed is None:
            return np.asarray(self.probabilities @ self._discounts[self.positions(coefficients)]) / self.sessions
        return np.asarray(self.values(coefficients).mean(axis=1))

    def effective_sessions(self, coefficients: Floats) -> float:
        """Sessions of equal weight that would tell as much of this order as the log does; replay alone."""
        if self.observed is None:
            return float(self.sessions)
        positions = self.positions(coefficients)
        match = (positions <= self.k) & (positions == self.observed.position)
        weights = self._per_session((match / self.observed.propensity)[np.newaxis])[0]
        squares = float((weights**2).sum())
        return float(weights.sum()) ** 2 / squares if squares else 0.0

    @cached_property
    def _starts(self) -> Ints:
        """The first row of each session, [sessions]."""
        return np.flatnonzero(np.diff(self.session, prepend=-1))

    @cached_property
    def _shuffled(self) -> Ints:
        """The rows in a random order that is always the same, [rows]."""
        return np.random.default_rng(_TIE_SEED).permutation(len(self.session))

    @cached_property
    def _places(self) -> Ints:
        """The place of each row within its session, from 1, [rows]."""
        sizes = np.diff(self._starts, append=len(self.session))
        return np.arange(len(self.session)) - np.repeat(self._starts, sizes) + 1

    @cached_property
    def _discounts(self) -> Floats:
        """1 / log2(1 + position) by position; the entry of position 0 is not used."""
        return 1.0 / np.log2(np.maximum(np.arange(int(self._places.max(initial=0)) + 1) + 1.0, 2.0))

    def _per_session(self, values: Floats) -> Floats:
        return np.add.reduceat(values, self._starts, axis=1)


@dataclass(frozen=True)
class Change:
    """The offline estimate of a setting's change relative to arm 0.

    Attributes:
        relative: of every row of weights, [metrics]; NaN where arm 0's rate is 0.
        deviations: their standard errors by viewers, [metrics]; 0 for the method `model`, which has no noise.
    """

    relative: Floats
    deviations: Floats


class OfflineValues:
    """The changes of the metrics under any setting.

    Args:
        day: scored.
        objectives: of the config.
        space: the search space.
    """

    def __init__(self, day: ScoredDay, objectives: Sequence[Objective], space: Space) -> None:
        self._day, self._objectives, self._space = day, objectives, space
        current = space.current.coefficients(objectives)
        self._base, self._base_rates = day.values(current), day.rates(current)

    @property
    def method(self) -> Method:
        """How orders are valued."""
        return self._day.method

    def change(self, setting: Setting, weights: Floats) -> Change:
        """The change of metrics with these weights of the objectives, [metrics, objectives]."""
        coefficients = setting.coefficients(self._objectives)
        if self._day.observed is None:
            mean = weights @ self._base_rates
            return Change(_divided(weights @ self._day.rates(coefficients) - mean, mean), np.zeros(len(weights)))
        base = weights @ self._base
        difference = weights @ self._day.values(coefficients) - base
        mean = base.mean(axis=1)
        relative = _divided(difference.mean(axis=1), mean)
        influence = difference - relative[:, np.newaxis] * np.sign(mean)[:, np.newaxis] * base
        by_viewer = np.stack([np.bincount(self._day.observed.viewer, of) for of in influence])
        viewers = by_viewer.shape[1]
        centred = by_viewer - by_viewer.mean(axis=1, keepdims=True)
        variance = viewers / max(viewers - 1, 1) * (centred**2).sum(axis=1) / self._day.sessions**2
        return Change(relative, _divided(np.sqrt(variance), mean))

    def changes(self, points: Floats, weights: Floats) -> tuple[Floats, Floats]:
        """Changes and standard errors at points [n, parameters]; two arrays [n, metrics]."""
        found = [self.change(self._space.setting(point), weights) for point in points]
        nothing = np.empty((0, len(weights)))
        return (
            np.stack([of.relative for of in found]) if found else nothing,
            np.stack([of.deviations for of in found]) if found else nothing,
        )

    def prior(self, metrics: Metrics, reference: Floats) -> "OfflinePrior":
        """The offline estimates as the optimiser uses them; `reference` [n, parameters] says how much they vary."""
        changes, deviations = self.changes(reference, metrics.weights)
        noise, spread = _mean_square(deviations), _mean_square(changes)
        # What the estimates vary by chance alone is taken from them: the estimator of James and Stein (1961).
        share = np.clip(1.0 - noise / np.maximum(spread, 1e-12), 0.0, 1.0)
        return OfflinePrior(self, metrics, np.where(np.isfinite(share), share, 0.0))


class OfflinePrior:
    """Points → offline estimates of all metrics, shrunk by their noise; each point is computed once.

    Args:
        values: of any setting.
        metrics: goal and guardrails.
        share: what the estimates are multiplied by, [metrics].
    """

    def __init__(self, values: OfflineValues, metrics: Metrics, share: Floats) -> None:
        self._values, self._weights, self._share = values, metrics.weights, share
        self._known: dict[bytes, Floats] = {}

    def __call__(self, points: Floats) -> Floats:
        """Points [n, parameters] → changes [n, metrics]."""
        keys = [point.tobytes() for point in points]
        missing = [index for index, key in enumerate(keys) if key not in self._known]
        changes, _ = self._values.changes(points[missing], self._weights)
        for index, change in zip(missing, changes, strict=True):
            self._known[keys[index]] = np.nan_to_num(change) * self._share
        return np.stack([self._known[key] for key in keys]) if keys else np.empty((0, len(self._weights)))


def _mean_square(values: Floats) -> Floats:
    """Of the values that are not NaN, [metrics], from [n, metrics]; NaN where there are none."""
    known = ~np.isnan(values)
    squares = np.where(known, values, 0.0) ** 2
    return np.divide(
        squares.sum(axis=0), known.sum(axis=0), out=np.full(values.shape[1], np.nan), where=known.any(axis=0)
    )


def _divided(values: Floats, mean: Floats) -> Floats:
    """Values relative to the size of a mean; NaN where the mean is 0."""
    return np.divide(values, np.abs(mean), out=np.full(len(values), np.nan), where=mean != 0)


def enough_random_sessions(day: ScoredDay, current: Floats) -> bool:
    """Whether the random sessions of a day suffice to value an order such as the current one."""
    return day.observed is not None and day.effective_sessions(current) >= MIN_EFFECTIVE_SESSIONS


def pareto_front(first: Floats, second: Floats) -> Ints:
    """Indices of the points that no other point exceeds in both values, by falling `first`; [front].

    Example:
        >>> pareto_front(np.array([1.0, 2.0, 0.0]), np.array([1.0, 0.0, 0.5])).tolist()
        [1, 0]
    """
    order = np.lexsort((-second, -first))
    best = np.maximum.accumulate(np.concatenate([[-np.inf], second[order][:-1]]))
    return np.asarray(order[second[order] > best])
