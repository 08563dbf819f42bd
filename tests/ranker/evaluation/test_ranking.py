"""Rankings of sessions agree with scikit-learn, session by session, ties included."""

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import dcg_score, ndcg_score, roc_auc_score

from ranker.evaluation import ranking
from ranker.evaluation.buckets import Floats, Ints

SESSIONS = 300


def random_sessions(seed: int, longest: int = 60) -> tuple[Ints, npt.NDArray[np.float32], Floats]:
    """Session, score and gain of each impression, shuffled. Scores have ties, gains may be negative, and some sessions
    have gains of one value only.
    """
    random = np.random.default_rng(seed)
    sizes = random.integers(1, longest + 1, size=SESSIONS)
    session = np.repeat(np.arange(SESSIONS), sizes)
    levels = random.choice([1, 2, 5, 1000], size=SESSIONS)[session]
    scores = (random.integers(levels) / levels).astype(np.float32)
    gains = random.choice([-2.0, 0.0, 0.0, 0.25, 1.0, 3.5], size=len(session))
    gains[np.isin(session, random.choice(SESSIONS, size=60))] = 0.0
    shuffled = random.permutation(len(session))
    return session[shuffled].astype(np.int64), scores[shuffled], gains[shuffled]


def ranked(session: Ints, scores: npt.NDArray[np.float32], gains: Floats) -> ranking.Ranked:
    gain_ranks, values = ranking.dense_ranks(gains)
    score_ranks, _ = ranking.dense_ranks(scores)
    return ranking.rank_sessions(session, score_ranks, gain_ranks, values.astype(np.float64))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_pairs_in_the_right_order_are_those_of_roc_auc_score(seed: int) -> None:
    session, scores, gains = random_sessions(seed)
    outcomes = (gains > 0.0).astype(np.float64)
    won, positives, negatives = ranking.pair_counts(ranked(session, scores, outcomes))
    compared = 0
    for s in range(SESSIONS):
        own = session == s
        assert (positives[s], negatives[s]) == (outcomes[own].sum(), (1.0 - outcomes[own]).sum())
        if positives[s] * negatives[s] == 0:
            assert won[s] == 0.0
            continue
        exact = roc_auc_score(outcomes[own], scores[own])
        assert won[s] / (positives[s] * negatives[s]) == pytest.approx(exact, abs=1e-12)
        compared += 1
    assert compared > 150


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 3, 10, 200])
@pytest.mark.parametrize("seed", range(2))
def test_discounted_gains_are_those_of_dcg_score_and_ndcg_score(seed: int, k: int) -> None:
    session, scores, gains = random_sessions(seed)
    discounts = ranking.log_discounts(k)
    found = ranking.discounted_gains(ranked(session, scores, gains), discounts)
    gainful = np.maximum(gains, 0.0)
    ratio_of = ranking.discounted_gains(ranked(session, scores, gainful), discounts)
    best = ranking.discounted_gains(ranked(session, gainful.astype(np.float32), gainful), discounts)
    for s in range(SESSIONS):
        own = session == s
        if own.sum() == 1:  # scikit-learn refuses a single document
            assert found[s] == gains[own][0]
            continue
        assert found[s] == pytest.approx(dcg_score(gains[own][None], scores[own][None], k=k), abs=1e-12)
        exact = ndcg_score(gainful[own][None], scores[own][None], k=k)
        assert (ratio_of[s] / best[s] if best[s] else 0.0) == pytest.approx(exact, abs=1e-12)


def test_the_top_of_a_session_shares_its_last_places_among_ties() -> None:
    session = np.zeros(5, np.int64)
    scores = np.array([0.9, 0.5, 0.5, 0.5, 0.1], np.float32)
    gains = np.array([1.0, 3.0, 0.0, -6.0, 100.0])
    top = ranking.discounted_gains(ranked(session, scores, gains), np.ones(3))
    # The first, and two of three tied impressions, whose mean gain is -1.
    assert top.tolist() == [1.0 + 2 * -1.0]


def test_the_result_is_the_same_to_the_last_bit_in_any_order_of_the_impressions() -> None:
    session, scores, gains = random_sessions(9)
    first = ranked(session, scores, gains * 0.1)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(session))
        other = ranked(session[order], scores[order], gains[order] * 0.1)
        for one, two in zip(vars(first).values(), vars(other).values(), strict=True):
            assert np.array_equal(one, two)


def test_a_session_of_five_thousand_impressions_is_exact() -> None:
    random = np.random.default_rng(1)
    session = np.concatenate([np.zeros(5000), np.ones(3)]).astype(np.int64)
    scores = random.random(5003).astype(np.float32).round(3)
    outcomes = (random.random(5003) < 0.3).astype(np.float64)
    won, positives, negatives = ranking.pair_counts(ranked(session, scores, outcomes))
    exact = roc_auc_score(outcomes[:5000], scores[:5000])
    assert won[0] / (positives[0] * negatives[0]) == pytest.approx(exact, abs=1e-12)
    found = ranking.discounted_gains(ranked(session, scores, outcomes), ranking.log_discounts(5000))
    assert found[0] == pytest.approx(dcg_score(outcomes[None, :5000], scores[None, :5000]), rel=1e-12)


def test_two_million_sessions_scores_and_gains_can_be_told_apart_and_more_is_an_error() -> None:
    most = np.arange(1 << 21, dtype=np.int64)
    result = ranking.rank_sessions(most, most, most, most.astype(np.float64))
    assert np.array_equal(result.gains, most)
    assert len(result.starts) == len(result.ties) == len(most)
    with pytest.raises(ValueError, match="too many to be ranked together"):
        ranking.rank_sessions(most[-2:] * 2, most[-2:] * 2, most[-2:], most.astype(np.float64))
