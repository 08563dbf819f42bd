"""Measured changes of the metrics, relative to arm 0, with the known variance of each."""

from dataclasses import dataclass

import numpy as np

from ranker.evaluation.buckets import Floats, Ints

OVERALL = -1
"""The cohort code of a measurement over all viewers."""


@dataclass(frozen=True)
class Measurements:
    """One row per arm and comparison; a comparison is the arms that were measured at the same time with one arm 0.

    Attributes:
        points: settings in the unit cube, [n, parameters].
        changes: relative to arm 0, [n, metrics]; 0.02 is 2 % more.
        variances: of the arm's own rates, in the same unit squared, [n, metrics].
        shared_deviations: standard deviation of what arm 0's noise contributes, [n, metrics]; the arms of a comparison
            share it.
        comparison: number of the comparison, [n].
        cohort: code of the cohort, or OVERALL, [n].
        age_days: [n].
    """

    points: Floats
    changes: Floats
    variances: Floats
    shared_deviations: Floats
    comparison: Ints
    cohort: Ints
    age_days: Floats

    def __len__(self) -> int:
        return len(self.points)

    @staticmethod
    def none(parameters: int, metrics: int) -> "Measurements":
        """No measurement yet."""
        nothing, number = np.empty((0, metrics)), np.empty(0, np.int64)
        return Measurements(np.empty((0, parameters)), nothing, nothing, nothing, number, number, np.empty(0))

    @staticmethod
    def joined(parts: "list[Measurements]") -> "Measurements":
        """All measurements of several comparisons, which are numbered anew."""
        return Measurements(
            points=np.concatenate([part.points for part in parts]),
            changes=np.concatenate([part.changes for part in parts]),
            variances=np.concatenate([part.variances for part in parts]),
            shared_deviations=np.concatenate([part.shared_deviations for part in parts]),
            comparison=np.repeat(np.arange(len(parts)), [len(part) for part in parts]),
            cohort=np.concatenate([part.cohort for part in parts]),
            age_days=np.concatenate([part.age_days for part in parts]),
        )

    def aged(self, half_life_days: float) -> Floats:
        """The factor by which the variance of each grows with its age, [n]."""
        return np.asarray(2.0 ** (self.age_days / half_life_days))


def relative_changes(rates: Floats, variances: Floats, base: Floats, base_variances: Floats) -> tuple[Floats, ...]:
    """Changes relative to arm 0, their variances, and the standard deviations that arm 0 contributes.

    First-order error propagation: change = rate / |base| - sign(base).

    Args:
        rates: of the arms, [n, metrics].
        variances: of these, [n, metrics].
        base: of arm 0, [metrics], not 0.
        base_variances: of these, [metrics].

    Returns:
        Three arrays, [n, metrics].

    Example:
        >>> change, variance, shared = relative_changes(
        ...     np.array([[1.1]]), np.array([[0.01]]), np.array([1.0]), np.array([0.0025]))
        >>> change.round(3).item(), variance.item(), shared.round(3).item()
        (0.1, 0.01, 0.055)
    """
    size = np.abs(base)
    return (rates - base) / size, variances / size**2, np.abs(rates) / size * np.sqrt(base_variances) / size
