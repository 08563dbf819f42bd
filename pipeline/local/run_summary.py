"""The run summary: the typed content of `summary.json`, for users, schedulers and a later backfill."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ranker.documents import read_json, write_json
from ranker.evaluation.baseline import Baseline
from ranker.evaluation.evaluated_slice import ObjectiveEvaluation
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.gate_states import State
from ranker.evaluation.gates import BY_UTILITY, Outcome, Verdict
from ranker.evaluation.held_out_day import HeldOutDay
from ranker.evaluation.intervals import Estimate
from ranker.evaluation.leakage import Leak
from ranker.evaluation.references import References
from ranker.evaluation.session_metrics import UtilityMetrics
from ranker.evaluation.summary import ObjectiveMetrics
from ranker.files import write_text
from ranker.identity.training import TrainingIdentity
from ranker.registry.plan import StartPlan

DONE, FAILED, NOT_BLESSED = 0, 1, 3

SUMMARY_FILE = "summary.json"


@dataclass(frozen=True)
class Failure:
    """What failed, and the message of its error.

    Attributes:
        component: the component, or `the runner` if the run stopped outside of its components.
        error: the message.
    """

    component: str
    error: str


@dataclass(frozen=True)
class ComponentSummary:
    """One component of a run.

    Attributes:
        component: its id.
        state: `ran`, `cached` or `failed`.
        cached: whether its outputs came from the cache.
        seconds: from its launch to its end.
        rows: number of rows that it reads, or None if it reads none.
        cpu_seconds: CPU time on this machine; None in a summary of an earlier version.
    """

    component: str
    state: str
    cached: bool
    seconds: float
    rows: int | None
    cpu_seconds: float | None = None


@dataclass(frozen=True)
class TrainingLength:
    """How long the towers were trained: `steps` in batches of `batch_size` impressions, `epochs` passes over them."""

    steps: int
    epochs: int
    batch_size: int


@dataclass(frozen=True)
class MonitoringSummary:
    """The health of the evaluated day.

    Attributes:
        page: path of the monitor's page, or None if the day could not be monitored.
        alarms: one line per alarm.
        error: why the day could not be monitored, or None.
    """

    page: str | None
    alarms: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class MetricsSummary:
    """Metrics of one model and objective over all impressions; None for undefined values and open interval ends."""

    impressions: int
    positives: int
    auc: float | None = None
    auc_lower: float | None = None
    auc_upper: float | None = None
    o_over_e: float | None = None
    o_over_e_lower: float | None = None
    o_over_e_upper: float | None = None
    o_over_e_variance: float | None = None
    viewer_groups: int = 0
    mean_prediction: float | None = None
    normalized_entropy: float | None = None
    normalized_entropy_lower: float | None = None
    normalized_entropy_upper: float | None = None
    log_loss: float | None = None
    expected_calibration_error: float | None = None
    gauc: float | None = None
    gauc_lower: float | None = None
    gauc_upper: float | None = None
    gauc_sessions: int = 0
    ndcg: float | None = None
    ndcg_lower: float | None = None
    ndcg_upper: float | None = None
    ndcg_sessions: int = 0


@dataclass(frozen=True)
class ObjectiveSummary(MetricsSummary):
    """One objective on the held-out day: the candidate's metrics, and the comparison with the baseline.

    Attributes:
        observed: share of the impressions of which the outcome was observed; metrics leave out the others.
        state: what the gates say: `refused`, `too few` positives to judge, `passed`, or `no gate`.
        gate: the state as text, with the metrics that are refused or have too few positives.
        baseline: metrics of the serving model, or None without a comparison.
        forest: metrics of the forest alone, or None where it was not measured or predicts no single objective.
        base_rate: metrics of predicting the base rate of the training for every impression, or None.
        auc_drop: the serving model's AUC minus the candidate's.
        normalized_entropy_growth: the candidate's normalized entropy minus the serving model's.
        calibration_worsening: |log O/E| of the candidate minus that of the serving model.
        gauc_drop: the serving model's AUC within sessions minus the candidate's.
        ndcg_drop: the serving model's NDCG at k minus the candidate's.
    """

    observed: float = 1.0
    state: State = "no gate"
    gate: str = ""
    baseline: MetricsSummary | None = None
    forest: MetricsSummary | None = None
    base_rate: MetricsSummary | None = None
    auc_drop: float | None = None
    auc_drop_lower: float | None = None
    auc_drop_upper: float | None = None
    normalized_entropy_growth: float | None = None
    normalized_entropy_growth_lower: float | None = None
    normalized_entropy_growth_upper: float | None = None
    calibration_worsening: float | None = None
    calibration_worsening_lower: float | None = None
    calibration_worsening_upper: float | None = None
    gauc_drop: float | None = None
    gauc_drop_lower: float | None = None
    gauc_drop_upper: float | None = None
    ndcg_drop: float | None = None
    ndcg_drop_lower: float | None = None
    ndcg_drop_upper: float | None = None


@dataclass(frozen=True)
class UtilityMetricsSummary:
    """How one model ranks sessions by its utility; see `ranker.evaluation.session_metrics.UtilityMetrics`."""

    sessions: int
    top_utility: float | None = None
    top_utility_lower: float | None = None
    top_utility_upper: float | None = None
    ndcg: float | None = None
    ndcg_lower: float | None = None
    ndcg_upper: float | None = None
    ndcg_sessions: int = 0


@dataclass(frozen=True)
class UtilitySummary(UtilityMetricsSummary):
    """How the candidate ranks the sessions of the held-out day by its utility, compared with the baseline.

    Attributes:
        state: what the gates say: `refused`, `too few` sessions to judge, `passed`, or `no gate`.
        gate: the state as text, with the metrics that are refused or undecided.
        k: of NDCG at k and of the utility of the top k, for the objectives too.
        weights: objective → its factor in the utility.
        session_share: the share of all sessions that session metrics are computed from.
        impressions_without_session: impressions in no session metric, as they have no session id.
        baseline: metrics of the serving model, or None without a comparison.
        utility_drop: the share of the serving model's utility of the top k that the candidate loses.
        ndcg_drop: the serving model's NDCG of the utility minus the candidate's.
    """

    state: State = "no gate"
    gate: str = ""
    k: int = 0
    weights: dict[str, float] = field(default_factory=dict)
    session_share: float = 1.0
    impressions_without_session: int = 0
    baseline: UtilityMetricsSummary | None = None
    utility_drop: float | None = None
    utility_drop_lower: float | None = None
    utility_drop_upper: float | None = None
    ndcg_drop: float | None = None
    ndcg_drop_lower: float | None = None
    ndcg_drop_upper: float | None = None


@dataclass(frozen=True)
class GateSummary:
    """The verdict of one gate; see `ranker.evaluation.gates.Verdict`. `objective` is "" for the ranking by the
    utility, and `slice` is "" for all impressions.
    """

    objective: str
    slice: str
    metric: str
    value: float | None
    lower: float | None
    upper: float | None
    limit: tuple[float | None, float | None]
    outcome: Outcome
    passed: bool
    blocking: bool
    text: str
    positives_needed: int | None = None


@dataclass(frozen=True)
class RunSummary:
    """One run.

    Attributes:
        run_id: name of the folder of the run.
        config: name of the config.
        day: the held-out day, YYYY-MM-DD.
        feed_log: path of the feed log.
        status: whether every component succeeded.
        training_fingerprint: of `training`.
        training: the identity of the training: recipe, data, day and start.
        start: how the training started and why, and the `parent` that it continued from.
        failure: what failed, or None. A model may have been pushed before; `pushed_model` says so.
        rows: per split; `replay` only if days were replayed.
        rows_per_day: by day, oldest first.
        missing_days: days of the window without a folder.
        feed_log_warnings: what is unusual about the rows of the feed log.
        training_length: how long the towers were trained; None if they were not.
        training_notes: what to know about the training, a sentence each.
        objectives: metrics over all impressions of the held-out day; empty without an evaluation.
        utility: how the day's sessions are ranked by the utility; None without an evaluation.
        gates: every verdict over all impressions, and the verdicts on slices that failed or block the model.
        slice_gates: outcome → number of gates on slices with it.
        slices_dropped: kinds of slices that were dropped because they have too many values.
        held_out_day: the size of the held-out day, compared with the days before it; None without an evaluation.
        leaks: feature columns that tell an outcome, those that the config vouches for too.
        baseline: the version that the candidate was compared with, and why it is not the serving one or was dropped, if
            so; None without an evaluation.
        report: path of the calibration report, or None.
        tensorboard: path of the event files of the towers' training, for TensorBoard, or None.
        blessed: whether no gate blocked the model; None without an evaluation.
        pushed_model: path of the pushed version, or None if nothing was pushed.
        not_pushed: why a blessed model was not pushed, or None.
        push: whether a blessed model was to be pushed; `--no-push` says no.
        monitoring: the health of the day; None for a failed run.
        problems: what failed after the components, one line each; it does not change the exit status.
        components: in the order in which they ran.
    """

    run_id: str
    config: str
    day: str
    feed_log: str
    status: Literal["complete", "failed"]
    training_fingerprint: str = ""
    training: TrainingIdentity | None = None
    start: StartPlan | None = None
    failure: Failure | None = None
    rows: dict[str, int] = field(default_factory=dict)
    rows_per_day: dict[str, int] = field(default_factory=dict)
    missing_days: tuple[str, ...] = ()
    feed_log_warnings: tuple[str, ...] = ()
    training_length: TrainingLength | None = None
    training_notes: tuple[str, ...] = ()
    objectives: dict[str, ObjectiveSummary] = field(default_factory=dict)
    utility: UtilitySummary | None = None
    gates: tuple[GateSummary, ...] = ()
    slice_gates: dict[Outcome, int] = field(default_factory=dict)
    slices_dropped: tuple[tuple[str, ...], ...] = ()
    held_out_day: HeldOutDay | None = None
    leaks: tuple[Leak, ...] = ()
    baseline: Baseline | None = None
    report: str | None = None
    tensorboard: str | None = None
    blessed: bool | None = None
    pushed_model: str | None = None
    not_pushed: str | None = None
    push: bool = True
    monitoring: MonitoringSummary | None = None
    problems: tuple[str, ...] = ()
    components: tuple[ComponentSummary, ...] = ()

    def to_json(self) -> str:
        """The summary as one JSON object, indented."""
        return write_json(self, indent=2)

    @staticmethod
    def from_json(text: str, name: str = "summary.json") -> "RunSummary":
        """Reads the output of `to_json`.

        Args:
            text: the file's content.
            name: its path, for the message.

        Raises:
            DocumentError: the text is not a run summary.
        """
        return read_json(RunSummary, text, name)


def exit_status(summary: RunSummary) -> int:
    """0 blessed and pushed (or not to be pushed), 1 a component failed, 3 not blessed, or blessed but withdrawn."""
    if summary.status == "failed":
        return FAILED
    return DONE if summary.blessed and (summary.not_pushed is None or not summary.push) else NOT_BLESSED


def write_summary(folder: Path, summary: RunSummary) -> Path:
    """Writes `summary.json` into a run's folder and returns its path."""
    path = folder / SUMMARY_FILE
    write_text(path, summary.to_json() + "\n")
    return path


def summarise_objectives(evaluation: Evaluation) -> dict[str, ObjectiveSummary]:
    """Every objective of an evaluation, over all impressions."""
    return {
        name: _objective(
            found,
            evaluation.state(name),
            evaluation.gate(name),
            evaluation.references.get(name, References()),
            evaluation.observed(name),
        )
        for name, found in evaluation.objectives.items()
    }


def summarise_utility(evaluation: Evaluation) -> UtilitySummary:
    """The ranking by the utility, over all sessions."""
    utility, sessions = evaluation.utility, evaluation.sessions
    compared: dict[str, Any] = {}
    if utility.comparison is not None:
        compared |= _bounded("utility_drop", utility.comparison.utility_drop)
        compared |= _bounded("ndcg_drop", utility.comparison.ndcg_drop)
    return UtilitySummary(
        **_utility_metrics(utility.candidate),
        state=evaluation.state(BY_UTILITY),
        gate=evaluation.gate(BY_UTILITY),
        k=sessions.utility.k,
        weights=sessions.utility.weights,
        session_share=sessions.share,
        impressions_without_session=sessions.impressions_without,
        baseline=UtilityMetricsSummary(**_utility_metrics(utility.baseline)) if utility.baseline is not None else None,
        **compared,
    )


def summarise_gates(verdicts: Iterable[Verdict]) -> tuple[GateSummary, ...]:
    """The verdicts in the same order."""
    return tuple(
        GateSummary(
            objective=verdict.objective,
            slice=verdict.slice,
            metric=verdict.metric,
            value=_finite(verdict.value),
            lower=_finite(verdict.lower),
            upper=_finite(verdict.upper),
            limit=verdict.limit,
            outcome=verdict.outcome,
            passed=verdict.passed,
            blocking=verdict.blocking,
            text=verdict.text,
            positives_needed=verdict.positives_needed,
        )
        for verdict in verdicts
    )


def _objective(
    evaluated: ObjectiveEvaluation, state: State, gate: str, references: References, observed: float
) -> ObjectiveSummary:
    compared: dict[str, Any] = {}
    if evaluated.comparison is not None:
        compared |= _bounded("auc_drop", evaluated.comparison.auc_drop)
        compared |= _bounded("normalized_entropy_growth", evaluated.comparison.normalized_entropy_growth)
        compared |= _bounded("calibration_worsening", evaluated.comparison.calibration_worsening)
        compared |= _bounded("gauc_drop", evaluated.comparison.gauc_drop)
        compared |= _bounded("ndcg_drop", evaluated.comparison.ndcg_drop)
    return ObjectiveSummary(
        **_metrics(evaluated.candidate),
        observed=observed,
        state=state,
        gate=gate,
        baseline=_metrics_summary(evaluated.baseline),
        forest=_metrics_summary(references.forest),
        base_rate=_metrics_summary(references.base_rate),
        **compared,
    )


def _metrics_summary(metrics: ObjectiveMetrics | None) -> MetricsSummary | None:
    return MetricsSummary(**_metrics(metrics)) if metrics is not None else None


def _metrics(metrics: ObjectiveMetrics) -> dict[str, Any]:
    return {
        "impressions": metrics.impressions,
        "positives": metrics.positives,
        **_bounded("auc", metrics.auc),
        **_bounded("o_over_e", metrics.o_over_e),
        "o_over_e_variance": _finite(metrics.o_over_e_variance),
        "viewer_groups": metrics.viewer_groups,
        "mean_prediction": _finite(metrics.mean_prediction),
        **_bounded("normalized_entropy", metrics.normalized_entropy),
        "log_loss": _finite(metrics.log_loss),
        "expected_calibration_error": _finite(metrics.expected_calibration_error),
        **_bounded("gauc", metrics.ranking.gauc),
        "gauc_sessions": metrics.ranking.gauc_sessions,
        **_bounded("ndcg", metrics.ranking.ndcg),
        "ndcg_sessions": metrics.ranking.ndcg_sessions,
    }


def _utility_metrics(metrics: UtilityMetrics) -> dict[str, Any]:
    return {
        "sessions": metrics.sessions,
        **_bounded("top_utility", metrics.top_utility),
        **_bounded("ndcg", metrics.ndcg),
        "ndcg_sessions": metrics.ndcg_sessions,
    }


def _bounded(name: str, estimate: Estimate) -> dict[str, float | None]:
    return {
        name: _finite(estimate.value),
        f"{name}_lower": _finite(estimate.lower),
        f"{name}_upper": _finite(estimate.upper),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
