"""Metrics compared with scikit-learn's, and a bootstrap over viewers."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from ranker.keys import VIEWER_BUCKETS
from research.quality.statistics import bootstrap_weights, judge


def drawn(rows: int = 6000, seed: int = 0) -> tuple[Any, Any, Any]:
    """Labels, buckets, and the true probabilities of the labels, with many ties."""
    rng = np.random.default_rng(seed)
    p = np.round(rng.beta(1, 6, rows), 2).astype(np.float32) + np.float32(0.005)
    return (rng.random(rows) < p).astype(np.float32), rng.integers(0, VIEWER_BUCKETS, rows), p


def test_metrics_are_those_of_scikit_learn() -> None:
    labels, buckets, p = drawn()
    judged = judge(labels, buckets, np.stack([p, p**2]), bootstrap_weights(draws=20))
    rate = labels.mean()
    entropy = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
    assert judged.auc.value == pytest.approx(roc_auc_score(labels, p))
    assert judged.auc.deviation == pytest.approx(0, abs=1e-12)
    expected = (log_loss(labels, p.astype(float)) + log_loss(labels, p.astype(float) ** 2)) / 2 / entropy
    assert judged.normalized_entropy.value == pytest.approx(expected, rel=1e-5)
    assert judged.o_over_e.value == pytest.approx((labels.sum() / p.sum() + labels.sum() / (p**2).sum()) / 2, rel=1e-5)


def test_true_probabilities_are_calibrated_and_halved_ones_are_not() -> None:
    labels, buckets, p = drawn(60_000)
    weights = bootstrap_weights(draws=2)
    assert judge(labels, buckets, p[None], weights).calibration_error.value < 0.01
    halved = judge(labels, buckets, p[None] / 2, weights).calibration_error
    assert halved.value == pytest.approx(p.mean() / 2, abs=0.01)


def test_a_better_model_is_significantly_better_and_an_equal_one_is_not() -> None:
    labels, buckets, p = drawn()
    rng = np.random.default_rng(3)
    weights = bootstrap_weights()
    noisy = p * rng.lognormal(0, 1, len(p)).astype(np.float32) / 4
    true, worse, same = (judge(labels, buckets, q[None], weights) for q in (p, noisy, p / 3))
    better = true.auc - worse.auc
    low, high = better.interval
    assert low > 0
    assert low < better.value < high
    assert (true.auc - same.auc).interval == pytest.approx((0, 0), abs=1e-9)
    assert (true.normalized_entropy - worse.normalized_entropy).interval[1] < 0


def test_all_impressions_of_a_viewer_are_drawn_together() -> None:
    """A feed with each row repeated ten times for the same viewer has the same intervals as the feed itself."""
    labels, buckets, p = drawn(1500)
    weights = bootstrap_weights()
    once = judge(labels, buckets, p[None], weights)
    tenfold = judge(np.repeat(labels, 10), np.repeat(buckets, 10), np.repeat(p, 10)[None], weights)
    np.testing.assert_allclose(tenfold.auc.draws, once.auc.draws)
    np.testing.assert_allclose(tenfold.calibration_error.draws, once.calibration_error.draws, atol=0.003)


def test_every_metric_lies_in_its_interval_and_the_interval_is_as_wide_as_chance_has_it() -> None:
    labels, buckets, p = drawn()
    judged = judge(labels, buckets, p[None], bootstrap_weights())
    for estimate in (judged.auc, judged.normalized_entropy, judged.o_over_e, judged.calibration_error):
        low, high = estimate.interval
        assert low < estimate.value < high
    # Impressions of different viewers are independent, and no viewer has many here.
    assert judged.o_over_e.draws.std() == pytest.approx(np.sqrt(((labels - p) ** 2).sum()) / p.sum(), rel=0.15)


def test_an_interval_covers_what_differs_from_seed_to_seed() -> None:
    labels, buckets, p = drawn()
    rng = np.random.default_rng(5)
    same = np.stack([p] * 4)
    other = np.stack([p * rng.lognormal(0, 0.02) for _ in range(4)]).astype(np.float32)
    weights = bootstrap_weights()
    narrow, wide = (judge(labels, buckets, predictions, weights) for predictions in (same, other * 1.2))
    assert narrow.auc.deviation == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(narrow.auc.draws, wide.auc.draws)
    shifted = judge(labels, buckets, (np.array([0.5, 1, 1, 2], np.float32)[:, None] * p), weights)
    widths = [high - low for low, high in (shifted.o_over_e.interval, narrow.o_over_e.interval)]
    assert widths[0] > 3 * widths[1]
