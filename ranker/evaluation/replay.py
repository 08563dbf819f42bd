"""What a candidate policy would have been worth, from sessions that were shown in random order.

A policy orders the impressions of a session by its scores. Its value is the expected outcome of what it puts into the
first k positions, added up, per session:

    V = mean over sessions of Σ_i 1[r_i ≤ k] · E[Y_i(r_i)]

r_i is the position that the policy gives to item i, and Y_i(r) is the outcome, such as a click or the utility, of item
i at position r. The outcome depends on the item and its position only, not on the other items (item-position model).
The log has Y_i at one position l_i, which was drawn with chance p_i. An impression matches if l_i = r_i ≤ k. The
estimators:

- ips: mean over sessions of Σ matches Y_i / p_i. Unbiased (inverse propensity scoring; Horvitz and Thompson, 1952).
- self_normalised: Σ matches Y_i / p_i over Σ matches 1 / p_i, times the mean number of positions up to k. Consistent,
  with less variance (Swaminathan and Joachims, "The self-normalized estimator for counterfactual learning", NeurIPS
  2015).
- doubly_robust: mean over sessions of Σ_i 1[r_i ≤ k] q_i + Σ matches (Y_i - q_i) / p_i, where q_i is what a model
  predicts for the outcome. Unbiased whatever q is, as long as it was not fitted on these outcomes; its variance is
  small if q is good (Dudík et al., "Doubly robust policy evaluation and learning", ICML 2011).
- matched: the mean of Y_i over the matches, the replay metric of LiRank (Borisyuk et al., "LiRank: Industrial large
  scale ranking models at LinkedIn", KDD 2024). It is the value of one impression, not of a session's first k, and a
  session counts by its number of expected matches, so that short sessions count more.

Intervals are those of normal approximations, with viewers as the independent units.
"""

from dataclasses import dataclass

import numpy as np

from ranker.evaluation.buckets import Floats, Ints
from ranker.evaluation.intervals import UNDEFINED, Estimate, student_quantile
from ranker.evaluation.random_sessions import RandomSessions

MIN_EFFECTIVE_SESSIONS = 50.0
"""Fewer effective sessions give no estimate: the interval would be too narrow for skewed outcomes."""

_TIE_SEED = 0


@dataclass(frozen=True)
class ReplayEstimate:
    """One estimate of a policy's value.

    Attributes:
        estimate: value and interval; undefined if there are too few sessions.
        effective_sessions: number of sessions with matches, all of the same weight, that would be as informative:
            (Σ w)² / Σ w², where w is the weight of a session's matches.
        needed: the effective sessions below which there is no estimate.
    """

    estimate: Estimate
    effective_sessions: float
    needed: float

    @property
    def too_few(self) -> bool:
        """Whether there is no estimate because of too few matches."""
        return self.effective_sessions < self.needed

    def __str__(self) -> str:
        if self.too_few:
            return f"too few matches: {self.effective_sessions:.0f} effective sessions, needed are {self.needed:.0f}"
        value = self.estimate
        return f"{value.value:.4g} ({value.lower:.4g} to {value.upper:.4g})"


@dataclass(frozen=True)
class Replay:
    """The value of a policy by each estimator; see the module.

    Attributes:
        ips, self_normalised: the value of a session's first k positions.
        doubly_robust: the same; None without predictions.
        matched: the value of one matched impression.
        sessions: random sessions.
        matches: impressions that the policy puts where the log has them, up to position k.
    """

    ips: ReplayEstimate
    self_normalised: ReplayEstimate
    doubly_robust: ReplayEstimate | None
    matched: ReplayEstimate
    sessions: int
    matches: int


def replay(
    sessions: RandomSessions,
    scores: Floats,
    outcomes: Floats,
    k: int,
    predicted: Floats | None = None,
    confidence: float = 0.95,
    min_effective_sessions: float = MIN_EFFECTIVE_SESSIONS,
) -> Replay:
    """Estimates the value of the policy that orders each session by falling score.

    Equal scores are ordered at random, independently of the order in the log.

    Args:
        sessions: the random impressions of the log.
        scores: the policy's score of each, [n].
        outcomes: what was observed: 0 or 1 of an objective, or the utility, [n].
        k: the positions at the top that count.
        predicted: a model's expectation of each outcome, [n].
        confidence: level of the intervals.
        min_effective_sessions: an estimator with fewer has no estimate.

    Raises:
        ValueError: an array has another length, or holds a value that is not finite.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> session = np.repeat(np.arange(2000), 2)  # two items, of which one is clicked at position 1
        >>> position = np.tile([1, 2], 2000)
        >>> good = rng.permuted(np.tile([1.0, 0.0], (2000, 1)), axis=1).ravel()
        >>> clicks = good * (position == 1)
        >>> explored = random_sessions(session, session, position, np.ones(4000), np.full(4000, 0.5))
        >>> str(replay(explored, scores=good, outcomes=clicks, k=1).self_normalised)[:1]
        '1'
    """
    if k < 1:
        raise ValueError(f"k: needs at least 1, got {k}")
    arrays = {"scores": scores, "outcomes": outcomes} | ({} if predicted is None else {"predicted": predicted})
    for name, values in arrays.items():
        if values.shape != (len(sessions),):
            raise ValueError(f"{name}: expected one per random impression, [{len(sessions)}], got {list(values.shape)}")
        if not np.isfinite(values).all():
            raise ValueError(f"{name}: {values[~np.isfinite(values)][0]} is not finite")

    positions = policy_positions(sessions.session, scores)
    top = positions <= k
    match = top & (positions == sessions.position)
    weight = np.where(match, 1.0 / sessions.propensity, 0.0)

    def per_session(values: Floats) -> Floats:
        return np.bincount(sessions.session, values, minlength=len(sessions.viewer)).astype(np.float64)

    weights, matches = per_session(weight), per_session(match.astype(np.float64))
    weighted, matched = per_session(weight * outcomes), per_session(match * outcomes)
    slots = np.minimum(sessions.sizes, k).astype(np.float64)
    judged = _Judged(sessions.viewer, _typical(outcomes), confidence, min_effective_sessions)
    by_weight = _effective(weights), _mean_weight(weight)
    doubly_robust = None
    if predicted is not None:
        model = per_session(top * predicted) + per_session(weight * (outcomes - predicted))
        doubly_robust = judged.mean(model, *by_weight)
    return Replay(
        ips=judged.mean(weighted, *by_weight),
        self_normalised=judged.ratio(weighted, weights, slots, *by_weight),
        doubly_robust=doubly_robust,
        matched=judged.ratio(matched, matches, np.ones_like(slots), _effective(matches), 1.0),
        sessions=len(sessions.viewer),
        matches=int(match.sum()),
    )


def policy_positions(session: Ints, scores: Floats) -> Ints:
    """The position that each impression has when sessions are ordered by falling score, from 1, [n].

    Equal scores are ordered at random with a fixed seed: the order of the log would favour what it has on top.
    """
    tie = np.random.default_rng(_TIE_SEED).random(len(scores))
    order = np.lexsort((tie, -scores, session))
    first = np.searchsorted(session[order], session[order])
    positions = np.empty(len(scores), np.int64)
    positions[order] = np.arange(len(scores)) - first + 1
    return positions


@dataclass(frozen=True)
class _Judged:
    """Intervals of estimates that are functions of sums over sessions, by the delta method.

    Attributes:
        viewer: number of each session's viewer, [sessions].
        typical: a typical outcome. Every variance is that of one such outcome more: sums without outcomes would have
            none.
        confidence: level of the intervals.
        needed: effective sessions needed.
    """

    viewer: Ints
    typical: float
    confidence: float
    needed: float

    def mean(self, values: Floats, effective: float, weight: float) -> ReplayEstimate:
        """The mean of a value over sessions, [sessions]; `weight` is that of a typical outcome in the sum."""
        if effective < self.needed:
            return ReplayEstimate(UNDEFINED, effective, self.needed)
        mean = float(values.mean())
        return self._estimate(mean, values - mean, effective, weight)

    def ratio(self, over: Floats, under: Floats, factor: Floats, effective: float, weight: float) -> ReplayEstimate:
        """The mean of `factor` times the sum of `over` divided by the sum of `under`, all [sessions]."""
        if effective < self.needed:
            return ReplayEstimate(UNDEFINED, effective, self.needed)
        ratio, mean = float(over.sum() / under.sum()), float(factor.mean())
        influence = ratio * (factor - mean) + mean * (over - ratio * under) / under.mean()
        return self._estimate(mean * ratio, influence, effective, weight * mean / float(under.mean()))

    def _estimate(self, value: float, influence: Floats, effective: float, weight: float) -> ReplayEstimate:
        by_viewer = np.bincount(self.viewer, influence)
        viewers, sessions = len(by_viewer), len(influence)
        if viewers < 2:
            return ReplayEstimate(Estimate(value, float("-inf"), float("inf")), effective, self.needed)
        variance = viewers / (viewers - 1) * float((by_viewer**2).sum()) + (weight * self.typical) ** 2
        groups = int(min(viewers, effective))
        half = student_quantile(self.confidence, groups) * variance**0.5 / sessions
        return ReplayEstimate(Estimate(value, value - half, value + half), effective, self.needed)


def _effective(weights: Floats) -> float:
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def _mean_weight(weight: Floats) -> float:
    """The mean weight of a match, by weight."""
    total = float(weight.sum())
    return float((weight**2).sum()) / total if total else 0.0


def _typical(outcomes: Floats) -> float:
    """The root mean square of the outcomes that are not 0; 0 if all are."""
    happened = outcomes[outcomes != 0]
    return float(np.sqrt(np.mean(happened**2))) if len(happened) else 0.0
