"""Kernels of the Gaussian processes, beside scikit-learn's: on some columns, of cohorts, and of a common noise."""

from typing import Any

import numpy as np
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel

from ranker.evaluation.buckets import Floats


class Columns(Kernel):
    """A kernel that reads some columns of the input.

    Args:
        kernel: of the columns.
        columns: their indices.
    """

    def __init__(self, kernel: Kernel, columns: tuple[int, ...]) -> None:
        self.kernel = kernel
        self.columns = columns

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """As scikit-learn's."""
        params = {"kernel": self.kernel, "columns": self.columns}
        if deep:
            params.update({f"kernel__{name}": value for name, value in self.kernel.get_params().items()})
        return params

    @property
    def hyperparameters(self) -> list[Hyperparameter]:
        """Those of the inner kernel."""
        return [
            Hyperparameter(f"kernel__{h.name}", h.value_type, h.bounds, h.n_elements)
            for h in self.kernel.hyperparameters
        ]

    @property
    def theta(self) -> Floats:
        """Logarithms of the free hyperparameters."""
        return np.asarray(self.kernel.theta)

    @theta.setter
    def theta(self, theta: Floats) -> None:
        self.kernel.theta = theta

    @property
    def bounds(self) -> Floats:
        """Logarithms of their bounds, [hyperparameters, 2]."""
        return np.asarray(self.kernel.bounds)

    def __call__(self, x: Floats, y: Floats | None = None, eval_gradient: bool = False) -> Any:
        """The covariance, [rows of x, rows of y], and its gradient."""
        columns = list(self.columns)
        return self.kernel(x[:, columns], None if y is None else y[:, columns], eval_gradient)

    def diag(self, x: Floats) -> Floats:
        """The variance of each row."""
        return np.asarray(self.kernel.diag(x[:, list(self.columns)]))

    def is_stationary(self) -> bool:
        """Whether the inner kernel is."""
        return bool(self.kernel.is_stationary())


class _Fixed(Kernel):
    """A kernel without hyperparameters."""

    def covariance(self, x: Floats, y: Floats) -> Floats:
        """[rows of x, rows of y]."""
        raise NotImplementedError

    def __call__(self, x: Floats, y: Floats | None = None, eval_gradient: bool = False) -> Any:
        """The covariance, [rows of x, rows of y], and its empty gradient."""
        found = self.covariance(x, x if y is None else y)
        return (found, np.empty((*found.shape, 0))) if eval_gradient else found

    def diag(self, x: Floats) -> Floats:
        """The variance of each row, [rows of x]."""
        raise NotImplementedError

    def is_stationary(self) -> bool:
        """It is not."""
        return False


class Cohorts(_Fixed):
    """The correlation of cohorts: 1 within a cohort, 1 - share between two.

    A negative code is the average of all cohorts; its variance is 1 - share.

    Args:
        column: index of the cohort's code.
        share: the share of the variance that is a cohort's own.
    """

    def __init__(self, column: int, share: float) -> None:
        self.column = column
        self.share = share

    def covariance(self, x: Floats, y: Floats) -> Floats:
        """[rows of x, rows of y]."""
        first, second = x[:, self.column][:, np.newaxis], y[:, self.column][np.newaxis]
        return 1.0 - self.share + self.share * ((first == second) & (first >= 0))

    def diag(self, x: Floats) -> Floats:
        """The variance of each row, [rows of x]."""
        return np.where(x[:, self.column] >= 0, 1.0, 1.0 - self.share)


class CommonNoise(_Fixed):
    """The noise that the measurements of one comparison share, because arm 0 is the same.

    Args:
        comparison: index of the comparison's number; a negative one shares nothing.
        deviation: index of the standard deviation of the shared noise.
    """

    def __init__(self, comparison: int, deviation: int) -> None:
        self.comparison = comparison
        self.deviation = deviation

    def covariance(self, x: Floats, y: Floats) -> Floats:
        """[rows of x, rows of y]."""
        first, second = x[:, self.comparison][:, np.newaxis], y[:, self.comparison][np.newaxis]
        deviations = x[:, self.deviation][:, np.newaxis] * y[:, self.deviation][np.newaxis]
        return deviations * ((first == second) & (first >= 0))

    def diag(self, x: Floats) -> Floats:
        """The variance of each row, [rows of x]."""
        return np.where(x[:, self.comparison] >= 0, x[:, self.deviation] ** 2, 0.0)
