"""The record of a day's health, which the page draws and a scheduler can read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ranker.documents import read_json, write_json
from ranker.monitoring.drift import FeatureHealth
from ranker.monitoring.outcomes import OutcomeHealth, ScoreHealth
from ranker.monitoring.rankings import DayRanking

Source = Literal["run", "monitor"]

_SLICES_NAMED = 3


@dataclass(frozen=True)
class DayRecord:
    """The health of one day.

    Attributes:
        day: YYYY-MM-DD.
        source: a training run that evaluated on the day, or the monitor.
        version: of the model whose predictions are compared with the outcomes; "" for a model that was not pushed.
        rows: impressions.
        confidence: level of the intervals.
        outcomes: every objective over all impressions and on every slice.
        features: every feature; empty without a training day to compare with.
        scores: every objective.
        rankings: by the utility and by every objective, over all sessions; empty on a day recorded before they existed.
        notes: the checks that were not possible, with the reasons.
    """

    day: str
    source: Source
    version: str
    rows: int
    confidence: float
    outcomes: tuple[OutcomeHealth, ...]
    features: tuple[FeatureHealth, ...] = ()
    scores: tuple[ScoreHealth, ...] = ()
    rankings: tuple[DayRanking, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def alarms(self) -> tuple[str, ...]:
        """One line per feature or objective beyond its limits, causes before effects and the most severe first.

        All alarms of an objective are one line, which names its worst slice: a fault on one slice also shows on others
        that share its impressions.
        """
        features = sorted((f for f in self.features if f.alarm), key=lambda f: -f.weight)
        scores = sorted((s for s in self.scores if s.alarm), key=lambda s: -s.weight)
        return (
            *(f"feature {f.feature}: {f.alarm}" for f in features),
            *_outcome_alarms(self.outcomes),
            *(f"{s.objective}: {s.alarm}" for s in scores),
        )

    def to_json(self) -> str:
        """The record as one line of JSON."""
        return write_json(self)

    @staticmethod
    def from_json(text: str, name: str = "day.json") -> "DayRecord":
        """Reads the output of `to_json`.

        Args:
            text: the content of the file.
            name: of the file, for the message.

        Raises:
            DocumentError: the file is damaged; the message names the file and the field.
        """
        return read_json(DayRecord, text, name)


def _outcome_alarms(outcomes: Sequence[OutcomeHealth]) -> Iterator[str]:
    raised = sorted((o for o in outcomes if o.alarm), key=lambda o: -o.weight)
    by_objective: dict[str, list[OutcomeHealth]] = {}
    for outcome in raised:
        by_objective.setdefault(outcome.objective, []).append(outcome)
    for objective, of_objective in by_objective.items():
        worst, *others = of_objective
        where = f" on {worst.slice}" if worst.slice else ""
        named = ", ".join(other.slice or "all impressions" for other in others[:_SLICES_NAMED])
        more = f" and {len(others) - _SLICES_NAMED} more slices" if len(others) > _SLICES_NAMED else ""
        also = f"; also beyond its limit: {named}{more}" if others else ""
        yield f"{objective}{where}: {worst.alarm}{also}"
