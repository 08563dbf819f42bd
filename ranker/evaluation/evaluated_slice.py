"""The metrics of an evaluation by objective: of both models on one slice, and their curves."""

from dataclasses import dataclass

from ranker.evaluation.slicing import slice_name
from ranker.evaluation.summary import (
    Comparison,
    Curves,
    ObjectiveMetrics,
    OfBothModels,
    SliceMetrics,
    UtilityEvaluation,
)


@dataclass(frozen=True)
class ObjectiveEvaluation(OfBothModels[ObjectiveMetrics]):
    """One objective on one slice.

    Attributes:
        candidate: metrics of the candidate.
        baseline: metrics of the baseline on the same impressions, or None without a baseline.
        comparison: the candidate compared with the baseline, or None.
    """

    candidate: ObjectiveMetrics
    baseline: ObjectiveMetrics | None = None
    comparison: Comparison | None = None


@dataclass(frozen=True)
class ObjectiveCurves(OfBothModels[Curves]):
    """The curves of one objective over all impressions; `baseline` is None without a baseline."""

    candidate: Curves
    baseline: Curves | None = None


@dataclass(frozen=True)
class SliceEvaluation:
    """One slice.

    Attributes:
        slice: the value of each column that defines it.
        objectives: by objective.
        utility: of the sessions' impressions that belong to the slice, ranked by the utility.
        total: impressions of the slice, whether their outcomes were observed or not; None where all were.
    """

    slice: dict[str, str]
    objectives: dict[str, ObjectiveEvaluation]
    utility: UtilityEvaluation
    total: int | None = None

    @property
    def name(self) -> str:
        """The slice as text: `device=ios, country=us`."""
        return slice_name(tuple(self.slice.items()))

    @property
    def impressions(self) -> int:
        """Impressions of the slice."""
        return impressions_of(self.objectives, self.total)


def objectives_of(metrics: SliceMetrics) -> dict[str, ObjectiveEvaluation]:
    """The metrics of a slice by objective."""
    return {
        name: ObjectiveEvaluation(candidate, metrics.baseline.get(name), metrics.comparison.get(name))
        for name, candidate in metrics.candidate.items()
    }


def impressions_of(objectives: dict[str, ObjectiveEvaluation], total: int | None) -> int:
    """Impressions of a slice: `total`, or where that is None, those with an observed outcome, which are all."""
    if total is not None:
        return total
    return max((objective.candidate.impressions for objective in objectives.values()), default=0)


def total_of(metrics: SliceMetrics) -> int | None:
    """The impressions of a slice if some outcome was not observed in some of them, else None."""
    gaps = any(candidate.impressions != metrics.total for candidate in metrics.candidate.values())
    return metrics.total if gaps else None
