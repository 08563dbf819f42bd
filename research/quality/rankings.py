"""How well predictions rank the impressions of each session, over several seeds and bootstrap draws.

The metrics are the Evaluator's. They are ratios of sums over sessions. A session has one viewer, so the sums by viewer
bucket are enough for every draw of the bootstrap, which `research.quality.statistics` describes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranker.evaluation.buckets import VIEWER_GROUPS
from ranker.evaluation.session_rows import Hashes, SessionRows
from ranker.evaluation.session_sums import SessionSums, UtilityWeights, session_sums
from ranker.keys import VIEWER_BUCKETS
from research.intervals import SeedEstimate

# The sums are by slice and viewer group. A bucket is one of both; slice 0 is all impressions.
_SLICES = -(-VIEWER_BUCKETS // VIEWER_GROUPS)
_Sums = Callable[[SessionSums], NDArray[np.float64]]


@dataclass(frozen=True)
class JudgedRanking:
    """Session metrics of one model over several seeds; NaN where no session counts.

    Attributes:
        gauc: AUC within sessions, weighted by pairs, per objective: of all pairs of a positive and a negative of the
            same session, the share with the positive scored higher; a tied pair counts as half.
        utility_ndcg: NDCG at k with impressions ranked by their predicted utility, and their observed utility, or 0 if
            it is negative, as gain; the mean over sessions of two impressions or more, one of them with a utility above
            0.
        top_utility: observed utility of the k impressions ranked first, the mean over all sessions.
        pairs: that GAUC counts, per objective.
        sessions: all sessions.
        ndcg_sessions: that NDCG counts.
        longer_sessions: those of more than k impressions; the utility of the top k of the others is that of any order.
    """

    gauc: tuple[SeedEstimate, ...]
    utility_ndcg: SeedEstimate
    top_utility: SeedEstimate
    pairs: tuple[int, ...]
    sessions: int
    ndcg_sessions: int
    longer_sessions: int


def judge_ranking(
    sessions: Hashes,
    buckets: NDArray[np.int64],
    labels: NDArray[np.float32],
    predictions: NDArray[np.float32],
    utility: UtilityWeights,
    weights: NDArray[np.float64],
) -> JudgedRanking:
    """Session metrics of a model's predictions.

    Args:
        sessions: from `sessions_of`, [rows]; a row without a session does not count.
        buckets: viewer buckets, [rows].
        labels: [rows, objectives].
        predictions: [seeds, rows, objectives].
        utility: the weights of the objectives and k.
        weights: from `bootstrap_weights`, [draws, VIEWER_BUCKETS].
    """
    seeds = [str(seed) for seed in range(len(predictions))]
    bucket = _bucket_of_session(sessions, buckets)
    rows = SessionRows(len(seeds), labels.shape[1], specs=1, max_rows=len(labels))
    rows.add(
        sessions,
        bucket % VIEWER_GROUPS,
        labels.T > 0,
        np.moveaxis(predictions, 2, 1).astype(np.float64),
        1 + bucket[None] // VIEWER_GROUPS,
    )
    sums = session_sums(rows, seeds, utility, specs=(0,), numbers=_SLICES + 1)

    def by_bucket(of: _Sums) -> NDArray[np.float64]:
        """[seeds, VIEWER_BUCKETS]."""
        return np.stack([_by_bucket(sums, seed, of) for seed in seeds])

    def estimate(total: _Sums, number: _Sums) -> tuple[SeedEstimate, int]:
        """The ratio, and its denominator, which is the same for every seed."""
        totals, numbers = by_bucket(total), by_bucket(number)
        values = _over(totals.sum(axis=1), numbers.sum(axis=1))
        draws = _over(totals @ weights.T, numbers @ weights.T).mean(axis=0)
        return SeedEstimate(values, draws), int(numbers[0].sum())

    def gauc(objective: str) -> tuple[SeedEstimate, int]:
        return estimate(lambda s: s.pairs[objective].won, lambda s: s.pairs[objective].pairs)

    by_objective = [gauc(objective) for objective in utility.weights]
    ndcg, ndcg_sessions = estimate(lambda s: s.utility_ndcg.total, lambda s: s.utility_ndcg.sessions)
    top, all_sessions = estimate(lambda s: s.top_utility.total, lambda s: s.top_utility.sessions)
    sizes = np.unique(rows.sessions(), return_counts=True)[1]
    values, pairs = zip(*by_objective, strict=True)
    return JudgedRanking(values, ndcg, top, pairs, all_sessions, ndcg_sessions, int((sizes > utility.k).sum()))


def _bucket_of_session(sessions: Hashes, buckets: NDArray[np.int64]) -> NDArray[np.int64]:
    """The lowest bucket of each row's session, [rows], so that no session is split."""
    _, session = np.unique(sessions, return_inverse=True)
    lowest = np.full(session.max(initial=-1) + 1, VIEWER_BUCKETS)
    np.minimum.at(lowest, session, buckets)
    return lowest[session].astype(np.int64)


def _by_bucket(sums: Mapping[int, Mapping[str, SessionSums]], seed: str, of: _Sums) -> NDArray[np.float64]:
    """One seed's sums, [VIEWER_BUCKETS]."""
    empty = np.zeros(VIEWER_GROUPS)
    slices = [of(sums[number][seed]) if number in sums else empty for number in range(1, _SLICES + 1)]
    return np.concatenate(slices)[:VIEWER_BUCKETS]


def _over(totals: NDArray[np.float64], numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """The ratio; NaN where the denominator is 0."""
    return np.divide(totals, numbers, out=np.full(totals.shape, np.nan), where=numbers > 0)
