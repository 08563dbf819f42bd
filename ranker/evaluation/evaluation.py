"""The evaluation of a candidate: the content of the Evaluator's `gates.json`, typed for all its readers."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any, Literal

from ranker.documents import check_format, read_json, write_json
from ranker.evaluation.accumulator import Accumulator
from ranker.evaluation.gates import BY_UTILITY, TOO_FEW, TOO_FEW_SESSIONS, Outcome, Verdict, blessed
from ranker.evaluation.held_out_day import HeldOutDay
from ranker.evaluation.importance import Importance
from ranker.evaluation.intervals import Estimate
from ranker.evaluation.leakage import Leak
from ranker.evaluation.references import References
from ranker.evaluation.session_sums import UtilityWeights
from ranker.evaluation.slicing import OVERALL, SliceSpec, slice_name
from ranker.evaluation.summary import (
    BASELINE,
    CANDIDATE,
    Comparison,
    Curves,
    Model,
    ObjectiveMetrics,
    SliceMetrics,
    UtilityEvaluation,
)
from ranker.evaluation.table import html_table, text_table
from ranker.plain_text import sentence

FORMAT = 3
"""Raised whenever a field of the file is renamed, moved or removed."""

State = Literal["refused", "too few", "passed", "no gate"]
"""What the gates say about an objective."""

UTILITY = "utility"
"""The name of the row, series or cell of the utility, beside those of the objectives."""

_HEADINGS = ("objective", "positives", "AUC", "O/E", "NE", "gate")
_NUMERIC = (1, 4)  # the columns without an interval
_SESSIONS_NUMERIC = (1,)
_UNDEFINED = "–"


@dataclass(frozen=True)
class Baseline:
    """The pushed model that the candidate is compared with.

    Attributes:
        version: its version, or None if there is none.
        dropped: why the candidate was not compared with it, or None.
        reason: why it is not the serving version, or why there is none although a model serves; otherwise None.
        lacks: objectives that it does not predict; the candidate's were not compared.
        blocks: whether the missing comparison blocks the candidate.
        unread: feature columns that it reads and the config no longer has; it was scored as if they were missing.
    """

    version: str | None = None
    dropped: str | None = None
    reason: str | None = None
    lacks: tuple[str, ...] = ()
    blocks: bool = False
    unread: tuple[str, ...] = ()

    @property
    def is_missing(self) -> bool:
        """Whether a model serves, but the candidate was compared with none."""
        return self.dropped is not None or (self.version is None and self.reason is not None)

    @property
    def is_partial(self) -> bool:
        """Whether it was compared in part only: without some objectives, or without columns that it reads."""
        return bool(self.lacks or self.unread)

    @property
    def is_serving(self) -> bool:
        """Whether every objective was compared with the serving model."""
        return self.version is not None and not (self.is_missing or self.reason or self.is_partial)

    @property
    def text(self) -> str:
        """What the candidate was compared with, as a sentence without its full stop."""
        because = f"; {self.reason}" if self.reason else ""
        blocked = "; this blocks it, as gates.baseline_required is set" if self.blocks else ""
        if self.version is None:
            return f"not compared with a pushed model{because or '; none was serving'}{blocked}"
        which = f"version {self.version}" if self.reason else f"the model now serving, version {self.version}"
        if self.dropped is not None:
            return f"not compared with {which}: {self.dropped}{because}{blocked}"
        lacking = f"; it does not predict {', '.join(self.lacks)}, so these were not compared" if self.lacks else ""
        unread = ""
        if self.unread:
            columns = ", ".join(self.unread)
            unread = (
                f"; it reads {columns}, which the config no longer has, and was scored as if that were missing, so the "
                "comparison favours the new model: python -m pipeline.compare scores each with all that it reads"
            )
        return f"compared with {which}, on the same impressions{because}{lacking}{unread}"


@dataclass(frozen=True)
class ObjectiveEvaluation:
    """One objective on one slice.

    Attributes:
        candidate: metrics of the candidate.
        baseline: metrics of the baseline on the same impressions, or None without a baseline.
        comparison: the candidate compared with the baseline, or None.
    """

    candidate: ObjectiveMetrics
    baseline: ObjectiveMetrics | None = None
    comparison: Comparison | None = None

    def of(self, model: Model) -> ObjectiveMetrics:
        """The metrics of one of the two models.

        Raises:
            ValueError: `model` is the baseline, and there is none.
        """
        metrics = self.candidate if model == CANDIDATE else self.baseline
        if metrics is None:
            raise ValueError("evaluation: there is no baseline")
        return metrics


@dataclass(frozen=True)
class ObjectiveCurves:
    """The curves of one objective over all impressions; `baseline` is None without a baseline."""

    candidate: Curves
    baseline: Curves | None = None

    def of(self, model: Model) -> Curves:
        """The curves of one of the two models.

        Raises:
            ValueError: `model` is the baseline, and there is none.
        """
        curves = self.candidate if model == CANDIDATE else self.baseline
        if curves is None:
            raise ValueError("evaluation: there is no baseline")
        return curves


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
        return _impressions(self.objectives, self.total)


@dataclass(frozen=True)
class Sessions:
    """What the session metrics were computed from.

    Attributes:
        utility: the weights of the objectives, and the k of NDCG at k and of the utility of the top k.
        share: the share of all sessions that they were computed from; below 1 only for a very large day.
        impressions_without: impressions without a session id, which are in no session metric.
    """

    utility: UtilityWeights
    share: float = 1.0
    impressions_without: int = 0

    @staticmethod
    def of(accumulator: Accumulator) -> "Sessions":
        """What the session metrics of an accumulator are computed from."""
        return Sessions(accumulator.utility, accumulator.session_share, accumulator.without_session)


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
            objectives=_objectives(overall),
            curves={
                name: ObjectiveCurves(curves, served.get(name)) for name, curves in overall.curves[CANDIDATE].items()
            },
            utility=overall.utility,
            sessions=sessions,
            slices=tuple(
                SliceEvaluation(dict(metrics.key), _objectives(metrics), metrics.utility, _with_gaps(metrics))
                for metrics in slices
                if metrics.key != OVERALL
            ),
            slices_dropped=tuple(slices_dropped),
            verdicts=tuple(v for v in verdicts if not v.slice or v.outcome == "failed" or v.refuses),
            slice_verdicts=dict(Counter(verdict.outcome for verdict in verdicts if verdict.slice)),
            total=_with_gaps(overall),
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
        return _impressions(self.objectives, self.total)

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
        own = [verdict for verdict in self.verdicts if verdict.objective == objective]
        overall = [verdict for verdict in own if not verdict.slice]
        if any(verdict.refuses for verdict in own):
            return "refused"
        if any(verdict.outcome == "too few" for verdict in overall):
            return "too few"
        return "passed" if overall else "no gate"

    def gate(self, objective: str) -> str:
        """The state of an objective, or of the utility, as text, with the metrics that are refused or undecided."""
        state = self.state(objective)
        own = [verdict for verdict in self.verdicts if verdict.objective == objective]
        if state == "refused":
            refusing = [f"{v.metric}{f' on {v.slice}' if v.slice else ''}" for v in own if v.refuses]
            return f"refused: {', '.join(dict.fromkeys(refusing))}"
        if state == "too few":
            few = TOO_FEW_SESSIONS if objective == BY_UTILITY else TOO_FEW
            return f"{few}: {', '.join(v.metric for v in own if not v.slice and v.outcome == 'too few')}"
        return state

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
        tables = [
            text_table(_HEADINGS, list(self._rows()), _NUMERIC),
            text_table(self._session_headings(), list(self._session_rows()), _SESSIONS_NUMERIC),
        ]
        return "\n".join([self._headline(), *tables, *map(sentence, self._notes())])

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{escape(sentence(note))}</p>" for note in self._notes())
        impressions = html_table(_HEADINGS, list(self._rows()), _NUMERIC)
        sessions = html_table(self._session_headings(), list(self._session_rows()), _SESSIONS_NUMERIC)
        return f"<p>{escape(self._headline())}</p>{impressions}{sessions}{notes}"

    def _headline(self) -> str:
        blessed_or_not = "Blessed" if self.blessed else "Not blessed"
        if self.blessed and not self.verdicts and not self.slice_verdicts:
            blessed_or_not = "No gate"
        baseline = f"compared with version {self.baseline.version}" if self.compared else "no baseline"
        return (
            f"{blessed_or_not}: {self.impressions:,} impressions, {100 * self.confidence:g} % intervals over viewers, "
            f"{baseline}"
        )

    def _rows(self) -> Iterator[tuple[str, ...]]:
        for name, objective in self.objectives.items():
            metrics = objective.candidate
            yield (
                name,
                f"{metrics.positives:,}",
                _with_interval(metrics.auc),
                _with_interval(metrics.o_over_e),
                _number(metrics.normalized_entropy.value),
                self.gate(name),
            )

    def _session_headings(self) -> tuple[str, ...]:
        k = self.sessions.utility.k
        return ("within sessions", "sessions", "GAUC", f"NDCG@{k}", f"utility of the top {k}", "gate")

    def _session_rows(self) -> Iterator[tuple[str, ...]]:
        utility = self.utility.candidate
        ndcg, top = _with_interval(utility.ndcg), _with_interval(utility.top_utility)
        yield (UTILITY, f"{utility.sessions:,}", "", ndcg, top, self.gate(BY_UTILITY))
        for name, objective in self.objectives.items():
            ranked = objective.candidate.ranking
            yield (name, f"{ranked.gauc_sessions:,}", _with_interval(ranked.gauc), _with_interval(ranked.ndcg), "", "")

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


def session_notes(share: float, impressions_without: int) -> Iterator[str]:
    """What session metrics leave out, as sentences; none if they cover everything.

    Args:
        share: the share of the sessions that they are computed from.
        impressions_without: impressions without a session id.
    """
    if share < 1.0:
        yield f"session metrics are computed from a sample of {100 * share:g} % of the sessions"
    if impressions_without:
        yield f"session metrics leave out {impressions_without:,} impressions without a session id"


def _objectives(metrics: SliceMetrics) -> dict[str, ObjectiveEvaluation]:
    return {
        name: ObjectiveEvaluation(candidate, metrics.baseline.get(name), metrics.comparison.get(name))
        for name, candidate in metrics.candidate.items()
    }


def _impressions(objectives: dict[str, ObjectiveEvaluation], total: int | None) -> int:
    if total is not None:
        return total
    return max((objective.candidate.impressions for objective in objectives.values()), default=0)


def _with_gaps(metrics: SliceMetrics) -> int | None:
    """The impressions of a slice if some outcome was not observed in some of them, else None."""
    gaps = any(candidate.impressions != metrics.total for candidate in metrics.candidate.values())
    return metrics.total if gaps else None


def observed_notes(observed: Mapping[str, float]) -> Iterator[str]:
    """One sentence on the objectives that were observed for some impressions only; none if all were.

    Args:
        observed: objective → share of the impressions of which the outcome was observed.
    """
    gaps = [f"{name} for {100 * share:.3g} %" for name, share in observed.items() if share < 1.0]
    if gaps:
        yield f"observed outcomes: {', '.join(gaps)} of the impressions; metrics leave out the others"


def _with_interval(estimate: Estimate) -> str:
    if not estimate.defined:
        return _UNDEFINED
    return f"{_number(estimate.value)} [{_number(estimate.lower)}, {_number(estimate.upper)}]"


def _number(value: float) -> str:
    if math.isnan(value):
        return _UNDEFINED
    return f"{value:.3f}" if math.isfinite(value) else ("∞" if value > 0 else "−∞")
