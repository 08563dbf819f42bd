"""What the terminal shows of a run: a line per component, progress of the one at work, and the closing table."""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from ranker import progress

_MARKS = {"ran": "[green]✓[/]", "cached": "[blue]✓[/]", "failed": "[red]✗[/]"}


class RunDisplay:
    """Draws a run as it goes on. Where the console is no terminal, only the finished lines are printed.

    Args:
        console: where to draw.
        components: the ids of all components, in their order.
    """

    def __init__(self, console: Console, components: list[str]) -> None:
        self._console = console
        self._width = max(map(len, components), default=0)
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._lock = threading.Lock()

    @contextmanager
    def live(self) -> Iterator["RunDisplay"]:
        """Draws until the block ends, listening to `ranker.progress` meanwhile."""
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
            self._task = self._bars.add_task(component.ljust(self._width), total=None, detail="")

    def advance(self, report: progress.Progress) -> None:
        """The component at work reports how far it is."""
        with self._lock:
            if self._task is not None:
                detail = escape(f"{report.what} {report.detail}".strip())
                self._bars.update(self._task, completed=report.done, total=report.total, detail=detail)

    def end(self, component: str, state: str, seconds: float, rows: int | None) -> None:
        """A component ended in `state`, after that many seconds, over that many rows where it reads rows."""
        with self._lock:
            if self._task is not None:
                self._bars.remove_task(self._task)
                self._task = None
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


def objectives_table(objectives: Mapping[str, Mapping[str, Any]]) -> Table:
    """The closing table: one row per objective of a run summary's `objectives`."""
    table = Table(title="Newest day, held out", title_justify="left")
    table.add_column("objective")
    for name in ("impressions", "positives", "AUC", "95 %", "O/E", "95 %", "norm. entropy"):
        table.add_column(name, justify="right")
    table.add_column("gate")
    for name, metrics in objectives.items():
        table.add_row(
            name,
            f"{metrics['impressions']:,.0f}",
            f"{metrics['positives']:,.0f}",
            _number(metrics["auc"]),
            _interval(metrics["auc_lower"], metrics["auc_upper"]),
            _number(metrics["o_over_e"]),
            _interval(metrics["o_over_e_lower"], metrics["o_over_e_upper"]),
            _number(metrics["normalized_entropy"]),
            "[green]passed[/]" if metrics["gate"] == "passed" else f"[red]{escape(metrics['gate'])}[/]",
        )
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(lower: float | None, upper: float | None) -> str:
    return "–" if lower is None or upper is None else f"{lower:.3f}–{upper:.3f}"
