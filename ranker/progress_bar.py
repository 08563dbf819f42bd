"""Shows the progress of long work on a terminal."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from ranker.progress import LOGGER_NAME, Progress

_LINE_EVERY_S = 10.0


@contextmanager
def shown_progress(console: Console) -> Iterator[None]:
    """While the block runs, draws a bar per piece of work; where the console is no terminal, a line every 10 s."""
    bars = Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        TextColumn("{task.fields[detail]}", markup=False),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    handler = _Handler(_drawing(bars) if console.is_terminal else _printing(console))
    logger = logging.getLogger(LOGGER_NAME)
    level, propagates = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    # Libraries that set up the root logger would print every report a second time.
    logger.propagate = False
    try:
        with bars if console.is_terminal else nullcontext():
            yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates


class _Handler(logging.Handler):
    def __init__(self, show: Callable[[Progress], None]) -> None:
        super().__init__(logging.INFO)
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        report = getattr(record, "progress", None)
        if isinstance(report, Progress):
            self._show(report)


def _drawing(bars: Bars) -> Callable[[Progress], None]:
    tasks = {}

    def show(report: Progress) -> None:
        if report.what not in tasks:
            tasks[report.what] = bars.add_task(report.what, total=report.total, detail="")
        bars.update(tasks[report.what], completed=report.done, total=report.total, detail=report.detail)

    return show


def _printing(console: Console) -> Callable[[Progress], None]:
    last = time.monotonic()

    def show(report: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= _LINE_EVERY_S:
            last = time.monotonic()
            detail = f", {report.detail}" if report.detail else ""
            console.print(f"{report.what}: {report.done:,} of {report.total:,}{detail}", markup=False, soft_wrap=True)

    return show
