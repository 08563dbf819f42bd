"""One day's run on this machine, without terminal output: prepare, run, summarise, and remove old artifacts."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline

from pipeline.beam import beam_args
from pipeline.local.dag_runner import ComponentRun, ObservedDagRunner, State, describe
from pipeline.local.day_plan import DayPlan
from pipeline.local.monitor import record_run
from pipeline.local.retention import remove_old_artifacts, remove_unregistered_artifacts
from pipeline.local.run_summary import Failure, MonitoringSummary, RunSummary, write_summary
from pipeline.local.summary import (
    copy_report,
    copy_tensorboard,
    evaluation_of,
    summarise,
    training_length,
    training_notes,
)
from pipeline.local.unchanged import forget, remember
from pipeline.pipeline import create_pipeline
from ranker.command_line import explained
from ranker.config.documents import to_json
from ranker.monitoring.history import PAGE
from ranker.plain_text import without_secrets
from ranker.registry.start import NO_VERSION
from ranker.registry.versions import complete_versions, find_serving_version, find_training, read_manifest
from ranker.storage import join, parent_and_name

RUNNER = "the runner"
"""What failed if a run stopped outside of its components."""

_NOT_MONITORED = MonitoringSummary(page=None, error="the run was stopped before the health of its day was recorded")

# What the summary reads beside the evaluation: who wrote it, how it is read, and what it is.
_TRAINING: tuple[tuple[str, Callable[[Sequence[ComponentRun]], object], str], ...] = (
    ("ForestTrainer", training_notes, "the training curve of the forest"),
    ("TowerTrainer", training_length, "the history of the towers' training"),
)

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class DayRun:
    """A prepared run of one day.

    Attributes:
        plan: what is to be run.
        pipeline: the complete pipeline.
    """

    plan: DayPlan
    pipeline: Pipeline


def prepare(plan: DayPlan) -> DayRun:
    """Prepares the run of a planned day."""
    pipeline = create_pipeline(
        plan.config,
        feed_log=str(plan.feed_log),
        day=plan.day,
        pipeline_root=str(plan.workdir.artifacts),
        push_destination=plan.workdir.push_destination,
        source_fingerprint=plan.training.data,
        baseline=plan.baseline,
        publish_withdrawn="true" if plan.publish_withdrawn else "false",
        push="true" if plan.push else "false",
        replaces=plan.replaces,
        destination_state=plan.destination_state,
        parent_version=plan.start.parent or NO_VERSION,
        effects_plan=to_json(plan.effects) if plan.effects is not None else "",
        metadata_connection_config=_connection(plan),
        beam_pipeline_args=beam_args(plan.config.beam_pipeline_args),
    )
    return DayRun(plan, pipeline)


def run_day(
    prepared: DayRun, run_id: str, on_start: Callable[[str], None], on_end: Callable[[ComponentRun], None]
) -> RunSummary:
    """Runs a day, writes its summary, and removes the artifacts of runs that are older than the config keeps.

    Whatever fails once the components run, the summary is written and says it: a model may have been pushed already.

    Args:
        prepared: the day.
        run_id: name of the folder for the summary and the report.
        on_start: called with each component's id before it is launched.
        on_end: called with each component's outcome.

    Returns:
        The summary; `exit_status` gives its exit status.
    """
    plan = prepared.plan
    folder = plan.workdir.run(run_id)
    forget(plan.workdir)
    runner = ObservedDagRunner(on_start, on_end)
    failure: Failure | None = None
    try:
        remove_unregistered_artifacts(_connection(plan), plan.workdir.artifacts)
        runner.run(prepared.pipeline)
    except Exception as error:
        _LOG.exception("the run stopped outside of its components")
        failure = Failure(RUNNER, describe(error))
    except BaseException as error:
        # A model may have been pushed already, and the summary has to tell it.
        stopped = Failure(RUNNER, f"stopped by {type(error).__name__}")
        _write(folder, _summarise(plan, run_id, runner.runs, stopped))
        for run in runner.runs:
            if run.state is State.FAILED:
                error.add_note(f"{run.component} failed before that: {run.error}")
        raise
    summary = _summarise(plan, run_id, runner.runs, failure)
    if summary.status == "complete":
        # Written now as well, as a killed process cannot write it later.
        _write(folder, replace(summary, monitoring=_NOT_MONITORED))
        summary = replace(summary, monitoring=_record_health(plan, summary, runner.runs))
    summary = _write(folder, summary)
    if summary.status == "complete" and _remove_old_artifacts(plan):
        remember(plan, summary)
    return summary


def _write(folder: Path, summary: RunSummary) -> RunSummary:
    """Writes the summary; returns it as it is, or with the failure to write it: a model may have been pushed."""
    try:
        write_summary(folder, summary)
    except OSError as error:
        _LOG.exception("the summary could not be written")
        unwritten = Failure(RUNNER, f"the summary could not be written: {explained(error)}")
        return replace(summary, status="failed", failure=summary.failure or unwritten)
    return summary


def _summarise(plan: DayPlan, run_id: str, runs: Sequence[ComponentRun], failure: Failure | None) -> RunSummary:
    """The summary of a run, whatever of its outputs can be read."""
    problems: list[str] = []
    report: Path | None = None
    try:
        report = copy_report(plan.workdir.run(run_id), runs)
    except OSError as error:
        _LOG.exception("the calibration report could not be copied")
        problems.append(f"the calibration report could not be copied: {explained(error)}")
    tensorboard: Path | None = None
    try:
        tensorboard = copy_tensorboard(plan.workdir.run(run_id), runs)
    except OSError as error:
        _LOG.exception("the event files for TensorBoard could not be copied")
        problems.append(f"the event files for TensorBoard could not be copied: {explained(error)}")
    for component, read, what in _TRAINING:
        try:
            read(runs)
        except (ValueError, OSError) as error:
            _LOG.exception("%s could not be read", what)
            problems.append(f"{what} could not be read: {explained(error)}")
            runs = [replace(run, outputs={}) if run.component == component else run for run in runs]
    try:
        evaluation_of(runs)
    except (ValueError, OSError) as error:
        _LOG.exception("the evaluation could not be read")
        failure = failure or Failure("Evaluator", str(error))
        runs = [replace(run, outputs={}) if run.component == "Evaluator" else run for run in runs]
    summary = summarise(
        run_id,
        plan.config,
        plan.day,
        plan.feed_log,
        runs,
        report,
        plan.start,
        plan.training,
    )
    if failure is not None:
        summary = replace(summary, status="failed", failure=_both(failure, summary.failure))
    try:
        summary = _with_pushed(plan, summary, runs)
    except OSError as error:
        _LOG.exception("the push destination could not be read")
        problems.append(f"the push destination could not be read: {explained(error)}")
    kept = str(tensorboard) if tensorboard is not None else None
    return replace(summary, push=plan.push, tensorboard=kept, problems=tuple(problems))


def _both(failure: Failure, of_component: Failure | None) -> Failure:
    """One failure of a run in which a component may have failed as well."""
    if of_component is None or failure.component != RUNNER:
        return of_component or failure
    # The run still waited for the component beside the one that failed.
    return Failure(RUNNER, f"{failure.error}, after {of_component.component} failed: {of_component.error}")


def _with_pushed(plan: DayPlan, summary: RunSummary, runs: Sequence[ComponentRun]) -> RunSummary:
    """The summary with the pushed version as the push destination shows it.

    Raises:
        OSError: the destination cannot be read, as its store does not answer.
    """
    if summary.status == "failed" and summary.pushed_model is None:
        # Pusher itself may have failed after the push.
        return replace(summary, pushed_model=_serving_of(plan))
    if summary.status == "complete" and any(run.component == "Pusher" and run.state is State.CACHED for run in runs):
        return _with_pushed_earlier(plan, summary)
    return summary


def _with_pushed_earlier(plan: DayPlan, summary: RunSummary) -> RunSummary:
    """A summary whose model an earlier run pushed, in case that version was removed from the destination since."""
    destination = plan.workdir.push_destination
    if summary.pushed_model is None or parent_and_name(summary.pushed_model)[1] in complete_versions(destination):
        return summary
    again = find_training(destination, plan.training.fingerprint)
    if again is not None:
        return replace(summary, pushed_model=without_secrets(join(destination, again)))
    removed = (
        f"this model was pushed to {summary.pushed_model} by an earlier run, and is not there any more; "
        "--publish-withdrawn publishes it again"
    )
    return replace(summary, pushed_model=None, not_pushed=removed)


def _serving_of(plan: DayPlan) -> str | None:
    """The path of the serving version if its model is of this training."""
    destination = plan.workdir.push_destination
    version = find_serving_version(destination)
    manifest = read_manifest(destination, version) if version is not None else None
    if version is None or manifest is None or manifest.training_fingerprint != plan.training.fingerprint:
        return None
    return without_secrets(join(destination, version))


def _record_health(plan: DayPlan, summary: RunSummary, runs: Sequence[ComponentRun]) -> MonitoringSummary:
    """Adds the day to the monitor's history. The model is pushed already, so an error is reported and fails no run."""
    try:
        evaluation = evaluation_of(runs)
        assert evaluation is not None, "a complete run has an evaluation"
        record = record_run(plan.config, plan.workdir, plan.feed_log, plan.day, summary, evaluation)
    except Exception as error:
        _LOG.exception("the health of %s could not be recorded", plan.day)
        return MonitoringSummary(page=None, error=describe(error))
    return MonitoringSummary(page=str(plan.workdir.monitoring / PAGE), alarms=record.alarms)


def _remove_old_artifacts(plan: DayPlan) -> bool:
    """Removes the artifacts of old runs; returns whether it succeeded."""
    try:
        remove_old_artifacts(_connection(plan), plan.workdir.artifacts, plan.config.retention.runs)
    except Exception:
        # The run is complete and its summary is written; the next run removes the remaining artifacts.
        _LOG.exception("artifacts of old runs could not be removed")
        return False
    return True


def _connection(plan: DayPlan) -> metadata_store_pb2.ConnectionConfig:
    return metadata.sqlite_metadata_connection_config(str(plan.workdir.metadata))
