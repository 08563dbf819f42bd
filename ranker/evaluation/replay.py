"""What another order would have been worth, from sessions that were shown in random order.

A policy orders the impressions of a session by its scores. Its value is the expected outcome of what it puts into the
first k positions, added up, per session:

    V = mean over sessions of Σ_i 1[r_i ≤ k] · E[Y_i(r_i)]

r_i is the position that the policy gives to item i, and Y_i(r) is the outcome, such as a click or the utility, of item
i at position r. The outcome depends on the item and its position only, not on the other items (item-position model).
The log has Y_i at one position l_i, which was drawn with chance p_i. An impression matches if l_i = r_i ≤ k. The
estimators:

- ips: mean over sessions of Σ matches Y_i / p_i. Unbiased.
- self_normalised: Σ matches Y_i / p_i over Σ matches 1 / p_i, times the mean number of positions up to k. Consistent,
  with less variance.
- doubly_robust: mean over sessions of Σ_i 1[r_i ≤ k] q_i + Σ matches (Y_i - q_i) / p_i, where q_i is what a model
  predicts for the outcome. Unbiased whatever q is, as long as it was not fitted on these outcomes; its variance is
  small if q is good.
- matched: the mean of Y_i over the matches, the replay metric of LiRank (Borisyuk et al., "LiRank: Industrial large
  scale ranking models at LinkedIn", KDD 2024). It is the value of one impression, not of a session's first k, and a
  session counts by its number of expected matches, so that short sessions count more.
"""

from dataclasses import dataclass, replace

import numpy as np

from ranker.evaluation.buckets import Floats, Ints
from ranker.evaluation.off_policy import (
    MIN_EFFECTIVE_SESSIONS,
    PolicyValue,
    WeightedLog,
    doubly_robust,
    inverse_propensity,
    self_normalised,
)
from ranker.evaluation.random_sessions import RandomSessions

_TIE_SEED = 0


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

    ips: PolicyValue
    self_normalised: PolicyValue
    doubly_robust: PolicyValue | None
    matched: PolicyValue
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
        >>> from ranker.evaluation.random_sessions import random_sessions
        >>> rng = np.random.default_rng(0)
        >>> session = np.repeat(np.arange(2000), 2)  # two items, of which one is clicked if it stands first
        >>> position = np.tile([1, 2], 2000)
        >>> good = rng.permuted(np.tile([1.0, 0.0], (2000, 1)), axis=1).ravel()
        >>> sessions = random_sessions(session, session, position, np.ones(4000), np.full(4000, 0.5))
        >>> found = replay(sessions, scores=good, outcomes=good * (position == 1), k=1)
        >>> found.self_normalised.estimate.value
        1.0
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
    log = WeightedLog(
        session=sessions.session,
        viewer=sessions.viewer,
        weight=match / sessions.propensity,
        outcomes=outcomes,
        confidence=confidence,
        needed=min_effective_sessions,
    )
    slots = np.minimum(sessions.sizes, k).astype(np.float64)
    matches = replace(log, weight=match.astype(np.float64))
    return Replay(
        ips=inverse_propensity(log),
        self_normalised=self_normalised(log, slots),
        doubly_robust=None if predicted is None else doubly_robust(log, predicted, log.per_session(top * predicted)),
        matched=self_normalised(matches, np.ones_like(slots)),
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
