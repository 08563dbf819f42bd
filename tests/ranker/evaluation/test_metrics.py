"""Metrics from histograms equal the textbook's on small cases."""

import math

import numpy as np
import pytest

from ranker.evaluation.buckets import FINE_BUCKETS, fine_bucket
from ranker.evaluation.metrics import auc, normalized_entropy, reliability


def test_auc_counts_ties_as_half() -> None:
    # One positive above, one tied with, and one below the only negative.
    assert auc(np.array([[0.0, 1.0, 0.0], [1.0, 1.0, 1.0]])) == pytest.approx(0.5)
    assert auc(np.array([[2.0, 0.0], [0.0, 3.0]])) == 1.0


def test_auc_of_one_class_is_undefined_and_does_not_affect_other_rows() -> None:
    both = np.array([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [0.0, 0.0]]])
    values = auc(both)
    assert values[0] == 1.0
    assert math.isnan(values[1])


def test_predicting_the_base_rate_has_a_normalized_entropy_of_one() -> None:
    rate = 0.2
    loss = -(20 * math.log(rate) + 80 * math.log(1 - rate))
    assert normalized_entropy(loss, 20, 100) == pytest.approx(1.0)
    assert math.isnan(normalized_entropy(1.0, 0, 100))
    assert math.isnan(normalized_entropy(1.0, 100, 100))


def _histogram(probabilities: np.ndarray, outcomes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    counts, predicted = np.zeros((2, FINE_BUCKETS)), np.zeros(FINE_BUCKETS)
    np.add.at(counts, (outcomes.astype(int), fine_bucket(probabilities)), 1.0)
    np.add.at(predicted, fine_bucket(probabilities), probabilities)
    return counts, predicted


def test_reliability_bins_have_the_same_number_of_impressions_and_lose_none() -> None:
    random = np.random.default_rng(1)
    probabilities = random.beta(1, 30, size=20_000)
    outcomes = random.random(20_000) < probabilities
    curve = reliability(*_histogram(probabilities, outcomes), bins=10)
    assert sum(curve.impressions) == 20_000
    assert sum(curve.positives) == outcomes.sum()
    assert sum(curve.predicted) == pytest.approx(probabilities.sum())
    assert np.all(np.abs(np.array(curve.impressions) - 2000) < 100)
    means = np.divide(curve.predicted, curve.impressions)
    assert np.all((curve.edges[:-1] <= means) & (means <= curve.edges[1:]))
    assert curve.expected_calibration_error < 0.004


def test_calibration_error_is_the_mean_gap() -> None:
    probabilities = np.repeat([0.25, 0.75], 100)
    outcomes = np.concatenate([np.arange(100) < 35, np.arange(100) < 70])
    curve = reliability(*_histogram(probabilities, outcomes), bins=2)
    assert curve.expected_calibration_error == pytest.approx((0.10 + 0.05) / 2)


def test_no_impressions_have_no_calibration_error() -> None:
    curve = reliability(np.zeros((2, FINE_BUCKETS)), np.zeros(FINE_BUCKETS))
    assert math.isnan(curve.expected_calibration_error)
