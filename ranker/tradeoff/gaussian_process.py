"""A metric's change as a function of the setting: one Gaussian process, fitted to measurements of known noise.

    change(x) = (1 + b) · offline(x) + slopes · (x - arm 0) + g(x),   change(arm 0) = 0

g is a Matérn process with a length scale per parameter; with cohorts, a part of slopes and g is the cohort's own.
offline(x) is
the offline estimate of the change, 0 where there is none; b, normal with a standard deviation of a half, scales it to
what is measured online. Every measurement has the variance that was computed with it, and shares the noise of arm 0
with the others of its comparison. The numerics are scikit-learn's.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern

from ranker.evaluation.buckets import Floats
from ranker.tradeoff.kernels import Cohorts, Columns, CommonNoise
from ranker.tradeoff.measurements import Measurements

_UNIT = 0.05  # changes are divided by it, so that hyperparameters are near 1
_AMPLITUDE_SPREAD = 1.0  # standard deviation of the logarithm of a variance
_LENGTH_SPREAD = 0.75  # and of a length scale
_OFFLINE_SCALE_VARIANCE = 0.25
_EXACT = 1e-6  # variance of what is known exactly, in units squared
_MOST_STEPS = 30
_JITTER = 1e-6  # in units squared; the covariance of points close to each other is singular up to rounding


@dataclass(frozen=True)
class Belief:
    """A normal distribution of the changes at several points.

    Attributes:
        mean: [points].
        covariance: [points, points].
    """

    mean: Floats
    covariance: Floats

    @property
    def deviation(self) -> Floats:
        """The standard deviation at each point, [points]."""
        return np.sqrt(np.maximum(np.diag(self.covariance), 0.0))

    def draw(self, generator: np.random.Generator, count: int) -> Floats:
        """Joint draws, [count, points]."""
        root = np.linalg.cholesky(self.covariance)
        return self.mean + generator.standard_normal((count, len(root))) @ root.T


class ChangeModel:
    """The Gaussian process of one metric.

    Args:
        current: arm 0's point, [parameters].
        cohort_share: see `TradeOff`.
        cohorts: number of cohorts; 0 without.
    """

    def __init__(self, current: Floats, cohort_share: float = 0.0, cohorts: int = 0) -> None:
        self._current = current
        self._cohorts = cohorts
        self._share = cohort_share if cohorts else 0.0
        self._fitted: GaussianProcessRegressor | None = None

    def fit(self, measured: Measurements, metric: int, offline: Floats, half_life_days: float) -> "ChangeModel":
        """Fits the process; hyperparameters are the most probable ones under a weak prior.

        Args:
            measured: all measurements; may be empty.
            metric: index of the metric in them.
            offline: the offline estimate of the change at each measured point, [n].
            half_life_days: see `TradeOff`.
        """
        aged = measured.aged(half_life_days)
        points = np.concatenate([self._rows(measured.points, offline, measured.cohort), self._anchors()])
        points[: len(measured), -2] = measured.comparison
        points[: len(measured), -1] = measured.shared_deviations[:, metric] * np.sqrt(aged) / _UNIT
        values = np.concatenate([(measured.changes[:, metric] - offline) / _UNIT, np.zeros(len(self._anchors()))])
        noise = np.full(len(points), _EXACT)
        noise[: len(measured)] += measured.variances[:, metric] * aged / _UNIT**2
        self._fitted = GaussianProcessRegressor(
            self._kernel(), alpha=noise, optimizer=self._most_probable if len(measured) else None
        ).fit(points, values)
        return self

    def believe(self, points: Floats, offline: Floats, cohort: int) -> Belief:
        """The changes at points [n, parameters] with their offline estimates [n], in a cohort or OVERALL."""
        if self._fitted is None:
            raise RuntimeError("fit comes first")
        rows = self._rows(points, offline, np.full(len(points), cohort))
        mean, covariance = self._fitted.predict(rows, return_cov=True)
        covariance = covariance + _JITTER * np.eye(len(rows))
        return Belief(offline + _UNIT * mean, _UNIT**2 * covariance)

    def _rows(self, points: Floats, offline: Floats, cohort: Any) -> Floats:
        """The input columns: parameters minus arm 0's, offline estimate, cohort, comparison, shared deviation."""
        nothing = np.zeros(len(points))
        return np.column_stack([points - self._current, offline / _UNIT, cohort, nothing - 1.0, nothing])

    def _anchors(self) -> Floats:
        """Arm 0, whose change is 0 by definition, in every cohort."""
        codes = np.arange(self._cohorts) if self._cohorts else np.array([-1])
        return self._rows(np.tile(self._current, (len(codes), 1)), np.zeros(len(codes)), codes)

    def _kernel(self) -> Any:
        parameters = len(self._current)
        length = 0.6 * parameters**0.5
        shape = Matern(np.full(parameters, length), (0.05 * length, 20.0 * length), nu=2.5)
        columns = tuple(range(parameters))
        kernel = ConstantKernel(1.0, (1e-3, 1e3)) * Columns(DotProduct(0.0, "fixed"), columns)
        kernel = kernel + ConstantKernel(1.0, (1e-3, 1e3)) * Columns(shape, columns)
        if self._share:
            kernel = kernel * Cohorts(parameters + 1, self._share)
        offline = ConstantKernel(_OFFLINE_SCALE_VARIANCE, "fixed") * Columns(DotProduct(0.0, "fixed"), (parameters,))
        return kernel + offline + CommonNoise(parameters + 2, parameters + 3)

    def _most_probable(self, objective: Any, initial: Floats, bounds: Floats) -> tuple[Floats, float]:
        """scikit-learn's optimizer: the negative log-likelihood plus the weak prior on log-hyperparameters."""
        spread = np.array([_AMPLITUDE_SPREAD] * 2 + [_LENGTH_SPREAD] * (len(initial) - 2))

        def penalised(theta: Floats) -> tuple[float, Floats]:
            value, gradient = objective(theta)
            away = (theta - initial) / spread
            return value + 0.5 * float(away @ away), gradient + away / spread

        found = minimize(
            penalised, initial, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": _MOST_STEPS}
        )
        return found.x, float(found.fun)
