"""The results and the comparison of a study on one data set."""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.harness import Figure
from research.studies.measuring import Measured
from research.studies.studies import Study


@dataclass(frozen=True, eq=False)
class StudyResults:
    """Attributes:
    study: the study.
    data: the data set's name.
    days: the predicted days, pooled.
    seeds: trainings of each variant.
    rows: impressions of those days.
    objectives: name → positives.
    variants: name → metrics.
    """

    study: Study
    data: str
    days: tuple[str, ...]
    seeds: int
    rows: int
    objectives: Mapping[str, int]
    variants: Mapping[str, Measured]

    @property
    def rarest(self) -> int:
        """The index of the objective with the fewest positives."""
        positives = list(self.objectives.values())
        return positives.index(min(positives))


@dataclass(frozen=True)
class StudyComparison:
    """A study's comparison on one data set.

    Attributes:
        figures: for the JSON.
        tables: Markdown, for the page.
    """

    figures: list[Figure]
    tables: list[str]
