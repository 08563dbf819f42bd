"""One run on this machine: make sure there is a feed log, build the pipeline, run it, sum it up."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline

from components.feed_log_gen.feed_log import FeedLogError, latest_day, source_fingerprint, window_days
from components.serving_model.lookup import find_serving_version
from datasets.synthetic import generate
from pipeline.config import PipelineConfig
from pipeline.local import console as terminal
from pipeline.local.dag_runner import ComponentRun, ObservedDagRunner, State
from pipeline.local.summary import copy_report, rows_read, split_rows, summarise, write_summary
from pipeline.local.workdir import Workdir
from pipeline.pipeline import create_pipeline, plan_start, training_fingerprint

__all__ = ["DONE", "FAILED", "NOT_BLESSED", "FeedLogError", "run_pipeline"]

DONE, FAILED, NOT_BLESSED = 0, 1, 3

# The built-in feed: a week to train on and a day to evaluate, small enough for minutes on a laptop.
BUILT_IN_DAYS = 8
BUILT_IN_IMPRESSIONS_PER_DAY = 10_000
BUILT_IN_SEED = 1

# The in-process runner by its own name, as Beam's default first tries to download another one. It takes no image, but
# where none is named, TFX packs its own sources for remote workers, anew for every component.
BEAM_ARGS = ("--runner=FnApiRunner", "--sdk_container_image=none-in-process")


def run_pipeline(
    config: PipelineConfig,
    workdir: Workdir,
    feed_log: Path | None,
    day: date | None,
    run_id: str,
    console: Console,
) -> int:
    """Runs the pipeline and writes the run summary.

    Args:
        feed_log: the feed log; None generates the built-in one inside the workdir.
        day: the day to evaluate on; None takes the newest of the feed log.
        run_id: names the folder that the summary goes to.
        console: where progress and the closing table are drawn.

    Returns:
        The exit status: 0 blessed and pushed, 1 a component failed, 3 not blessed.

    Raises:
        FeedLogError: the feed log has no such day.
    """
    feed_log = _built_in_feed(workdir, console) if feed_log is None else feed_log.resolve()
    day = day or latest_day(feed_log)
    pipeline = _build(config, workdir, feed_log, day)
    runs = _run(pipeline, console)
    folder = workdir.run(run_id)
    summary = summarise(run_id, config, day, feed_log, runs, copy_report(folder, runs))
    path = write_summary(folder, summary)
    for missing in summary["missing_days"]:
        console.print(f"[yellow]warning:[/] the feed log has no {missing}; trained without it")
    if summary["status"] == "failed":
        failure = summary["failure"]
        console.print(
            f"[red]{failure['component']} failed:[/] {escape(failure['error'])}", soft_wrap=True, highlight=False
        )
        console.print(f"log: {folder / 'run.log'}", soft_wrap=True, highlight=False)
        return FAILED
    console.print(terminal.objectives_table(summary["day"], summary["objectives"]))
    status = _print_verdict(summary, console)
    console.print(f"report: {summary['report']}", soft_wrap=True, highlight=False)
    console.print(f"summary: {path}", soft_wrap=True, highlight=False)
    return status


def _built_in_feed(workdir: Workdir, console: Console) -> Path:
    with console.status("generating the built-in feed"):
        generate(
            workdir.built_in_feed,
            days=BUILT_IN_DAYS,
            impressions_per_day=BUILT_IN_IMPRESSIONS_PER_DAY,
            seed=BUILT_IN_SEED,
        )
    return workdir.built_in_feed


def _build(config: PipelineConfig, workdir: Workdir, feed_log: Path, day: date) -> Pipeline:
    source = source_fingerprint(feed_log, window_days(day, config.train_days))
    training = training_fingerprint(config, day, source)
    serving = find_serving_version(str(workdir.serving_model), exclude_training_fingerprint=training)
    start = plan_start(config, str(workdir.serving_model), day)
    return create_pipeline(
        config,
        feed_log=str(feed_log),
        day=day,
        pipeline_root=str(workdir.artifacts),
        push_destination=str(workdir.serving_model),
        source_fingerprint=source,
        training_fingerprint=training,
        serving_version=serving or "none",
        parent_version=start.parent or "none",
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(workdir.metadata)),
        beam_pipeline_args=BEAM_ARGS,
    )


def _run(pipeline: Pipeline, console: Console) -> Sequence[ComponentRun]:
    display = terminal.RunDisplay(console, [component.id for component in pipeline.components])
    finished: list[ComponentRun] = []

    def on_end(run: ComponentRun) -> None:
        finished.append(run)
        rows = rows_read(run.component, split_rows(finished)) if run.state is not State.FAILED else None
        display.end(run.component, run.state.value, run.seconds, rows)

    runner = ObservedDagRunner(display.start, on_end)
    with display.live(), _bug_reports_in_log():
        runner.run(pipeline)
    return runner.runs


@contextmanager
def _bug_reports_in_log() -> Iterator[None]:
    try:
        yield
    except Exception:
        logging.getLogger(__name__).exception("the run stopped outside of its components")
        raise


def _print_verdict(summary: dict[str, Any], console: Console) -> int:
    for line in terminal.verdict_lines(summary):
        console.print(line, soft_wrap=True, highlight=False)
    if not summary["blessed"]:
        console.print("[red]not blessed[/]: nothing was pushed, the model serving before goes on")
        return NOT_BLESSED
    console.print(f"[green]blessed[/], pushed to {summary['pushed_model']}", soft_wrap=True, highlight=False)
    return DONE
