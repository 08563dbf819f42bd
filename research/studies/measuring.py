"""Metrics of a variant, and their standard deviation over the seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from benchmarks.pages import plus_minus
from research.intervals import student_half_width
from research.quality.statistics import Measures, measure
from research.studies.training import Probabilities

METRICS = tuple(field.name for field in fields(Measures))


@dataclass(frozen=True)
class Spread:
    """A number over several seeds.

    Attributes:
        mean: over the seeds.
        deviation: standard deviation over the seeds; 0 with one seed.
        half_width: of the 95 % interval of the mean, by Student's t; NaN with one seed, which has no interval.
    """

    mean: float
    deviation: float
    half_width: float

    def text(self, digits: int, signed: bool = False) -> str:
        """The mean and its interval, such as 0.018 ± 0.002."""
        return plus_minus(self.mean, self.half_width, digits, signed)


@dataclass(frozen=True, eq=False)
class Measured:
    """A variant.

    Attributes:
        values: metric → float64 [seeds, objectives].
    """

    values: Mapping[str, NDArray[np.float64]]

    def spread(self, metric: str, objective: int) -> Spread:
        """The spread of one metric and objective."""
        return spread(self.values[metric][:, objective])

    def mean_less(self, other: "Measured", metric: str) -> Spread:
        """Its mean over the objectives minus another's, paired by seed, so that common effects of the seed cancel."""
        return spread(self.values[metric].mean(axis=1) - other.values[metric].mean(axis=1))


def measured(labels: NDArray[np.float32], predictions: Sequence[Probabilities]) -> Measured:
    """Metrics of each seed's predictions [rows, objectives] for labels [rows, objectives]."""
    found = [
        [measure(labels[:, objective], p[:, objective]) for objective in range(labels.shape[1])] for p in predictions
    ]
    return Measured({metric: np.array([[getattr(m, metric) for m in seed] for seed in found]) for metric in METRICS})


def spread(values: NDArray[np.float64]) -> Spread:
    """The spread of values [seeds]."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return Spread(float(np.mean(values)), deviation, student_half_width(values))
