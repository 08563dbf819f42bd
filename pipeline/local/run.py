"""One run on this machine, with its terminal output."""

from datetime import date
from pathlib import Path

from rich.console import Console

from datasets.synthetic import generate
from pipeline.beam import IN_PROCESS_ARGS
from pipeline.local import console as terminal
from pipeline.local.day_plan import DayPlan, later_model, plan_day
from pipeline.local.run_summary import SUMMARY_FILE, RunSummary, exit_status
from pipeline.local.tracking import record_in_mlflow
from pipeline.local.unchanged import repeat_finished
from pipeline.local.workdir import Workdir
from ranker.command_line import in_markup
from ranker.config.pipeline import PipelineConfig
from ranker.feed_log.layout import FeedLogError, latest_day, list_days, window_days
from ranker.lasting_imports import lasting_imports

# The built-in feed: a week of training days and a day to evaluate on; a run takes minutes on a laptop.
BUILT_IN_DAYS = 8
BUILT_IN_IMPRESSIONS_PER_DAY = 10_000
BUILT_IN_SEED = 1

BEAM_ARGS = IN_PROCESS_ARGS


def run_pipeline(
    config: PipelineConfig,
    workdir: Workdir,
    feed_log: str | Path | None,
    day: date | None,
    run_id: str,
    console: Console,
    refit: bool = False,
    publish_withdrawn: bool = False,
    push: bool = True,
    mlflow: str | Path | None = None,
    replaces: str = "",
) -> int:
    """Runs the pipeline and writes the run summary.

    Args:
        feed_log: path or URI of the feed log; None generates the built-in one inside the workdir.
        day: the day to evaluate on; None uses the newest of the feed log.
        run_id: name of the folder for the summary.
        console: shows progress and the final table.
        refit: start cold, whatever the cadence is.
        publish_withdrawn: publish the model even if a rollback withdrew it.
        push: publish a blessed model.
        mlflow: where the run is recorded in MLflow, a folder or the URI of a tracking server; None for nowhere.
        replaces: the name of another config whose serving model may be replaced; "" for none.

    Returns:
        The exit status: 0 blessed and pushed (without `push`: blessed), 1 a component failed, 3 not blessed, or blessed
        but not pushed, as it is withdrawn or another config's model serves.

    Raises:
        FeedLogError: the feed log has no such day, or no day before it to train on.
        UsageError: this machine lacks the devices that the towers are trained on.
    """
    if feed_log is None:
        feed_log = built_in_feed(workdir, console)
    elif isinstance(feed_log, Path):
        feed_log = feed_log.resolve()
    days = list_days(feed_log)
    if day is not None and day not in days:
        there = f"it has {days[0]} to {days[-1]}" if days else "it has no days"
        raise FeedLogError(f"feed log {feed_log}: there is no folder for {day}; {there}")
    day = day or latest_day(feed_log)
    before = window_days(day, config.train_days)[:-1]
    if not set(before).intersection(days):
        raise FeedLogError(
            f"feed log {feed_log}: no day to train on; none of the days {before[0]} to {before[-1]}, before the "
            f"evaluated day {day}, has a folder"
        )
    plan = plan_day(config, workdir, feed_log, day, refit, publish_withdrawn, push, replaces)
    if push and (later := later_model(workdir, day)):
        version, trained_for = later
        console.print(
            f"[yellow]warning:[/] the serving version {version} was trained for {trained_for}; a blessed model "
            f"for {day} will replace it",
            soft_wrap=True,
            highlight=False,
        )
    console.print(f"{plan.start.start} start: {in_markup(plan.start.reason)}", soft_wrap=True, highlight=False)
    summary = _run(plan, run_id, console)
    folder = workdir.run(run_id)
    _show(plan, summary, folder, console)
    if mlflow is not None:
        console.print(in_markup(record_in_mlflow(mlflow, config, summary, folder)), soft_wrap=True, highlight=False)
    return exit_status(summary)


def _show(plan: DayPlan, summary: RunSummary, folder: Path, console: Console) -> None:
    for missing in summary.missing_days:
        console.print(f"[yellow]warning:[/] the feed log has no {missing}; trained without it")
    for warning in summary.feed_log_warnings:
        console.print(f"[yellow]warning:[/] {in_markup(warning)}", soft_wrap=True, highlight=False)
    if summary.failure is not None:
        failed, error = summary.failure.component, in_markup(summary.failure.error)
        console.print(f"[red]{failed} failed:[/] {error}", soft_wrap=True, highlight=False)
        _print_pushed_before(summary, console)
        _print_problems(summary, console)
        console.print(f"log: {in_markup(folder / 'run.log')}", soft_wrap=True, highlight=False)
        return
    if all(ran.cached for ran in summary.components):
        console.print("unchanged: all components are cached")
    console.print(terminal.objectives_table(summary.day, summary.objectives))
    if summary.utility is not None:
        console.print(terminal.sessions_table(summary.utility, summary.objectives))
        for line in terminal.session_lines(summary.utility):
            console.print(line, highlight=False)
    _print_verdict(summary, console)
    if terminal.print_health(summary, console) and summary.monitoring is not None:
        console.print(f"monitor: {in_markup(summary.monitoring.page)}", soft_wrap=True, highlight=False)
    _print_problems(summary, console)
    if summary.report is not None:
        console.print(f"report: {in_markup(summary.report)}", soft_wrap=True, highlight=False)
    console.print(f"summary: {in_markup(folder / SUMMARY_FILE)}", soft_wrap=True, highlight=False)


def built_in_feed(workdir: Workdir, console: Console) -> Path:
    """Generates the built-in feed inside the working folder unless it exists; returns its root.

    Raises:
        FeedLogError: its folder has another feed log, or damaged settings.
    """
    with console.status("generating the built-in feed"):
        try:
            generate(
                workdir.built_in_feed,
                days=BUILT_IN_DAYS,
                impressions_per_day=BUILT_IN_IMPRESSIONS_PER_DAY,
                seed=BUILT_IN_SEED,
            )
        except (ValueError, FileExistsError) as error:
            raise FeedLogError(f"built-in feed: {error}") from None
    return workdir.built_in_feed


def _run(plan: DayPlan, run_id: str, console: Console) -> RunSummary:
    repeated = repeat_finished(plan, run_id)
    if repeated is not None:
        display = terminal.RunDisplay(console, [ran.component for ran in repeated.components])
        with display.live():
            for ran in repeated.components:
                display.end(ran.component, ran.state, ran.seconds, ran.rows)
        return repeated
    # Importing TFX takes ten seconds and more; neither an error above nor an unchanged run needs it.
    with console.status("loading TensorFlow and TFX"), lasting_imports():
        from pipeline.local.displayed_run import run_displayed
    return run_displayed(plan, run_id, console)


def _print_pushed_before(summary: RunSummary, console: Console) -> None:
    if summary.pushed_model is not None:
        console.print(
            f"the model was pushed before that, to {in_markup(summary.pushed_model)}", soft_wrap=True, highlight=False
        )


def _print_problems(summary: RunSummary, console: Console) -> None:
    for problem in summary.problems:
        console.print(f"[yellow]warning:[/] {in_markup(problem)}", soft_wrap=True, highlight=False)


def _print_verdict(summary: RunSummary, console: Console) -> None:
    for line in terminal.verdict_lines(summary):
        console.print(line, soft_wrap=True, highlight=False)
    if summary.not_pushed is not None:
        console.print(
            f"{terminal.blessing(summary)}, but {in_markup(summary.not_pushed)}", soft_wrap=True, highlight=False
        )
    elif summary.blessed:
        pushed = f"{terminal.blessing(summary)}, pushed to {in_markup(summary.pushed_model)}"
        console.print(pushed, soft_wrap=True, highlight=False)
    else:
        console.print(f"{terminal.blessing(summary)}: nothing was pushed, the previous model continues to serve")
