"""The posterior of a metric's change, compared with closed forms and with the truth it was measured from."""

import numpy as np
import pytest
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from ranker.tradeoff.gaussian_process import ChangeModel
from ranker.tradeoff.kernels import Cohorts, Columns, CommonNoise
from ranker.tradeoff.measurements import OVERALL, Measurements

CURRENT = np.array([0.5, 0.5])
FOREVER = 1e9


def measured(
    points: np.ndarray,
    changes: np.ndarray,
    deviation: float = 0.002,
    shared: float = 0.0,
    comparison: np.ndarray | None = None,
    cohort: np.ndarray | int = OVERALL,
    age_days: np.ndarray | float = 0.0,
) -> Measurements:
    count = len(points)
    return Measurements(
        points,
        changes[:, np.newaxis],
        np.full((count, 1), deviation**2),
        np.full((count, 1), shared),
        np.arange(count) if comparison is None else comparison,
        np.broadcast_to(cohort, count).astype(np.int64),
        np.broadcast_to(age_days, count).astype(np.float64),
    )


def fitted(of: Measurements, offline: np.ndarray | None = None, **settings: float) -> ChangeModel:
    model = ChangeModel(CURRENT, float(settings.get("share", 0.0)), int(settings.get("cohorts", 0)))
    return model.fit(of, 0, np.zeros(len(of)) if offline is None else offline, settings.get("half_life", FOREVER))


def mean_and_deviation(
    model: ChangeModel, points: np.ndarray, offline: float = 0.0, cohort: int = OVERALL
) -> tuple[np.ndarray, np.ndarray]:
    belief = model.believe(points, np.full(len(points), offline), cohort)
    return belief.mean, belief.deviation


def truth(points: np.ndarray) -> np.ndarray:
    return 0.06 * np.sin(2 * points[:, 0]) - 0.04 * points[:, 1] ** 2 - (0.06 * np.sin(1.0) - 0.01)


def test_the_truth_is_within_the_intervals() -> None:
    generator = np.random.default_rng(1)
    points, unseen = generator.random((60, 2)), generator.random((200, 2))
    noise = generator.normal(0.0, 0.004, 60)
    mean, deviation = mean_and_deviation(fitted(measured(points, truth(points) + noise, 0.004)), unseen)
    errors = np.abs(mean - truth(unseen))
    assert errors.max() < 0.02
    assert errors.mean() < 0.003
    assert np.mean(errors < 2 * deviation) > 0.9


def test_arm_0_does_not_change() -> None:
    points = np.array([[0.2, 0.2], [0.9, 0.1]])
    for model in (fitted(measured(points, np.array([0.05, -0.02]))), fitted(Measurements.none(2, 1))):
        mean, deviation = mean_and_deviation(model, CURRENT[np.newaxis])
        assert abs(mean[0]) < 1e-3
        assert deviation[0] < 1e-3


def test_a_smaller_standard_error_is_believed_more() -> None:
    point = np.array([[0.9, 0.9]])
    means = [
        mean_and_deviation(fitted(measured(point, np.array([0.03]), deviation)), point)[0][0]
        for deviation in (0.001, 0.02, 0.2)
    ]
    assert means[0] == pytest.approx(0.03, abs=0.001)
    assert means[0] > means[1] > means[2] > 0
    assert means[2] < 0.01


def test_old_measurements_lose_weight_with_age() -> None:
    point = np.array([[0.8, 0.2], [0.8, 0.2]])
    ages = np.array([28.0, 0.0])
    model = fitted(measured(point, np.array([0.10, 0.00]), 0.01, age_days=ages), half_life=14.0)
    mean, _ = mean_and_deviation(model, point[:1])
    # The variance of the old one has grown by a factor of 4: weights 1 to 4.
    assert mean[0] == pytest.approx(0.02, abs=0.006)
    unaged = fitted(measured(point, np.array([0.10, 0.00]), 0.01, age_days=ages))
    assert mean_and_deviation(unaged, point[:1])[0][0] == pytest.approx(0.05, abs=0.01)


def test_the_noise_of_arm_0_does_not_average_out_over_the_arms_of_a_comparison() -> None:
    generator = np.random.default_rng(0)
    points = np.tile([[0.9, 0.9]], (16, 1)) + generator.normal(0.0, 1e-3, (16, 2))
    changes = np.full(16, 0.02)
    together = fitted(measured(points, changes, 0.002, 0.02, np.zeros(16)))
    apart = fitted(measured(points, changes, 0.002, 0.02, np.arange(16)))
    of_together = mean_and_deviation(together, points[:1])[1][0]
    of_apart = mean_and_deviation(apart, points[:1])[1][0]
    assert of_together > 0.012
    assert of_apart < 0.5 * of_together


def test_offline_estimates_are_the_expectation_where_nothing_is_measured() -> None:
    model = fitted(Measurements.none(2, 1))
    mean, _ = mean_and_deviation(model, np.array([[0.9, 0.1]]), offline=0.04)
    assert mean[0] == pytest.approx(0.04)


def test_offline_estimates_are_scaled_to_what_is_measured() -> None:
    generator = np.random.default_rng(0)
    points, unseen = generator.random((40, 2)), generator.random((50, 2))

    def curve(points: np.ndarray) -> np.ndarray:
        return 0.1 * (np.cos(9 * points[:, 0]) - np.cos(4.5))

    model = fitted(measured(points, 0.5 * curve(points)), curve(points))
    found = model.believe(unseen, curve(unseen), OVERALL).mean
    np.testing.assert_allclose(found, 0.5 * curve(unseen), atol=0.01)


def test_a_cohort_with_little_data_stays_near_the_others() -> None:
    generator = np.random.default_rng(0)
    points = generator.random((40, 2))
    cohort = np.where(np.arange(40) < 36, 0, 1)
    deviation = np.where(cohort == 0, 0.002, 0.05)
    changes = truth(points) + np.where(cohort == 1, -0.05, 0.0)
    of = measured(points, changes, cohort=cohort)
    of = Measurements(
        of.points,
        of.changes,
        deviation[:, np.newaxis] ** 2,
        *(of.shared_deviations, of.comparison, cohort, of.age_days),
    )
    model = fitted(of, share=0.3, cohorts=2)
    unseen = generator.random((50, 2))
    large, sure = mean_and_deviation(model, unseen, cohort=0)
    small, uncertain = mean_and_deviation(model, unseen, cohort=1)
    assert np.corrcoef(large, small)[0, 1] > 0.8
    assert np.mean(np.abs(small - truth(unseen))) < 0.02
    assert uncertain.mean() > 3 * sure.mean()


def test_a_cohort_with_much_data_has_its_own_changes() -> None:
    generator = np.random.default_rng(0)
    points = generator.random((80, 2))
    cohort = np.arange(80) % 2
    signs = np.where(cohort == 0, 1.0, -1.0)
    model = fitted(measured(points, signs * truth(points), cohort=cohort), share=0.5, cohorts=2)
    unseen = generator.random((50, 2))
    for code, sign in ((0, 1.0), (1, -1.0)):
        np.testing.assert_allclose(mean_and_deviation(model, unseen, cohort=code)[0], sign * truth(unseen), atol=0.02)


def test_draws_have_the_beliefs_mean_and_covariance() -> None:
    points = np.random.default_rng(0).random((12, 2))
    belief = fitted(measured(points[:6], truth(points[:6]))).believe(points, np.zeros(12), OVERALL)
    draws = belief.draw(np.random.default_rng(1), 20_000)
    np.testing.assert_allclose(draws.mean(axis=0), belief.mean, atol=0.002)
    np.testing.assert_allclose(np.cov(draws.T), belief.covariance, atol=0.0002)


def test_asking_before_fitting_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="fit comes first"):
        ChangeModel(CURRENT).believe(CURRENT[np.newaxis], np.zeros(1), OVERALL)


def test_a_kernel_of_some_columns_is_the_kernel_of_these_columns() -> None:
    x = np.random.default_rng(0).random((5, 4))
    inner = ConstantKernel(2.0) * Matern([0.5, 1.5], nu=2.5)
    kernel = Columns(inner, (1, 3))
    np.testing.assert_array_equal(kernel(x), inner(x[:, [1, 3]]))
    np.testing.assert_array_equal(kernel.diag(x), np.diag(kernel(x)))
    value, gradient = kernel(x, eval_gradient=True)
    for number in range(3):
        theta = kernel.theta.copy()
        theta[number] += 1e-6
        step = (kernel.clone_with_theta(theta)(x) - value) / 1e-6
        np.testing.assert_allclose(gradient[:, :, number], step, atol=1e-4)
    assert kernel.clone_with_theta(kernel.theta + 1.0).kernel.theta == pytest.approx(inner.theta + 1.0)
    np.testing.assert_allclose(kernel.theta, inner.theta)


def test_cohorts_correlate_by_their_share() -> None:
    x = np.array([[0.0], [0.0], [1.0], [-1.0], [-1.0]])
    kernel = Cohorts(0, 0.3)
    expected = np.full((5, 5), 0.7)
    expected[:2, :2] = expected[2, 2] = 1.0
    np.testing.assert_allclose(kernel(x), expected)
    np.testing.assert_allclose(kernel.diag(x), np.diag(expected))


def test_common_noise_is_shared_within_a_comparison() -> None:
    x = np.array([[0.0, 0.1], [0.0, 0.2], [1.0, 0.3], [-1.0, 0.0]])
    kernel = CommonNoise(0, 1)
    expected = np.array([[0.01, 0.02, 0, 0], [0.02, 0.04, 0, 0], [0, 0, 0.09, 0], [0, 0, 0, 0]])
    np.testing.assert_allclose(kernel(x), expected)
    np.testing.assert_allclose(kernel.diag(x), np.diag(expected))
