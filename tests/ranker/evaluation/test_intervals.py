"""Intervals have about their nominal coverage, and are wide with few outcomes."""

import math

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import chi2
from sklearn.metrics import log_loss, roc_auc_score

from ranker.evaluation.intervals import (
    Estimate,
    auc_interval,
    calibration_worsening,
    difference_interval,
    normalized_entropy_interval,
    normalized_entropy_variance,
    o_over_e_interval,
    outcome_counts,
    student_quantile,
)
from ranker.evaluation.metrics import normalized_entropy
from ranker.evaluation.summary import CANDIDATE, summarize
from tests.ranker.evaluation.simulated import accumulate, simulate


@pytest.mark.slow
def test_intervals_cover_the_truth_where_viewers_differ() -> None:
    """Viewers' tastes make their impressions dependent; an interval that ignores this has too low a coverage."""
    big = simulate(rows=400_000, seed=0, viewer_spread=0.8, viewers=100_000)
    true_auc = roc_auc_score(big.labels[0], big.probabilities[0])
    true_ratio = big.labels[0].sum() / big.probabilities[0].sum()
    true_entropy = log_loss(big.labels[0], big.probabilities[0]) / log_loss(
        big.labels[0], np.full(big.rows, big.labels[0].mean())
    )
    runs, auc_hits, ratio_hits, entropy_hits, naive_hits = 150, 0, 0, 0, 0
    for seed in range(1, runs + 1):
        data = simulate(rows=3000, seed=seed, viewer_spread=0.8, viewers=60)
        metrics = next(iter(summarize(accumulate(data, {CANDIDATE: data.probabilities}, slices=())))).candidate["click"]
        auc_hits += metrics.auc.lower <= true_auc <= metrics.auc.upper
        ratio_hits += metrics.o_over_e.lower <= true_ratio <= metrics.o_over_e.upper
        entropy_hits += metrics.normalized_entropy.lower <= true_entropy <= metrics.normalized_entropy.upper
        naive = 1.96 * math.sqrt(metrics.positives) / (metrics.positives / metrics.o_over_e.value)
        naive_hits += abs(metrics.o_over_e.value - true_ratio) <= naive
    assert auc_hits / runs >= 0.88
    assert 0.88 <= entropy_hits / runs <= 0.995
    assert 0.88 <= ratio_hits / runs <= 0.995
    assert naive_hits / runs < 0.75


def test_o_over_e_without_observed_outcomes_has_the_poisson_upper_end() -> None:
    groups = 32
    interval = o_over_e_interval(outcome_counts(np.zeros(groups), np.full(groups, 0.5), np.full(groups, 100.0)), 0.95)
    assert interval.value == 0.0
    assert interval.lower == 0.0
    assert interval.upper == pytest.approx(0.5 * chi2.ppf(0.975, 2) / 16.0, rel=1e-6)


def test_o_over_e_without_expected_outcomes_is_beyond_every_limit_if_any_was_observed() -> None:
    nothing, impressions = np.zeros(32), np.full(32, 100.0)
    found = o_over_e_interval(outcome_counts(np.ones(32), nothing, impressions), 0.95)
    assert (found.defined, found.unbounded, found.lower) == (False, True, math.inf)
    neither = o_over_e_interval(outcome_counts(nothing, nothing, impressions), 0.95)
    assert (neither.defined, neither.unbounded) == (False, False)


def test_rare_independent_outcomes_get_the_exact_poisson_interval() -> None:
    # One outcome in each of ten groups: the jackknife's variance is minimal, so the lower bound applies.
    positives = np.concatenate([np.ones(10), np.zeros(0)])
    interval = o_over_e_interval(outcome_counts(positives, np.full(10, 1.0), np.full(10, 1e6)), 0.95)
    assert interval.lower == pytest.approx(0.5 * chi2.ppf(0.025, 20) / 10.0, rel=1e-3)
    assert interval.upper == pytest.approx(0.5 * chi2.ppf(0.975, 22) / 10.0, rel=1e-3)


def test_the_interval_of_one_group_of_viewers_is_uninformative() -> None:
    one = np.zeros(32)
    one[3] = 5.0
    interval = o_over_e_interval(outcome_counts(one, one, one * 10), 0.95)
    assert (interval.lower, interval.upper) == (0.0, math.inf)
    auc = auc_interval(0.7, np.full(32, 0.7), one, one, 0.95)
    assert (auc.lower, auc.upper) == (0.0, 1.0)


def test_an_auc_from_two_positives_has_a_wide_interval_even_if_both_agree() -> None:
    positives = np.zeros(32)
    positives[:2] = 1.0
    perfect = auc_interval(1.0, np.ones(32), positives, np.full(32, 50.0), 0.95)
    assert perfect.upper == 1.0
    assert perfect.lower < 0.5
    zero = auc_interval(0.0, np.zeros(32), positives, np.full(32, 50.0), 0.95)
    assert zero.upper > 0.5


def test_three_positives_ahead_of_everything_have_an_uncertain_auc() -> None:
    positives = np.zeros(32)
    positives[:3] = 1.0
    perfect = auc_interval(1.0, np.ones(32), positives, np.full(32, 50.0), 0.95)
    assert perfect.upper == 1.0
    assert perfect.lower < 0.7


@pytest.mark.parametrize("positives", [0, 1])
def test_an_entropy_from_fewer_than_two_positives_says_nothing(positives: int) -> None:
    group_positives = np.zeros(32)
    group_positives[:positives] = 1.0
    counts = np.array([[1_000.0], [float(positives)]])
    value = 0.9 if positives else math.nan
    variance = normalized_entropy_variance(value, counts, np.array([1.0]))
    interval = normalized_entropy_interval(
        value, np.full(32, value), variance, group_positives, np.full(32, 31.0), 0.95
    )
    assert interval == Estimate(value, 0.0, math.inf) if positives else not interval.defined


def test_positives_that_agree_by_chance_do_not_make_an_entropy_certain() -> None:
    """Two positives with the same prediction: neither the jackknife nor their own spread sees any variance."""
    group_positives = np.zeros(32)
    group_positives[:2] = 1.0
    counts = np.array([[9_000.0, 1_000.0], [0.0, 2.0]])
    predicted = np.array([0.5, 2.0])
    value = (2.0 * 6.2 + 2.5) / (2.0 * (math.log(5_001) + 1.0))
    variance = normalized_entropy_variance(value, counts, predicted)
    interval = normalized_entropy_interval(
        value, np.full(32, value), variance, group_positives, np.full(32, 312.0), 0.95
    )
    assert interval.lower < 0.6 * value
    assert interval.upper > 1.5 * value


def test_the_variance_of_a_normalized_entropy_is_that_of_repeated_draws() -> None:
    random = np.random.default_rng(7)
    probability = np.repeat([0.002, 0.01, 0.05], [6_000, 3_000, 1_000])
    entropies, variances = [], []
    for _ in range(400):
        labels = random.random(len(probability)) < probability
        bucket = (probability * 1_000).astype(int)
        counts = np.stack([np.bincount(bucket, labels == y, 51) for y in (0, 1)]).astype(np.float64)
        predicted = np.bincount(bucket, probability, 51).astype(np.float64)
        losses = -np.log(np.where(labels, probability, 1.0 - probability)).sum()
        entropies.append(float(normalized_entropy(losses, labels.sum(), len(labels))))
        variances.append(normalized_entropy_variance(entropies[-1], counts, predicted))
    assert np.mean(variances) == pytest.approx(np.var(entropies), rel=0.2)


def test_the_interval_of_a_single_impression_is_wide() -> None:
    positives = np.array([1.0, 0.0])
    interval = o_over_e_interval(outcome_counts(positives, np.array([0.05, 0.05]), np.array([1.0, 1.0])), 0.95)
    assert interval.lower < 5.0


def test_the_difference_of_identical_models_is_exactly_zero() -> None:
    same = difference_interval(0.0, np.zeros(32), np.ones(32, bool), 32, 0.95)
    assert (same.lower, same.upper) == (0.0, 0.0)


def test_student_quantile_matches_the_tables() -> None:
    assert student_quantile(0.95, 32) == pytest.approx(2.0395, abs=1e-3)
    assert student_quantile(0.95, 1) == math.inf


def test_calibration_worsening_is_certain_only_where_the_starting_point_is() -> None:
    shift = Estimate(-0.3, -0.3, -0.3)
    sure = calibration_worsening(
        Estimate(math.exp(-0.3), 0.7, 0.78), Estimate(1.0, math.exp(-0.05), math.exp(0.05)), shift
    )
    assert sure.value == pytest.approx(0.3)
    assert sure.lower == pytest.approx(0.2)
    assert sure.upper == pytest.approx(0.3)
    unsure = calibration_worsening(
        Estimate(math.exp(-0.3), 0.3, 2.0), Estimate(1.0, math.exp(-0.5), math.exp(0.5)), shift
    )
    assert unsure.lower == pytest.approx(-0.3)
    assert unsure.upper == pytest.approx(0.3)


def test_the_interval_of_calibration_worsening_covers_all_combinations_of_its_inputs() -> None:
    random = np.random.default_rng(2)
    for _ in range(200):
        low, high = np.sort(random.normal(0, 0.3, 2))
        first, last = np.sort(random.normal(0, 0.3, 2))
        start, shift = (low + high) / 2, (first + last) / 2
        bound = calibration_worsening(
            Estimate(math.exp(start + shift), 0.1, 10.0),
            Estimate(math.exp(start), math.exp(low), math.exp(high)),
            Estimate(shift, first, last),
        )
        starts, shifts = random.uniform(low, high, 500), random.uniform(first, last, 500)
        worse = np.abs(starts + shifts) - np.abs(starts)
        assert bound.lower - 1e-12 <= worse.min()
        assert worse.max() <= bound.upper + 1e-12


def test_without_observed_outcomes_the_calibration_worsening_is_undefined() -> None:
    nothing = Estimate(0.0, 0.0, 3.0)
    assert not calibration_worsening(nothing, nothing, Estimate(0.1, 0.0, 0.2)).defined


def test_a_higher_confidence_gives_a_wider_interval() -> None:
    random = np.random.default_rng(3)
    positives, predicted = random.poisson(5, 32).astype(float), expit(random.normal(size=32)) * 10
    narrow = o_over_e_interval(outcome_counts(positives, predicted, np.full(32, 100.0)), 0.8)
    wide = o_over_e_interval(outcome_counts(positives, predicted, np.full(32, 100.0)), 0.99)
    assert wide.lower < narrow.lower < narrow.value < narrow.upper < wide.upper
