"""The value of a policy from the log of another one, whose chances are known.

The log has outcomes of what the logging policy did, each drawn with a known chance. Weighted by how much likelier the
other policy would have done the same, they stand for its outcomes. Units are sessions, of which one has any number of
logged outcomes; sessions of a viewer are not independent. Intervals are those of normal approximations.
"""

from dataclasses import dataclass

import numpy as np

from ranker.evaluation.buckets import Floats, Ints
from ranker.evaluation.intervals import UNDEFINED, Estimate, student_quantile
from ranker.evaluation.shown_numbers import shown_number

MIN_EFFECTIVE_SESSIONS = 50.0
"""Fewer effective sessions give no estimate: the interval would be too narrow for skewed outcomes."""


@dataclass(frozen=True)
class PolicyValue:
    """One estimate of a policy's value.

    Attributes:
        estimate: value and interval; undefined if there are too few sessions.
        effective_sessions: number of sessions of equal weight that would be as informative: (Σ w)² / Σ w², where w is
            the weight of a session's outcomes.
        needed: the effective sessions below which there is no estimate.
    """

    estimate: Estimate
    effective_sessions: float
    needed: float

    @property
    def too_few(self) -> bool:
        """Whether there is no estimate because of too few sessions."""
        return _are_too_few(self.effective_sessions, self.needed)

    def __str__(self) -> str:
        if self.too_few:
            return f"too few matches: {self.effective_sessions:.0f} effective sessions, needed are {self.needed:.0f}"
        value = self.estimate
        shown, lower, upper = (shown_number(number, ".4g") for number in (value.value, value.lower, value.upper))
        return f"{shown} ({lower} to {upper})"


@dataclass(frozen=True)
class WeightedLog:
    """Logged outcomes with their weights, and what intervals need.

    Attributes:
        session: number of each outcome's session, from 0, [n].
        viewer: number of each session's viewer, from 0, [sessions].
        weight: chance under the policy to be valued over the chance under the logging policy, [n].
        outcomes: what was observed, [n].
        confidence: level of the intervals.
        needed: effective sessions needed.
    """

    session: Ints
    viewer: Ints
    weight: Floats
    outcomes: Floats
    confidence: float = 0.95
    needed: float = MIN_EFFECTIVE_SESSIONS

    @property
    def effective_sessions(self) -> float:
        """See PolicyValue."""
        weights = self.per_session(self.weight)
        squares = float((weights**2).sum())
        return float(weights.sum()) ** 2 / squares if squares else 0.0

    def per_session(self, values: Floats) -> Floats:
        """The sum of values [n] per session, [sessions]."""
        return np.bincount(self.session, values, minlength=len(self.viewer)).astype(np.float64)


def inverse_propensity(log: WeightedLog) -> PolicyValue:
    """The mean over sessions of Σ weight · outcome.

    Unbiased (Horvitz and Thompson, "A generalization of sampling without replacement from a finite universe", 1952).
    """
    if _are_too_few(log.effective_sessions, log.needed):
        return _too_few(log)
    return _mean(log, log.per_session(log.weight * log.outcomes))


def self_normalised(log: WeightedLog, slots: Floats) -> PolicyValue:
    """Σ weight · outcome over Σ weight, times the mean number of outcomes of a session.

    Consistent, with less variance (Swaminathan and Joachims, "The self-normalized estimator for counterfactual
    learning", NeurIPS 2015).

    Args:
        log: the outcomes.
        slots: number of outcomes that the policy has in each session, [sessions].
    """
    if _are_too_few(log.effective_sessions, log.needed):
        return _too_few(log)
    weighted, weights = log.per_session(log.weight * log.outcomes), log.per_session(log.weight)
    ratio, per_session = float(weighted.sum() / weights.sum()), float(slots.mean())
    scale = per_session / float(weights.mean())
    influence = ratio * (slots - per_session) + scale * (weighted - ratio * weights)
    return _estimate(log, per_session * ratio, influence, scale)


def doubly_robust(log: WeightedLog, predicted: Floats, expected: Floats) -> PolicyValue:
    """The mean over sessions of a model's expectation, plus Σ weight · (outcome - prediction).

    Unbiased whatever the model is, as long as it was not fitted on these outcomes; the variance is small if it is good
    (Dudík et al., "Doubly robust policy evaluation and learning", ICML 2011).

    Args:
        log: the outcomes.
        predicted: the model's prediction of each logged outcome, [n].
        expected: the model's expectation of a session's outcomes under the policy, [sessions].
    """
    if _are_too_few(log.effective_sessions, log.needed):
        return _too_few(log)
    return _mean(log, expected + log.per_session(log.weight * (log.outcomes - predicted)))


def _mean(log: WeightedLog, values: Floats) -> PolicyValue:
    mean = float(values.mean())
    return _estimate(log, mean, values - mean, 1.0)


def _estimate(log: WeightedLog, value: float, influence: Floats, scale: float) -> PolicyValue:
    """The interval by the delete-one-viewer variance of the sum of influences [sessions].

    Sums without outcomes would have no variance. So every variance is that of one more typical outcome, which is
    multiplied by `scale` and its weight.
    """
    by_viewer = np.bincount(log.viewer, influence)
    viewers, sessions = len(by_viewer), len(influence)
    groups = int(min(viewers, log.effective_sessions))
    if groups < 2:
        return PolicyValue(Estimate(value, float("-inf"), float("inf")), log.effective_sessions, log.needed)
    one_more = scale * _typical_weight(log.weight) * _typical_outcome(log.outcomes)
    variance = viewers / (viewers - 1) * float((by_viewer**2).sum()) + one_more**2
    half = student_quantile(log.confidence, groups) * variance**0.5 / sessions
    return PolicyValue(Estimate(value, value - half, value + half), log.effective_sessions, log.needed)


def _are_too_few(effective_sessions: float, needed: float) -> bool:
    """Whether there are fewer sessions than needed, or none: without any weight there is nothing to divide by."""
    return effective_sessions < needed or effective_sessions == 0.0


def _too_few(log: WeightedLog) -> PolicyValue:
    return PolicyValue(UNDEFINED, log.effective_sessions, log.needed)


def _typical_weight(weight: Floats) -> float:
    """The mean weight of an outcome, by weight."""
    return float((weight**2).sum() / weight.sum())


def _typical_outcome(outcomes: Floats) -> float:
    """The root mean square of the outcomes that are not 0; 0 if all are."""
    happened = outcomes[outcomes != 0]
    return float(np.sqrt(np.mean(happened**2))) if len(happened) else 0.0
