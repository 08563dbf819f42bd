"""One day's run on this machine, without terminal output: prepare, run, summarise, and remove old artifacts."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline

from pipeline.beam import beam_args
from pipeline.local.dag_runner import ComponentRun, ObservedDagRunner, describe
from pipeline.local.monitor import record_run
from pipeline.local.retention import remove_old_artifacts
from pipeline.local.run_summary import Failure, MonitoringSummary, RunSummary
from pipeline.local.summary import copy_report, evaluation_of, summarise, write_summary
from pipeline.local.workdir import Workdir
from pipeline.pipeline import create_pipeline, plan_start, recipe
from ranker.command_line import explained
from ranker.config.pipeline import PipelineConfig
from ranker.documents import DocumentError
from ranker.feed_log.fingerprint import KnownDigests, source_fingerprint
from ranker.feed_log.layout import window_days
from ranker.identity.training import TrainingIdentity, identify
from ranker.monitoring.history import PAGE
from ranker.registry.baseline import choose_baseline
from ranker.registry.plan import StartPlan
from ranker.registry.start import NO_VERSION
from ranker.registry.versions import find_serving_version, read_manifest
from ranker.registry.withdrawal import destination_state
from ranker.towers.workers import check_strategy

DONE, FAILED, NOT_BLESSED = 0, 1, 3

RUNNER = "the runner"
"""What failed if a run stopped outside of its components."""

_NOT_MONITORED = MonitoringSummary(page=None, error="the run was stopped before the health of its day was recorded")

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class DayRun:
    """A prepared run of one day.

    Attributes:
        config, workdir, feed_log, day: the settings of the run.
        start: what its training starts from.
        training: the identity of its training.
        pipeline: the complete pipeline.
    """

    config: PipelineConfig
    workdir: Workdir
    feed_log: Path
    day: date
    start: StartPlan
    training: TrainingIdentity
    pipeline: Pipeline


def prepare(
    config: PipelineConfig,
    workdir: Workdir,
    feed_log: Path,
    day: date,
    refit: bool = False,
    publish_withdrawn: bool = False,
) -> DayRun:
    """Prepares a run from the feed log and the push destination.

    Args:
        refit: start cold, whatever the cadence is.
        publish_withdrawn: publish the model even if a rollback withdrew it.

    Raises:
        FeedLogError: a file of the window is not Parquet, or incomplete.
        StrategyError: this machine lacks the devices that the towers are trained on.
    """
    check_strategy(config.training.strategy)
    source = source_fingerprint(feed_log, window_days(day, config.train_days), KnownDigests.load(workdir.digests))
    destination = str(workdir.serving_model)
    start = plan_start(config, destination, day, refit)
    training = identify(day, recipe(config), source, start.start, start.parent_training)
    pipeline = create_pipeline(
        config,
        feed_log=str(feed_log),
        day=day,
        pipeline_root=str(workdir.artifacts),
        push_destination=destination,
        source_fingerprint=source,
        baseline=choose_baseline(destination, day, training.fingerprint),
        publish_withdrawn="true" if publish_withdrawn else "false",
        destination_state=destination_state(destination, training.fingerprint),
        parent_version=start.parent or NO_VERSION,
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(workdir.metadata)),
        beam_pipeline_args=beam_args(config.beam_pipeline_args),
    )
    return DayRun(config, workdir, feed_log, day, start, training, pipeline)


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
    folder = prepared.workdir.run(run_id)
    runner = ObservedDagRunner(on_start, on_end)
    failure: Failure | None = None
    try:
        runner.run(prepared.pipeline)
    except Exception as error:
        _LOG.exception("the run stopped outside of its components")
        failure = Failure(RUNNER, describe(error))
    except BaseException as error:
        # A model may have been pushed already, and the summary has to tell it.
        stopped = Failure(RUNNER, f"stopped by {type(error).__name__}")
        write_summary(folder, _summarise(prepared, run_id, runner.runs, stopped))
        raise
    summary = _summarise(prepared, run_id, runner.runs, failure)
    if summary.status == "complete":
        # Written now as well, as a killed process cannot write it later.
        write_summary(folder, replace(summary, monitoring=_NOT_MONITORED))
        summary = replace(summary, monitoring=_record_health(prepared, summary, runner.runs))
    write_summary(folder, summary)
    if summary.status == "complete":
        _remove_old_artifacts(prepared)
    return summary


def _summarise(prepared: DayRun, run_id: str, runs: Sequence[ComponentRun], failure: Failure | None) -> RunSummary:
    """The summary of a run, whatever of its outputs can be read."""
    problems: list[str] = []
    report: Path | None = None
    try:
        report = copy_report(prepared.workdir.run(run_id), runs)
    except OSError as error:
        _LOG.exception("the calibration report could not be copied")
        problems.append(f"the calibration report could not be copied: {explained(error)}")
    try:
        evaluation_of(runs)
    except (DocumentError, OSError) as error:
        _LOG.exception("the evaluation could not be read")
        failure = failure or Failure("Evaluator", str(error))
        runs = [replace(run, outputs={}) if run.component == "Evaluator" else run for run in runs]
    summary = summarise(
        run_id,
        prepared.config,
        prepared.day,
        prepared.feed_log,
        runs,
        report,
        prepared.start,
        prepared.training,
    )
    if failure is not None and summary.failure is None:
        summary = replace(summary, status="failed", failure=failure)
    if summary.status == "failed" and summary.pushed_model is None:
        # Pusher itself may have failed after the push.
        summary = replace(summary, pushed_model=_serving_of(prepared))
    return replace(summary, problems=tuple(problems))


def _serving_of(prepared: DayRun) -> str | None:
    """The path of the serving version if its model is of this training."""
    destination = str(prepared.workdir.serving_model)
    version = find_serving_version(destination)
    manifest = read_manifest(destination, version) if version is not None else None
    if manifest is None or manifest.training_fingerprint != prepared.training.fingerprint:
        return None
    return f"{destination}/{version}"


def _record_health(prepared: DayRun, summary: RunSummary, runs: Sequence[ComponentRun]) -> MonitoringSummary:
    """Adds the day to the monitor's history. The model is pushed already, so an error is reported and fails no run."""
    config, workdir, feed_log = prepared.config, prepared.workdir, prepared.feed_log
    try:
        evaluation = evaluation_of(runs)
        assert evaluation is not None, "a complete run has an evaluation"
        record = record_run(config, workdir, feed_log, prepared.day, summary, evaluation)
    except Exception as error:
        _LOG.exception("the health of %s could not be recorded", prepared.day)
        return MonitoringSummary(page=None, error=describe(error))
    return MonitoringSummary(page=str(workdir.monitoring / PAGE), alarms=record.alarms)


def _remove_old_artifacts(prepared: DayRun) -> None:
    workdir = prepared.workdir
    try:
        connection = metadata.sqlite_metadata_connection_config(str(workdir.metadata))
        remove_old_artifacts(connection, workdir.artifacts, prepared.config.retention.runs)
    except Exception:
        # The run is complete and its summary is written; the next run removes the remaining artifacts.
        _LOG.exception("artifacts of old runs could not be removed")


def later_model(workdir: Workdir, day: date) -> tuple[str, str] | None:
    """The serving version and its day, if it is after `day`: a model for `day` would replace a newer one."""
    destination = str(workdir.serving_model)
    version = find_serving_version(destination)
    if version is None:
        return None
    manifest = read_manifest(destination, version)
    trained_for = manifest.eval_day if manifest is not None else ""
    return (version, trained_for) if trained_for > day.isoformat() else None


def exit_status(summary: RunSummary) -> int:
    """0 blessed and pushed, 1 a component failed, 3 not blessed, or blessed but withdrawn."""
    if summary.status == "failed":
        return FAILED
    return DONE if summary.blessed and summary.not_pushed is None else NOT_BLESSED
