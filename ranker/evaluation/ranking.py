"""How well scores rank the impressions of many sessions: pairs in the right order, and discounted gains.

Nothing here loops over sessions: impressions are sorted by session and score once, and all sums are over runs of
neighbours. Equal scores are ties, and every metric is its average over all orders of the tied impressions.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ranker.evaluation.buckets import Floats, Ints

_KEY_BITS = 63


@dataclass(frozen=True)
class Ranked:
    """Impressions sorted by session and, within a session, by descending score.

    Attributes:
        starts: the first impression of each session, [sessions].
        ties: the first impression of each run of equal scores within a session, [ties].
        first_tie: the index in `ties` of each session's first run, [sessions].
        gains: the gain of each impression, [impressions].
    """

    starts: Ints
    ties: Ints
    first_tie: Ints
    gains: Floats

    @property
    def sizes(self) -> Ints:
        """Impressions of each session, [sessions]."""
        return np.diff(self.starts, append=len(self.gains))

    @property
    def tie_sizes(self) -> Ints:
        """Impressions of each run of equal scores, [ties]."""
        return np.diff(self.ties, append=len(self.gains))


def dense_ranks(values: npt.NDArray[np.floating]) -> tuple[Ints, npt.NDArray[np.floating]]:
    """The index of each value among the distinct values, ascending, [n], and these."""
    distinct, ranks = np.unique(values, return_inverse=True)
    return ranks.astype(np.int64), distinct


def rank_sessions(sessions: Ints, score_ranks: Ints, gain_ranks: Ints, gains: Floats) -> Ranked:
    """Sorts impressions.

    The result does not depend on the order of the impressions, to the last bit: those with the same session, score and
    gain are interchangeable.

    Args:
        sessions: number of each impression's session, [n]; every number below the number of sessions occurs.
        score_ranks: `dense_ranks` of the scores, [n].
        gain_ranks: `dense_ranks` of the gains, [n].
        gains: the distinct gains, ascending.

    Raises:
        ValueError: there are too many impressions for 63-bit keys; up to 2**21 always fit.
    """
    worst = int(score_ranks.max(initial=0))
    score_bits, gain_bits = worst.bit_length(), (len(gains) - 1).bit_length()
    if int(sessions.max(initial=0)).bit_length() + score_bits + gain_bits > _KEY_BITS:
        raise ValueError(f"{len(sessions)} impressions are too many to be ranked together")
    # Sorting one integer that holds session, score and gain is several times as fast as sorting indices.
    keys = (((sessions << score_bits) | (worst - score_ranks)) << gain_bits) | gain_ranks
    keys.sort()
    ties = _run_starts(keys >> gain_bits)
    starts = _run_starts(keys >> (gain_bits + score_bits))
    return Ranked(starts, ties, np.searchsorted(ties, starts), gains[keys & ((1 << gain_bits) - 1)])


def pair_counts(ranked: Ranked) -> tuple[Floats, Ints, Ints]:
    """Per session: pairs of a positive and a negative with the positive scored higher, positives, and negatives.

    A tied pair counts as half. The first over the product of the others is the session's AUC.

    Args:
        ranked: with gains of 0 and 1, which are the outcomes.
    """
    positives = np.add.reduceat(ranked.gains, ranked.ties).astype(np.int64)
    negatives = ranked.tie_sizes - positives
    runs = np.diff(ranked.first_tie, append=len(ranked.ties))
    session_negatives = np.add.reduceat(negatives, ranked.first_tie)
    up_to_session = np.cumsum(session_negatives)
    below = np.repeat(up_to_session, runs) - np.cumsum(negatives)
    won = np.add.reduceat(positives * (below + 0.5 * negatives), ranked.first_tie)
    return won, np.add.reduceat(positives, ranked.first_tie), session_negatives


def discounted_gains(ranked: Ranked, discounts: Floats) -> Floats:
    """The sum of each session's gains times the discount of their position, [sessions].

    Tied impressions share the discounts of their positions evenly (McSherry and Najork, "Computing information
    retrieval performance measures efficiently in the presence of tied scores", 2008), as scikit-learn does.

    Args:
        ranked: the impressions.
        discounts: of the first positions; that of all others is 0.
    """
    first = ranked.ties - np.repeat(ranked.starts, np.diff(ranked.first_tie, append=len(ranked.ties)))
    sizes = ranked.tie_sizes
    summed = np.concatenate([[0.0], np.cumsum(discounts)])
    last = len(discounts)
    shares = summed[np.minimum(first + sizes, last)] - summed[np.minimum(first, last)]
    return np.add.reduceat(np.add.reduceat(ranked.gains, ranked.ties) / sizes * shares, ranked.first_tie)


def log_discounts(k: int) -> Floats:
    """The discounts of DCG at k: 1 / log2(1 + position), [k]."""
    return 1.0 / np.log2(np.arange(2, k + 2))


def _run_starts(values: Ints) -> Ints:
    return np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]])) if len(values) else np.empty(0, np.int64)
