"""95 % intervals of a metric measured with several seeds on a sample of viewers.

The interval has two parts: the variance over viewers, from a bootstrap, and the variance over the seeds of the
trainings. Two to ten seeds are too few for a bootstrap: resampling n seeds gives (n - 1) / n of their variance, and
percentiles ignore that the variance itself is an estimate. So the seeds' part is a Student's t interval with n - 1
degrees of freedom.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

_CONFIDENCE = 0.95
_PERCENTILES = (50 - 50 * _CONFIDENCE, 50 + 50 * _CONFIDENCE)


def student_half_width(values: NDArray[np.float64]) -> float:
    """Half the width of the 95 % interval of the mean of values [n]; NaN for a single value, which has no interval."""
    n = len(values)
    if n == 1:
        return float("nan")
    quantile = float(stats.t.ppf(0.5 + _CONFIDENCE / 2, n - 1))
    return quantile * float(np.std(values, ddof=1)) / n**0.5


@dataclass(frozen=True, eq=False)
class SeedEstimate:
    """A metric, or a paired difference of two metrics that were measured with the same seeds on the same draws.

    Attributes:
        seeds: float64 [seeds], the value of each seed.
        draws: float64 [draws], the mean over the seeds in each bootstrap draw of the viewers; NaN for a draw without a
            value.

    Example:
        >>> ours = SeedEstimate(np.array([0.74, 0.75]), np.array([0.73, 0.745, 0.76]))
        >>> ours.value
        0.745
        >>> (ours - ours).interval
        (0.0, 0.0)
    """

    seeds: NDArray[np.float64]
    draws: NDArray[np.float64]

    @property
    def value(self) -> float:
        """The mean over the seeds."""
        return float(np.mean(self.seeds))

    @property
    def deviation(self) -> float:
        """Standard deviation over the seeds; 0 with one seed."""
        return float(np.std(self.seeds, ddof=1)) if len(self.seeds) > 1 else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval over viewers and seeds; with one seed, over viewers only.

        The two parts are combined as by G. Y. Zou and A. Donner, "Construction of confidence limits about effect
        measures", Statistics in Medicine 27 (2008): their squared half widths are added.
        """
        low, high = np.nanpercentile(self.draws, _PERCENTILES)
        of_seeds = 0.0 if len(self.seeds) == 1 else student_half_width(self.seeds)
        value = self.value
        return float(value - np.hypot(value - low, of_seeds)), float(value + np.hypot(high - value, of_seeds))

    def __sub__(self, other: "SeedEstimate") -> "SeedEstimate":
        """The paired difference, per seed and per draw."""
        return SeedEstimate(self.seeds - other.seeds, self.draws - other.draws)


def mean_of(estimates: Sequence[SeedEstimate]) -> SeedEstimate:
    """The mean of several estimates with the same seeds and draws; a draw counts if any of them has a value."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # for a draw without any value
        draws = np.nanmean([estimate.draws for estimate in estimates], axis=0)
    return SeedEstimate(np.mean([estimate.seeds for estimate in estimates], axis=0), draws)
