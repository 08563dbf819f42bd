"""Terminal output of a run: a line per component, the progress of the running one, and the final table."""

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from pipeline.local.metrics_summary import ObjectiveSummary, UtilitySummary
from pipeline.local.run_summary import RunSummary
from ranker import progress
from ranker.command_line import in_markup
from ranker.config.names import UTILITY
from ranker.evaluation.gate_states import State
from ranker.evaluation.printed import observed_notes
from ranker.evaluation.sessions import session_notes
from ranker.evaluation.verdict import TOO_FEW, TOO_FEW_SESSIONS
from ranker.plain_text import one_line

_MARKS = {"ran": "[green]✓[/]", "cached": "[blue]✓[/]", "failed": "[red]✗[/]"}
_COLOURS: dict[State, str] = {"refused": "red", "too few": "yellow", "passed": "green", "no gate": "dim"}


class RunDisplay:
    """Shows the progress of a run. If the console is not a terminal, only finished components are printed.

    Args:
        console: the console to draw on.
        components: the ids of all components, in order.
    """

    def __init__(self, console: Console, components: list[str]) -> None:
        self._console = console
        self._width = max(map(len, components), default=0)
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[detail]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    @contextmanager
    def live(self) -> Iterator["RunDisplay"]:
        """Draws until the block ends, and listens to `ranker.progress`."""
        handler = _ProgressHandler(self)
        logger = logging.getLogger(progress.LOGGER_NAME)
        level = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            with self._bars:
                yield self
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)

    def start(self, component: str) -> None:
        """A component was launched."""
        with self._lock:
            self._tasks[component] = self._bars.add_task(component.ljust(self._width), total=None, detail="")

    def advance(self, report: progress.Progress) -> None:
        """The component that was started last reports its progress."""
        with self._lock:
            if self._tasks:
                detail = one_line(f"{report.what} {report.detail}".strip())
                newest = next(reversed(self._tasks.values()))
                self._bars.update(newest, completed=report.done, total=report.total, detail=detail)

    def end(self, component: str, state: str, seconds: float, rows: int | None) -> None:
        """A component ended in `state` after `seconds`; `rows` is None if it reads none."""
        with self._lock:
            if component in self._tasks:
                self._bars.remove_task(self._tasks.pop(component))
        count = f"{rows:>11,} rows" if rows is not None else " " * 16
        self._console.print(
            f" {_MARKS[state]} {component.ljust(self._width)} {state:<7}{count} {seconds:>8.1f} s", highlight=False
        )


class _ProgressHandler(logging.Handler):
    def __init__(self, display: RunDisplay) -> None:
        super().__init__(logging.INFO)
        self._display = display

    def emit(self, record: logging.LogRecord) -> None:
        report = getattr(record, "progress", None)
        if isinstance(report, progress.Progress):
            self._display.advance(report)


def objectives_table(day: str, objectives: Mapping[str, ObjectiveSummary]) -> Table:
    """The final table: one row per objective of a run summary's `objectives` on the held-out `day`."""
    impressions = max(
        (round(metrics.impressions / metrics.observed) for metrics in objectives.values() if metrics.observed),
        default=0,
    )
    title = f"{day}, held out: {impressions:,.0f} impressions"
    table = Table(title=title, title_justify="left", caption_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("objective", no_wrap=True)
    for name in ("positives", "AUC", "O/E", "NE"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("gate")
    for name, metrics in objectives.items():
        table.add_row(
            in_markup(name),
            f"{metrics.positives:,.0f}",
            _with_interval(metrics.auc, metrics.auc_lower, metrics.auc_upper),
            _with_interval(metrics.o_over_e, metrics.o_over_e_lower, metrics.o_over_e_upper),
            _number(metrics.normalized_entropy),
            f"[{_COLOURS[metrics.state]}]{in_markup(metrics.gate)}[/]",
        )
    notes = observed_notes({in_markup(name): metrics.observed for name, metrics in objectives.items()})
    table.caption = "\n".join(["in brackets the 95 % interval over viewers; NE: normalized entropy", *notes])
    return table


def sessions_table(utility: UtilitySummary, objectives: Mapping[str, ObjectiveSummary]) -> Table:
    """How the held-out day's sessions are ranked: by the utility, and by the probability of each objective."""
    table = Table(
        title=f"within sessions: {utility.sessions:,} sessions",
        title_justify="left",
        caption_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
    )
    table.add_column("ranked by", no_wrap=True)
    for name in ("GAUC", f"NDCG@{utility.k}", f"utility of the top {utility.k}"):
        table.add_column(name, justify="right", no_wrap=True)
    top = _with_interval(utility.top_utility, utility.top_utility_lower, utility.top_utility_upper)
    table.add_row(UTILITY, "", _with_interval(utility.ndcg, utility.ndcg_lower, utility.ndcg_upper), top)
    for name, metrics in objectives.items():
        table.add_row(
            in_markup(name),
            _with_interval(metrics.gauc, metrics.gauc_lower, metrics.gauc_upper),
            _with_interval(metrics.ndcg, metrics.ndcg_lower, metrics.ndcg_upper),
            "",
        )
    table.caption = (
        "GAUC: how often a positive is scored above a negative of the same session\n"
        f"NDCG@{utility.k}: how near the top the positives are; 1 is the best possible order\n"
        f"utility of the top {utility.k}: weights of the outcomes observed there, per session"
    )
    return table


def session_lines(utility: UtilitySummary) -> Iterator[str]:
    """The impressions and sessions that session metrics leave out, as lines of rich markup; none if all are covered."""
    for note in session_notes(utility.session_share, utility.impressions_without_session):
        yield f"[yellow]note:[/] {note}"


def verdict_lines(summary: RunSummary) -> Iterator[str]:
    """The gates of a run summary as lines of rich markup: every gate that did not pass with objective, slice, value,
    interval and limit, notes on the training, the slices that were left out, and what the model was compared with.
    """
    if (day := summary.held_out_day) is not None and day.is_small:
        colour = "red" if day.blocks else "yellow"
        yield f"[bold {colour}]{'gate' if day.blocks else 'warning'}: {day.text}[/]"
    for verdict in summary.gates:
        if not verdict.passed:
            mark = "[red]gate:[/]" if verdict.blocking else "[yellow]note:[/]"
            yield f"{mark} {in_markup(verdict.text)}"
    for note in summary.training_notes:
        yield f"[yellow]note:[/] {in_markup(note)}"
    for columns in summary.slices_dropped:
        yield f"[yellow]warning:[/] slices by {in_markup(' × '.join(columns))} were left out: they have too many values"
    yield from baseline_lines(summary)
    if summary.baseline is not None and summary.baseline.is_serving:
        yield in_markup(summary.baseline.text)


def baseline_lines(summary: RunSummary) -> Iterator[str]:
    """What the model was compared with as a line of rich markup, unless that is simply the serving model."""
    baseline = summary.baseline
    if baseline is None:
        return
    if baseline.blocks:
        yield f"[red]gate:[/] {in_markup(baseline.text)}"
    elif baseline.is_missing or baseline.reason or baseline.is_partial:
        yield f"[yellow]warning:[/] {in_markup(baseline.text)}"


def blessing(summary: RunSummary) -> str:
    """Whether the model is blessed as rich markup, green only if every objective and the utility passed their gates
    on a day of usual size, and no column tells an outcome.
    """
    if not summary.blessed:
        return "[red]not blessed[/]"
    undecided = [name for name, metrics in summary.objectives.items() if metrics.state == "too few"]
    few = [f"{TOO_FEW} {in_markup(', '.join(undecided))}"] if undecided else []
    if summary.utility is not None and summary.utility.state == "too few":
        few.append(f"{TOO_FEW_SESSIONS} the utility")
    if summary.held_out_day is not None and summary.held_out_day.is_small:
        few.append("a held-out day far smaller than the others")
    if telling := dict.fromkeys(leak.column for leak in summary.leaks if not leak.vouched):
        few.append(f"columns that tell an outcome: {in_markup(', '.join(telling))}")
    return f"[yellow]blessed, with {' and '.join(few)}[/]" if few else "[green]blessed[/]"


def print_alarms(day: str, alarms: Sequence[str], console: Console) -> None:
    """A line per alarm."""
    for alarm in alarms:
        console.print(f"[red]alarm:[/] {day}: {in_markup(alarm)}", soft_wrap=True, highlight=False)


def print_health(summary: RunSummary, console: Console) -> bool:
    """Prints the alarms of a complete run, or why it was not monitored; returns whether it was."""
    health = summary.monitoring
    if health is None:
        return False
    print_alarms(summary.day, health.alarms, console)
    if health.error:
        console.print(f"[yellow]warning:[/] not monitored: {in_markup(health.error)}", soft_wrap=True, highlight=False)
    return not health.error


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _with_interval(value: float | None, lower: float | None, upper: float | None) -> str:
    interval = "" if lower is None or upper is None else f" ({_short(lower)}–{_short(upper)})"
    return _number(value) + interval


def _short(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1.0 else f"{value:.3f}"
