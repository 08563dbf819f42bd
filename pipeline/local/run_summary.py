"""The run summary: the typed content of `summary.json`, for users, schedulers and a later backfill."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pipeline.local.metrics_summary import GateSummary, ObjectiveSummary, UtilitySummary
from ranker.documents import read_json, write_json
from ranker.evaluation.baseline import Baseline
from ranker.evaluation.held_out_day import HeldOutDay
from ranker.evaluation.leakage import Leak
from ranker.evaluation.verdict import Outcome
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
        peak_memory: largest resident memory of the runner's process meanwhile, in bytes; None where unknown, as of a
            component that ran in a process of its own, or came from the cache.
    """

    component: str
    state: str
    cached: bool
    seconds: float
    rows: int | None
    cpu_seconds: float | None = None
    peak_memory: int | None = None


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
        judging: fingerprint of the gates and slices; "" in a summary of an earlier version.
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
    judging: str = ""
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
