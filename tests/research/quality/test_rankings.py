"""Session metrics compared with scikit-learn's, session by session, and their bootstrap with one over rows."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import ndcg_score, roc_auc_score

from ranker.evaluation.session_rows import NO_SESSION, Hashes
from ranker.evaluation.session_sums import UtilityWeights
from ranker.keys import VIEWER_BUCKETS
from research.quality.rankings import JudgedRanking, judge_ranking
from research.quality.statistics import bootstrap_weights

UTILITY = UtilityWeights({"click": 0.5, "like": 2.0, "hide": -3.0}, k=4)
WEIGHTS = np.array(list(UTILITY.weights.values()))


@dataclass(frozen=True)
class Log:
    """sessions and buckets [rows], labels [rows, objectives], predictions [seeds, rows, objectives]."""

    sessions: Hashes
    buckets: NDArray[np.int64]
    labels: NDArray[np.float32]
    predictions: NDArray[np.float32]

    def judged(self, weights: NDArray[np.float64]) -> JudgedRanking:
        return judge_ranking(self.sessions, self.buckets, self.labels, self.predictions, UTILITY, weights)

    def rows(self, chosen: NDArray[np.int64]) -> "Log":
        return Log(self.sessions[chosen], self.buckets[chosen], self.labels[chosen], self.predictions[:, chosen])


@pytest.fixture(scope="module")
def log() -> Log:
    """Shuffled rows of sessions of 1 to 14 impressions, several per viewer, and predictions of two seeds with ties.

    Predictions are multiples of 1/16, so that equal utilities are equal to the last bit.
    """
    random = np.random.default_rng(4)
    session = np.repeat(np.arange(1, 301), random.integers(1, 15, 300))
    buckets = random.integers(0, VIEWER_BUCKETS, 120)[random.integers(0, 120, 301)]
    buckets[1], buckets[2] = 0, VIEWER_BUCKETS - 1
    p = np.ceil(random.beta(1, 2, (len(session), 3)) * 14) / 16
    labels = (random.random(p.shape) < p).astype(np.float32)
    predictions = np.stack([p, np.round(p * random.lognormal(0, 0.5, p.shape) * 16) / 16]).astype(np.float32)
    ids = random.integers(1, 2**63, 301).astype(np.uint64)
    shuffled = random.permutation(len(session))
    return Log(ids[session], buckets[session], labels, predictions).rows(shuffled)


@dataclass
class Sums:
    """Numerators and denominators of one seed's metrics, per session."""

    won: NDArray[np.float64]  # [sessions, objectives]
    pairs: NDArray[np.float64]
    ndcg: NDArray[np.float64]  # [sessions]
    ranked: NDArray[np.float64]
    top: NDArray[np.float64]


def brute_force(log: Log, seed: int) -> tuple[Sums, NDArray[np.int64]]:
    """By scikit-learn, and the bucket of each session."""
    own = [np.flatnonzero(log.sessions == one) for one in np.unique(log.sessions)]
    sums = Sums(*(np.zeros((len(own), 3)) for _ in range(2)), *(np.zeros(len(own)) for _ in range(3)))
    for place, rows in enumerate(own):
        labels, p = log.labels[rows].astype(float), log.predictions[seed, rows].astype(float)
        for objective in range(3):
            positives = labels[:, objective].sum()
            sums.pairs[place, objective] = positives * (len(rows) - positives)
            if sums.pairs[place, objective]:
                auc = roc_auc_score(labels[:, objective], p[:, objective])
                sums.won[place, objective] = auc * sums.pairs[place, objective]
        observed, predicted = labels @ WEIGHTS, p @ WEIGHTS
        if len(rows) > 1 and observed.max() > 0:
            sums.ndcg[place] = ndcg_score([observed.clip(min=0)], [predicted], k=UTILITY.k)
            sums.ranked[place] = 1
        left = UTILITY.k
        for level in np.unique(predicted)[::-1]:
            tied = observed[predicted == level]
            sums.top[place] += tied.mean() * min(left, len(tied))
            left -= min(left, len(tied))
    return sums, np.array([log.buckets[rows[0]] for rows in own])


@pytest.mark.slow
def test_metrics_are_those_of_scikit_learn_over_all_sessions(log: Log) -> None:
    found = log.judged(bootstrap_weights(draws=2))
    for seed in (0, 1):
        exact, _ = brute_force(log, seed)
        gauc = exact.won.sum(axis=0) / exact.pairs.sum(axis=0)
        assert [one.seeds[seed] for one in found.gauc] == pytest.approx(gauc.tolist(), abs=1e-12)
        assert found.utility_ndcg.seeds[seed] == pytest.approx(exact.ndcg.sum() / exact.ranked.sum(), abs=1e-12)
        assert found.top_utility.seeds[seed] == pytest.approx(exact.top.mean(), abs=1e-12)
    assert found.pairs == tuple(exact.pairs.sum(axis=0).astype(int))
    assert (found.sessions, found.ndcg_sessions) == (300, exact.ranked.sum())
    _, sizes = np.unique(log.sessions, return_counts=True)
    assert found.longer_sessions == (sizes > UTILITY.k).sum()
    assert found.gauc[1].value == pytest.approx(found.gauc[1].seeds.mean())


@pytest.mark.slow
def test_a_draw_counts_each_session_as_often_as_its_viewer_was_drawn(log: Log) -> None:
    weights = bootstrap_weights(draws=5)
    found = log.judged(weights)
    by_seed = []
    for seed in (0, 1):
        exact, buckets = brute_force(log, seed)
        times = weights[:, buckets]
        by_seed.append(
            [
                *((times @ exact.won) / (times @ exact.pairs)).T,
                (times @ exact.ndcg) / (times @ exact.ranked),
                (times @ exact.top) / times.sum(axis=1),
            ]
        )
    expected = np.mean(by_seed, axis=0)
    draws = [one.draws for one in (*found.gauc, found.utility_ndcg, found.top_utility)]
    np.testing.assert_allclose(draws, expected, atol=1e-12)


def test_the_order_of_the_rows_does_not_matter(log: Log) -> None:
    weights = bootstrap_weights(draws=3)
    once = log.judged(weights)
    again = log.rows(np.random.default_rng(0).permutation(len(log.labels))).judged(weights)
    assert once.utility_ndcg.seeds.tolist() == again.utility_ndcg.seeds.tolist()
    for one, other in zip(once.gauc, again.gauc, strict=True):
        np.testing.assert_array_equal(one.draws, other.draws)


def test_a_better_model_is_significantly_better_and_the_same_order_is_not(log: Log) -> None:
    weights = bootstrap_weights()
    p = log.predictions[:1]
    noise = np.random.default_rng(1).random(p.shape).astype(np.float32)
    true, random, halved = (
        Log(log.sessions, log.buckets, log.labels, q).judged(weights) for q in (p, noise, p * np.float32(0.5))
    )
    for metric in ("utility_ndcg", "top_utility"):
        difference = getattr(true, metric) - getattr(random, metric)
        assert 0 < difference.interval[0] < difference.value < difference.interval[1]
        assert (getattr(true, metric) - getattr(halved, metric)).interval == (0.0, 0.0)
    assert (true.gauc[0] - random.gauc[0]).interval[0] > 0
    assert (true.gauc[0] - halved.gauc[0]).interval == (0.0, 0.0)


def test_rows_without_a_session_do_not_count_and_a_session_of_two_viewers_is_not_split(log: Log) -> None:
    weights = bootstrap_weights(draws=2)
    lost = np.isin(log.sessions, np.unique(log.sessions)[:100])
    without = Log(np.where(lost, np.uint64(NO_SESSION), log.sessions), log.buckets, log.labels, log.predictions)
    left = log.rows(np.flatnonzero(~lost)).judged(weights)
    assert without.judged(weights).sessions == left.sessions == 200
    np.testing.assert_array_equal(without.judged(weights).gauc[0].draws, left.gauc[0].draws)
    mixed = np.where(np.arange(len(log.buckets)) % 2, log.buckets, (log.buckets + 500) % VIEWER_BUCKETS)
    split = Log(log.sessions, mixed, log.labels, log.predictions).judged(weights)
    assert split.pairs == log.judged(weights).pairs
    assert split.top_utility.value == log.judged(weights).top_utility.value


def test_metrics_of_sessions_that_do_not_count_have_no_value() -> None:
    """Each impression is its own session."""
    rows = 30
    alone = Log(
        np.arange(1, rows + 1).astype(np.uint64),
        np.arange(rows),
        np.ones((rows, 3), np.float32),
        np.full((1, rows, 3), 0.5, np.float32),
    ).judged(bootstrap_weights(draws=2))
    assert np.isnan([*(one.value for one in alone.gauc), alone.utility_ndcg.value]).all()
    assert (alone.pairs, alone.sessions, alone.ndcg_sessions, alone.longer_sessions) == ((0, 0, 0), rows, 0, 0)
    assert alone.top_utility.value == -0.5
