"""Metrics against scikit-learn, and a bootstrap that knows what it does not know."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from benchmarks.quality.statistics import bootstrap_weights, interval, judge
from ranker.keys import VIEWER_BUCKETS


def drawn(rows: int = 6000, seed: int = 0) -> tuple[Any, Any, Any]:
    """Labels, buckets, and the probabilities that the labels were drawn with, many of them equal."""
    rng = np.random.default_rng(seed)
    p = np.round(rng.beta(1, 6, rows), 2).astype(np.float32) + np.float32(0.005)
    return (rng.random(rows) < p).astype(np.float32), rng.integers(0, VIEWER_BUCKETS, rows), p


def test_metrics_are_those_of_scikit_learn() -> None:
    labels, buckets, p = drawn()
    judged = judge(labels, buckets, np.stack([p, p**2]), bootstrap_weights(draws=20))
    rate = labels.mean()
    entropy = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
    assert judged.auc == pytest.approx(roc_auc_score(labels, p))
    assert judged.auc_seeds_sd == pytest.approx(0, abs=1e-12)
    expected = (log_loss(labels, p.astype(float)) + log_loss(labels, p.astype(float) ** 2)) / 2 / entropy
    assert judged.normalized_entropy == pytest.approx(expected, rel=1e-5)
    assert judged.o_over_e == pytest.approx((labels.sum() / p.sum() + labels.sum() / (p**2).sum()) / 2, rel=1e-5)


def test_true_probabilities_are_calibrated_and_halved_ones_are_not() -> None:
    labels, buckets, p = drawn(60_000)
    weights = bootstrap_weights(draws=2)
    assert judge(labels, buckets, p[None], weights).calibration_error < 0.01
    assert judge(labels, buckets, p[None] / 2, weights).calibration_error == pytest.approx(p.mean() / 2, abs=0.01)


def test_a_better_model_is_told_from_an_equal_one() -> None:
    labels, buckets, p = drawn()
    rng = np.random.default_rng(3)
    weights = bootstrap_weights()
    noisy = p * rng.lognormal(0, 1, len(p)).astype(np.float32) / 4
    true, worse, same = (judge(labels, buckets, q[None], weights) for q in (p, noisy, p / 3))
    low, high = interval(true.auc_draws - worse.auc_draws)
    assert low > 0
    assert low < true.auc - worse.auc < high
    assert interval(true.auc_draws - same.auc_draws) == pytest.approx((0, 0), abs=1e-9)
    assert interval(true.entropy_draws - worse.entropy_draws)[1] < 0


def test_viewers_are_drawn_whole() -> None:
    """A feed whose rows are each there ten times under one viewer is no surer than the feed itself."""
    labels, buckets, p = drawn(1500)
    weights = bootstrap_weights()
    once = judge(labels, buckets, p[None], weights)
    tenfold = judge(np.repeat(labels, 10), np.repeat(buckets, 10), np.repeat(p, 10)[None], weights)
    np.testing.assert_allclose(tenfold.auc_draws, once.auc_draws)
