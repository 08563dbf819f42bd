"""Metrics of how a model ranks the impressions of each session, with intervals, and the candidate compared with the
baseline.
"""

from dataclasses import dataclass

import numpy as np

from ranker.evaluation import intervals
from ranker.evaluation.buckets import Floats
from ranker.evaluation.intervals import UNDEFINED, Estimate
from ranker.evaluation.session_sums import MeanSums, PairSums, SessionSums


@dataclass(frozen=True)
class RankingMetrics:
    """How one model ranks sessions by its probability of one objective.

    Attributes:
        gauc: AUC within sessions, weighted by pairs: of all pairs of a positive and a negative of the same session, the
            share with the positive scored higher; a tied pair counts as half.
        gauc_sessions: sessions with such a pair.
        ndcg: NDCG at k, the mean over sessions of two impressions or more with a positive.
        ndcg_sessions: those sessions.
    """

    gauc: Estimate
    gauc_sessions: int
    ndcg: Estimate
    ndcg_sessions: int


NOT_RANKED = RankingMetrics(UNDEFINED, 0, UNDEFINED, 0)
"""The metrics without any session."""


@dataclass(frozen=True)
class UtilityMetrics:
    """How one model ranks sessions by its utility.

    Attributes:
        top_utility: observed utility of the k impressions that the model ranks first, the sum of the weights of their
            observed outcomes; the mean over all sessions. Negative weights count.
        sessions: all sessions.
        ndcg: NDCG at k with the observed utility of an impression, or 0 if it is negative, as gain; the mean over
            sessions of two impressions or more, one of them with a utility above 0.
        ndcg_sessions: those sessions.
    """

    top_utility: Estimate
    sessions: int
    ndcg: Estimate
    ndcg_sessions: int


NO_UTILITY = UtilityMetrics(UNDEFINED, 0, UNDEFINED, 0)
"""The metrics without any session."""


@dataclass(frozen=True)
class UtilityComparison:
    """The candidate compared with the baseline on the same sessions; positive is worse.

    Attributes:
        utility_drop: the share of the baseline's utility of the top k that the candidate loses: the baseline's minus
            the candidate's, over the baseline's absolute value.
        ndcg_drop: the baseline's NDCG of the utility minus the candidate's.
    """

    utility_drop: Estimate
    ndcg_drop: Estimate


NOT_COMPARED = UtilityComparison(UNDEFINED, UNDEFINED)
"""The comparison without any session."""


def ranking_metrics(sums: SessionSums | None, objective: str, confidence: float) -> RankingMetrics:
    """The metrics of one objective; undefined without sessions, or if the model does not predict it."""
    if sums is None or objective not in sums.pairs:
        return NOT_RANKED
    pairs, ndcg = sums.pairs[objective], sums.ndcg[objective]
    return RankingMetrics(
        gauc=intervals.gauc_interval(_gauc(pairs), _gauc_without(pairs), pairs, confidence),
        gauc_sessions=int(pairs.sessions.sum()),
        ndcg=intervals.share_interval(_mean(ndcg), _mean_without(ndcg), ndcg, confidence),
        ndcg_sessions=int(ndcg.sessions.sum()),
    )


def utility_metrics(sums: SessionSums | None, unit: float, confidence: float) -> UtilityMetrics:
    """The metrics of the utility; undefined without sessions.

    Args:
        sums: of the slice.
        unit: the largest absolute weight of an outcome.
        confidence: level of the intervals.
    """
    if sums is None:
        return NO_UTILITY
    top, ndcg = sums.top_utility, sums.utility_ndcg
    return UtilityMetrics(
        top_utility=intervals.mean_interval(_mean(top), _mean_without(top), top, unit, confidence),
        sessions=int(top.sessions.sum()),
        ndcg=intervals.share_interval(_mean(ndcg), _mean_without(ndcg), ndcg, confidence),
        ndcg_sessions=int(ndcg.sessions.sum()),
    )


def gauc_drop(candidate: SessionSums | None, baseline: SessionSums | None, objective: str, level: float) -> Estimate:
    """The baseline's GAUC minus the candidate's, leaving out the same viewers from both."""
    if candidate is None or baseline is None or objective not in candidate.pairs.keys() & baseline.pairs.keys():
        return UNDEFINED
    ours, theirs = candidate.pairs[objective], baseline.pairs[objective]
    present = ours.pairs > 0
    return intervals.difference_interval(
        _gauc(theirs) - _gauc(ours),
        _gauc_without(theirs) - _gauc_without(ours),
        present,
        int(np.count_nonzero(present)),
        level,
    )


def ndcg_drop(candidate: SessionSums | None, baseline: SessionSums | None, objective: str, level: float) -> Estimate:
    """The baseline's NDCG of an objective minus the candidate's, leaving out the same viewers from both."""
    if candidate is None or baseline is None or objective not in candidate.ndcg.keys() & baseline.ndcg.keys():
        return UNDEFINED
    return _drop(candidate.ndcg[objective], baseline.ndcg[objective], level)


def utility_comparison(candidate: SessionSums | None, baseline: SessionSums | None, level: float) -> UtilityComparison:
    """The comparison of the utility, leaving out the same viewers from both."""
    if candidate is None or baseline is None:
        return NOT_COMPARED
    return UtilityComparison(
        utility_drop=_relative_drop(candidate.top_utility, baseline.top_utility, level),
        ndcg_drop=_drop(candidate.utility_ndcg, baseline.utility_ndcg, level),
    )


def _drop(ours: MeanSums, theirs: MeanSums, level: float) -> Estimate:
    present = ours.sessions > 0
    return intervals.difference_interval(
        _mean(theirs) - _mean(ours),
        _mean_without(theirs) - _mean_without(ours),
        present,
        int(np.count_nonzero(present)),
        level,
    )


def _relative_drop(ours: MeanSums, theirs: MeanSums, level: float) -> Estimate:
    present = ours.sessions > 0
    before, lost = _mean(theirs), _mean(theirs) - _mean(ours)
    before_without = _mean_without(theirs)
    return intervals.difference_interval(
        float(_over(np.array(lost), np.array(abs(before)))),
        _over(before_without - _mean_without(ours), np.abs(before_without)),
        present,
        int(np.count_nonzero(present)),
        level,
    )


def _gauc(pairs: PairSums) -> float:
    return float(_over(pairs.won.sum(), pairs.pairs.sum()))


def _gauc_without(pairs: PairSums) -> Floats:
    """The GAUC without each group of viewers, [VIEWER_GROUPS]."""
    return _over(pairs.won.sum() - pairs.won, pairs.pairs.sum() - pairs.pairs)


def _mean(sums: MeanSums) -> float:
    return float(_over(sums.total.sum(), sums.sessions.sum()))


def _mean_without(sums: MeanSums) -> Floats:
    """The mean without each group of viewers, [VIEWER_GROUPS]."""
    return _over(sums.total.sum() - sums.total, sums.sessions.sum() - sums.sessions)


def _over(numerator: Floats, denominator: Floats) -> Floats:
    over, under = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    return np.divide(over, under, out=np.full(under.shape, np.nan), where=under > 0.0)
