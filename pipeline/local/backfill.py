"""Replays the daily schedule over a range of days, one after the other."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from rich.console import Console
from rich.status import Status
from rich.table import Table

from pipeline.local.console import baseline_lines, blessing, print_health
from pipeline.local.day_plan import DayPlan, later_model, plan_day, refuse_to_replace
from pipeline.local.run_summary import DONE, FAILED, NOT_BLESSED, RunSummary, exit_status
from pipeline.local.workdir import Workdir
from ranker.command_line import in_markup
from ranker.config.pipeline import PipelineConfig
from ranker.config.retraining import Start
from ranker.documents import DocumentError
from ranker.feed_log.layout import FeedLogError, list_days
from ranker.identity.recipe import judging_fingerprint
from ranker.plain_text import without_secrets
from ranker.registry.versions import complete_versions, find_training
from ranker.registry.withdrawal import read_withdrawals, serves_again
from ranker.storage import join, parent_and_name

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backfill:
    """The days to replay, and their settings.

    Attributes:
        config, workdir, feed_log: as for a single run.
        days: oldest first.
        run_id: prefix of each day's run id, which ends with the day.
        publish_withdrawn: publish models even if a rollback withdrew them.
        replaces: the name of another config whose serving model may be replaced; "" for none.
    """

    config: PipelineConfig
    workdir: Workdir
    feed_log: str | Path
    days: Sequence[date]
    run_id: str
    publish_withdrawn: bool = False
    replaces: str = ""


def backfill(task: Backfill, console: Console) -> int:
    """Runs each day as a daily schedule would have; each day continues from the days before it.

    A day that an earlier call finished, on the same data, config and code, is not run again, unless its model was
    withdrawn since and `publish_withdrawn` is set, or it serves again, or was never pushed here though it is blessed. A
    day without a folder is skipped, as a daily schedule would have had nothing to run; the days after it train without
    it. A model that is not blessed is not pushed, and the next day continues from the version before. A day that fails
    ends the replay; the same command continues from that day.

    Args:
        task: the days to replay.
        console: prints a line per day, with the alarms of its health, and a table at the end.

    Returns:
        The exit status: 0 every model was blessed, 1 a day failed, 3 a model was not blessed or is withdrawn.

    Raises:
        FeedLogError: none of the days has a folder, or the serving model is of a later day and must not be replaced by
            an earlier day's.
        UsageError: another config has pushed, whose model must not be replaced.
    """
    there = set(list_days(task.feed_log))
    if not there.intersection(task.days):
        raise FeedLogError(
            f"feed log {task.feed_log}: none of the days {task.days[0]} to {task.days[-1]} has a folder; it has "
            f"{min(there)} to {max(there)}"
            if there
            else f"feed log {task.feed_log}: it has no days"
        )
    finished = _finished_runs(task.workdir, task.config.name)
    summaries: list[RunSummary] = []
    skipped: list[date] = []
    previous: str | None = None  # the training of the newest blessed day of the replay
    for day in task.days:
        if day not in there:
            skipped.append(day)
            continue
        _print_skipped(skipped, console)
        skipped = []
        summary = _one_day(task, day, finished, previous, console)
        summaries.append(summary)
        if summary.blessed and summary.not_pushed is None:
            previous = summary.training_fingerprint
        if summary.status == "failed":
            break
    _print_skipped(skipped, console)
    console.print(days_table(summaries))
    statuses = {exit_status(summary) for summary in summaries}
    return next((status for status in (FAILED, NOT_BLESSED) if status in statuses), DONE)


def days_between(start: date, end: date) -> list[date]:
    """All days from `start` to `end`, both included."""
    return [start + timedelta(days=i) for i in range((end - start).days + 1)]


def days_table(summaries: Sequence[RunSummary]) -> Table:
    """One row per day: the start, the number of training rows, and each objective's normalized entropy."""
    table = Table(box=None, padding=(0, 1, 0, 0), caption_justify="left")
    table.add_column("day", no_wrap=True)
    table.add_column("start")
    table.add_column("rows", justify="right", no_wrap=True)
    objectives = list(dict.fromkeys(name for summary in summaries for name in summary.objectives))
    for name in objectives:
        table.add_column(in_markup(name).replace("_", "_\n"), justify="right", overflow="fold")
    table.add_column("", no_wrap=True)
    for summary in summaries:
        entropies = [_entropy(summary, name) for name in objectives]
        table.add_row(
            summary.day,
            summary.start.start if summary.start else "",
            _training_rows(summary.rows),
            *("–" if value is None else f"{value:.3f}" for value in entropies),
            _verdict(summary),
        )
    table.caption = (
        "training rows (+ rows of replayed days), and the normalized entropy of each objective on the day itself"
    )
    return table


def _entropy(summary: RunSummary, objective: str) -> float | None:
    found = summary.objectives.get(objective)
    return found.normalized_entropy if found is not None else None


def _training_rows(rows: Mapping[str, int]) -> str:
    replayed = f" + {rows['replay']:,}" if rows.get("replay") else ""
    return f"{rows.get('train', 0):,}{replayed}"


def _one_day(
    task: Backfill, day: date, finished: Mapping[str, RunSummary], previous: str | None, console: Console
) -> RunSummary:
    plan = plan_day(
        *(task.config, task.workdir, task.feed_log, day),
        publish_withdrawn=task.publish_withdrawn,
        replaces=task.replaces,
    )
    trainings = _possible_trainings(plan, task.workdir, previous)
    before = next((finished[training] for training in trainings if training in finished), None)
    if before is not None:
        before = _as_of_now(before, task)
    if before is not None:
        # A push on request that was killed before it ended the withdrawal is completed.
        again = serves_again(task.workdir.push_destination, before.training_fingerprint)
        if before.not_pushed is None or not (task.publish_withdrawn or again):
            console.print(f"{day}  {_verdict(before)}  by {in_markup(before.run_id)}", highlight=False)
            _print_not_pushed(before, console)
            return before
    _refuse_to_go_back(task.workdir, day)
    # The first day was checked before; another config may have pushed since.
    refuse_to_replace(task.config, task.workdir, task.replaces)
    with console.status(f"{day}") as status:
        # Importing TFX takes ten seconds and more; a replay whose days are all finished does not need it.
        from pipeline.local.day_run import prepare, run_day

        summary = run_day(prepare(plan), f"{task.run_id}_{day}", _RunningComponent(status, day).start, _nothing)
    seconds = sum(component.seconds for component in summary.components)
    start = plan.start.start if not plan.start.is_cold else f"cold: {plan.start.reason}"
    console.print(f"{day}  {_verdict(summary)}  {seconds:,.0f} s, {in_markup(start)}", soft_wrap=True, highlight=False)
    for missing in summary.missing_days:
        console.print(f"            trained without {missing}, which is missing in the feed log", highlight=False)
    for warning in summary.feed_log_warnings:
        console.print(f"            {in_markup(warning)}", soft_wrap=True, highlight=False)
    if summary.failure is not None:
        failed, error = summary.failure.component, in_markup(summary.failure.error)
        console.print(f"            {failed}: {error}", soft_wrap=True, highlight=False)
        if summary.pushed_model is not None:
            pushed = f"            the model was pushed before that, to {in_markup(summary.pushed_model)}"
            console.print(pushed, soft_wrap=True, highlight=False)
    else:
        for line in baseline_lines(summary):
            console.print(f"            {line}", soft_wrap=True, highlight=False)
        _print_not_pushed(summary, console)
        print_health(summary, console)
    for problem in summary.problems:
        console.print(f"            [yellow]warning:[/] {in_markup(problem)}", soft_wrap=True, highlight=False)
    return summary


def _as_of_now(summary: RunSummary, task: Backfill) -> RunSummary | None:
    """The summary of a finished run, with whether its model was withdrawn since; None if another run would change it.

    That is the case if the model was judged by other gates, or was blessed and is not at the push destination.
    """
    if not summary.blessed:
        return summary if summary.judging in ("", judging_fingerprint(task.config)) else None
    destination = task.workdir.push_destination
    withdrawal = read_withdrawals(destination).of_training(summary.training_fingerprint)
    if withdrawal is not None:
        return replace(summary, not_pushed=withdrawal.text)
    return summary if _was_pushed_to(destination, summary.pushed_model) else None


def _was_pushed_to(destination: str, pushed_model: str | None) -> bool:
    """Whether a model was pushed to a destination, and is there, or was removed after newer ones were pushed."""
    if pushed_model is None:
        return False
    place, version = parent_and_name(pushed_model)
    if place != parent_and_name(without_secrets(join(destination, version)))[0]:
        return False
    return any(int(there) >= int(version) for there in complete_versions(destination))


def _print_not_pushed(summary: RunSummary, console: Console) -> None:
    if summary.not_pushed is not None:
        console.print(f"            {in_markup(summary.not_pushed)}", soft_wrap=True, highlight=False)


def _print_skipped(days: Sequence[date], console: Console) -> None:
    """One line for consecutive days without a folder, however many they are."""
    if len(days) == 1:
        console.print(f"{days[0]}  [yellow]skipped[/]  the feed log has no such day", highlight=False)
    elif days:
        console.print(
            f"{days[0]}  [yellow]skipped[/]  to {days[-1]}: the feed log has none of these {len(days):,} days",
            soft_wrap=True,
            highlight=False,
        )


class _RunningComponent:
    """Shows the day and its running component."""

    def __init__(self, status: Status, day: date) -> None:
        self._status = status
        self._day = day

    def start(self, component: str) -> None:
        self._status.update(f"{self._day}  {component}")


def _nothing(run: object) -> None:
    """Does nothing: a day's line is printed when the day ends."""


def _refuse_to_go_back(workdir: Workdir, day: date) -> None:
    if later := later_model(workdir, day):
        version, trained_for = later
        raise FeedLogError(
            f"{workdir.push_destination}: version {version} was trained for {trained_for}, and a model for {day} would "
            "replace it. If these days were replayed before, then their data, config or code has changed since: replay "
            "them in another --workdir, and with another --push-destination if you name one"
        )


def _possible_trainings(plan: DayPlan, workdir: Workdir, previous: str | None) -> list[str]:
    """Possible fingerprints of the day's training in an earlier replay.

    Usually it is the one that follows from the push destination now. If retention has removed the version that the day
    continued from, it follows from the training of the replay's previous blessed day.
    """
    training = plan.training
    found = [training.fingerprint]
    if previous is not None and training.start == "cold" and not find_training(workdir.push_destination, previous):
        starts: tuple[Start, ...] = ("warm", "incremental")
        found += [replace(training, start=start, parent=previous).fingerprint for start in starts]
    return found


def _finished_runs(workdir: Workdir, config: str) -> dict[str, RunSummary]:
    """The summaries of complete runs by training, the newest run of each."""
    found = {}
    for summary in _summaries(workdir):
        if summary.status == "complete" and summary.config == config:
            found[summary.training_fingerprint] = summary
    return found


def _summaries(workdir: Workdir) -> Iterator[RunSummary]:
    for file in sorted(workdir.root.glob("runs/*/summary.json")):
        try:
            yield RunSummary.from_json(file.read_text(), str(file))
        except (DocumentError, OSError, UnicodeDecodeError) as error:
            _LOG.warning("skipped a summary that this version cannot read: %s", error)


def _verdict(summary: RunSummary) -> str:
    if summary.status == "failed":
        return "[red]failed[/]"
    return "[yellow]not pushed[/]" if summary.not_pushed is not None else blessing(summary)
