"""The evaluation of a candidate: the content of the Evaluator's `gates.json`, typed for all its readers."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any

from ranker.documents import check_format, read_json, write_json
from ranker.evaluation.baseline import Baseline
from ranker.evaluation.evaluated_slice import (
    ObjectiveCurves,
    ObjectiveEvaluation,
    SliceEvaluation,
    impressions_of,
    objectives_of,
    total_of,
)
from ranker.evaluation.gate_states import State, gate_state, gate_text
from ranker.evaluation.held_out_day import HeldOutDay
from ranker.evaluation.importance import Importance
from ranker.evaluation.leakage import Leak
from ranker.evaluation.printed import objective_table, observed_notes, session_table
from ranker.evaluation.references import References
from ranker.evaluation.sessions import Sessions, session_notes
from ranker.evaluation.slicing import OVERALL, SliceSpec
from ranker.evaluation.summary import BASELINE, CANDIDATE, Model, SliceMetrics, UtilityEvaluation
from ranker.evaluation.table import PlainTable, html_table, text_table
from ranker.evaluation.verdict import Outcome, Verdict, blessed
from ranker.plain_text import sentence

FORMAT = 3
"""Raised whenever a field of the file is renamed, moved or removed."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The candidate's metrics on the held-out day, and whether it may be published.

    An undefined value is NaN in memory and null in the file. An open end of an interval is minus infinity or infinity,
    and an O/E variance that could not be measured is infinity. Both are null in the file too, and reading restores
    them. Two evaluations are equal if their files are equal.

    Example:
        evaluation = Evaluation.from_json(Path(uri, "gates.json").read_text())
        print(evaluation)  # a table; a notebook shows it as HTML
        evaluation.objectives["click"].candidate.auc.lower
        [verdict.text for verdict in evaluation.verdicts if verdict.refuses]

    Attributes:
        format: of the file.
        blessed: whether the candidate passes: no gate blocks it, nor does a missing baseline or a small held-out day.
        confidence: level of the intervals.
        baseline: the model that the candidate is compared with.
        objectives: metrics over all impressions, by objective.
        curves: reliability curves and score histograms over all impressions, by objective.
        utility: all sessions, ranked by the utility.
        sessions: what the session metrics were computed from.
        slices: metrics per slice.
        slices_dropped: kinds of slices that were dropped because they have too many values.
        verdicts: of every gate over all impressions, and of the gates on slices that failed or block the model.
        slice_verdicts: outcome → number of gates on slices with it.
        leaks: the columns that tell an outcome, those that the config vouches for too.
        references: the forest alone and the base rate, by objective; empty if they were not measured.
        importance: of the feature columns; empty if it was not measured.
        day: the size of the held-out day, compared with the days before it.
    """

    format: int = field(default=FORMAT, kw_only=True, repr=False)
    blessed: bool
    confidence: float
    baseline: Baseline
    objectives: dict[str, ObjectiveEvaluation]
    curves: dict[str, ObjectiveCurves]
    utility: UtilityEvaluation
    sessions: Sessions
    slices: tuple[SliceEvaluation, ...] = ()
    slices_dropped: tuple[SliceSpec, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    slice_verdicts: dict[Outcome, int] = field(default_factory=dict)
    leaks: tuple[Leak, ...] = ()
    references: dict[str, References] = field(default_factory=dict)
    importance: Importance = field(default_factory=Importance)
    day: HeldOutDay = field(default_factory=HeldOutDay)
    total: int | None = None

    @staticmethod
    def of(
        slices: Sequence[SliceMetrics],
        verdicts: Sequence[Verdict],
        baseline: Baseline,
        confidence: float,
        sessions: Sessions,
        slices_dropped: Sequence[SliceSpec] = (),
    ) -> "Evaluation":
        """The evaluation from metrics and verdicts.

        Args:
            slices: metrics of every slice, including the one of all impressions.
            verdicts: the verdicts of `gates.judge` on them.
            baseline: the model that the candidate is compared with.
            confidence: level of the intervals.
            sessions: what the session metrics were computed from.
            slices_dropped: kinds of slices that were dropped.
        """
        overall = next(metrics for metrics in slices if metrics.key == OVERALL)
        served = overall.curves.get(BASELINE, {})
        return Evaluation(
            blessed=blessed(verdicts) and not baseline.blocks,
            confidence=confidence,
            baseline=baseline,
            objectives=objectives_of(overall),
            curves={
                name: ObjectiveCurves(curves, served.get(name)) for name, curves in overall.curves[CANDIDATE].items()
            },
            utility=overall.utility,
            sessions=sessions,
            slices=tuple(
                SliceEvaluation(dict(metrics.key), objectives_of(metrics), metrics.utility, total_of(metrics))
                for metrics in slices
                if metrics.key != OVERALL
            ),
            slices_dropped=tuple(slices_dropped),
            verdicts=tuple(v for v in verdicts if not v.slice or v.outcome == "failed" or v.refuses),
            slice_verdicts=dict(Counter(verdict.outcome for verdict in verdicts if verdict.slice)),
            total=total_of(overall),
        )

    def with_columns(
        self,
        leaks: Sequence[Leak],
        references: Mapping[str, References],
        importance: Importance,
    ) -> "Evaluation":
        """The same evaluation with what was found about the columns; a new column that tells an outcome blocks it."""
        verdicts = [leak.verdict for leak in leaks if not leak.vouched]
        return replace(
            self,
            blessed=self.blessed and blessed(verdicts),
            verdicts=(*verdicts, *self.verdicts),
            leaks=tuple(leaks),
            references=dict(references),
            importance=importance,
        )

    def on_day(self, day: HeldOutDay) -> "Evaluation":
        """The same evaluation with the size of the day, which may block the candidate."""
        return replace(self, blessed=self.blessed and not day.blocks, day=day)

    @property
    def impressions(self) -> int:
        """Impressions evaluated."""
        return impressions_of(self.objectives, self.total)

    def observed(self, objective: str) -> float:
        """The share of the impressions of which an objective's outcome was observed; NaN without impressions."""
        impressions = self.impressions
        return self.objectives[objective].candidate.impressions / impressions if impressions else math.nan

    @property
    def compared(self) -> bool:
        """Whether the baseline was evaluated together with the candidate."""
        return any(objective.baseline is not None for objective in self.objectives.values())

    def predicts(self, model: Model, objective: str) -> bool:
        """Whether a model of this evaluation predicts an objective; a baseline may lack some of the candidate's.

        Raises:
            ValueError: `model` is the baseline, and there is none.
        """
        if model == BASELINE and not self.compared:
            raise ValueError("evaluation: there is no baseline")
        return model == CANDIDATE or self.objectives[objective].baseline is not None

    def state(self, objective: str) -> State:
        """What the gates say about an objective, or about the utility, ""; on slices, only refusals count."""
        return gate_state(self.verdicts, objective)

    def gate(self, objective: str) -> str:
        """The state of an objective, or of the utility, as text, with the metrics that are refused or undecided."""
        return gate_text(self.verdicts, objective)

    def to_json(self) -> str:
        """The content of `gates.json`, indented."""
        return write_json(self, indent=1)

    @staticmethod
    def from_json(text: str, name: str = "gates.json") -> "Evaluation":
        """Reads the output of `to_json`.

        Args:
            text: the content of the file.
            name: of the file, for the message.

        Raises:
            DocumentError: the file is damaged or of another format; the message names the file and the field.
        """
        check_format(text, FORMAT, name, "evaluate the model again")
        return read_json(Evaluation, text, name)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values; None for undefined and unbounded values."""
        document: dict[str, Any] = json.loads(self.to_json())
        return document

    def __eq__(self, other: object) -> bool:
        return self.to_json() == other.to_json() if isinstance(other, Evaluation) else NotImplemented

    def __str__(self) -> str:
        tables = [text_table(*table) for table in self._tables()]
        return "\n".join([self._headline(), *tables, *map(sentence, self._notes())])

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{escape(sentence(note))}</p>" for note in self._notes())
        tables = "".join(html_table(*table) for table in self._tables())
        return f"<p>{escape(self._headline())}</p>{tables}{notes}"

    def _tables(self) -> tuple[PlainTable, PlainTable]:
        sessions = session_table(self.utility.candidate, self.objectives, self.sessions.utility.k, self.gate)
        return objective_table(self.objectives, self.gate), sessions

    def _headline(self) -> str:
        blessed_or_not = "Blessed" if self.blessed else "Not blessed"
        if self.blessed and not self.verdicts and not self.slice_verdicts:
            blessed_or_not = "No gate"
        baseline = f"compared with version {self.baseline.version}" if self.compared else "no baseline"
        return (
            f"{blessed_or_not}: {self.impressions:,} impressions, {100 * self.confidence:g} % intervals over viewers, "
            f"{baseline}"
        )

    def _notes(self) -> Iterator[str]:
        if self.day.is_small:
            yield self.day.text
        for verdict in self.verdicts:
            if not verdict.passed:
                yield f"{verdict.outcome}: {verdict.text}"
        if self.baseline.is_missing or self.baseline.reason or self.baseline.is_partial:
            yield self.baseline.text
        for spec in self.slices_dropped:
            yield f"slices by {' × '.join(spec)} were left out: they have too many values"
        yield from observed_notes({name: self.observed(name) for name in self.objectives})
        yield from session_notes(self.sessions.share, self.sessions.impressions_without)
