"""One day's run on this machine, without terminal output: prepare, run, summarise, and remove old artifacts."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline

from pipeline.beam import beam_args
from pipeline.local.dag_runner import ComponentRun, ObservedDagRunner
from pipeline.local.monitor import record_run
from pipeline.local.retention import remove_old_artifacts
from pipeline.local.run_summary import MonitoringSummary, RunSummary
from pipeline.local.summary import copy_report, evaluation_of, summarise, write_summary
from pipeline.local.workdir import Workdir
from pipeline.pipeline import create_pipeline, plan_start, recipe
from ranker.config.pipeline import PipelineConfig
from ranker.evaluation.evaluation import Evaluation
from ranker.feed_log.fingerprint import KnownDigests, source_fingerprint
from ranker.feed_log.layout import FeedLogError, window_days
from ranker.identity.training import TrainingIdentity, identify
from ranker.monitoring.history import PAGE, HistoryError
from ranker.registry.start import NO_VERSION, StartPlan
from ranker.registry.versions import find_serving_version, read_manifest
from ranker.towers.workers import check_strategy

DONE, FAILED, NOT_BLESSED = 0, 1, 3

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


def prepare(config: PipelineConfig, workdir: Workdir, feed_log: Path, day: date, refit: bool = False) -> DayRun:
    """Prepares a run from the feed log and the serving model.

    Args:
        refit: start cold, whatever the cadence is.

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
        serving_version=find_serving_version(destination, training.fingerprint) or NO_VERSION,
        parent_version=start.parent or NO_VERSION,
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(workdir.metadata)),
        beam_pipeline_args=beam_args(config.beam_pipeline_args),
    )
    return DayRun(config, workdir, feed_log, day, start, training, pipeline)


def run_day(
    prepared: DayRun, run_id: str, on_start: Callable[[str], None], on_end: Callable[[ComponentRun], None]
) -> RunSummary:
    """Runs a day, writes its summary, and removes the artifacts of runs that are older than the config keeps.

    Args:
        prepared: the day.
        run_id: name of the folder for the summary and the report.
        on_start: called with each component's id before it is launched.
        on_end: called with each component's outcome.

    Returns:
        The summary; `exit_status` gives its exit status.
    """
    config, workdir = prepared.config, prepared.workdir
    runner = ObservedDagRunner(on_start, on_end)
    with _bug_reports_in_log():
        runner.run(prepared.pipeline)
    folder = workdir.run(run_id)
    summary = summarise(
        run_id,
        config,
        prepared.day,
        prepared.feed_log,
        runner.runs,
        copy_report(folder, runner.runs),
        prepared.start,
        prepared.training,
    )
    if summary.status == "complete":
        evaluation = evaluation_of(runner.runs)
        assert evaluation is not None, "a complete run has an evaluation"
        summary = replace(summary, monitoring=_record_health(prepared, summary, evaluation))
    write_summary(folder, summary)
    if summary.status == "complete":
        try:
            connection = metadata.sqlite_metadata_connection_config(str(workdir.metadata))
            remove_old_artifacts(connection, workdir.artifacts, config.retention.runs)
        except OSError as error:
            # The run is complete and its summary is written; the next run removes the remaining artifacts.
            _LOG.warning("artifacts of old runs could not be removed: %s", error)
    return summary


def _record_health(prepared: DayRun, summary: RunSummary, evaluation: Evaluation) -> MonitoringSummary:
    """Adds the day to the monitor's history; an error is reported and does not fail the run."""
    config, workdir, feed_log = prepared.config, prepared.workdir, prepared.feed_log
    try:
        record = record_run(config, workdir, feed_log, prepared.day, summary, evaluation)
    except (FeedLogError, HistoryError, OSError) as error:
        _LOG.warning("the health of %s could not be recorded: %s", prepared.day, error)
        return MonitoringSummary(page=None, error=str(error))
    return MonitoringSummary(page=str(workdir.monitoring / PAGE), alarms=record.alarms)


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
    """0 blessed and pushed, 1 a component failed, 3 not blessed."""
    if summary.status == "failed":
        return FAILED
    return DONE if summary.blessed else NOT_BLESSED


@contextmanager
def _bug_reports_in_log() -> Iterator[None]:
    try:
        yield
    except Exception:
        _LOG.exception("the run stopped outside of its components")
        raise
