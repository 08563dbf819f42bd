"""The command line: `python -m datasets.synthetic`."""

import argparse
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from datasets.synthetic.feed import DEFAULT_START, TRUTH, DaySummary, generate
from datasets.synthetic.parameters import (
    DEFAULT_DRIFT,
    DEFAULT_EXPLORATION,
    DEFAULT_RANKER_NOISE,
    DEFAULT_RANKER_TASTES,
    DEFAULT_TASTES,
)
from datasets.synthetic.vocabulary import OBJECTIVES
from ranker import progress
from ranker.command_line import local_path, make_console, number, print_error, whole_number, writable_folder
from ranker.feed_log.layout import FeedLogError, parse_day

_USAGE = 2
_MAX_DAYS = 10_000
_MAX_IMPRESSIONS = 100_000_000
_MAX_STRENGTH = 100.0

_DESCRIPTION = f"""\
Simulates the homepage feed of a professional network: one row per impression in OUT/day-YYYY-MM-DD/*.parquet, with
features and {len(OBJECTIVES)} objectives: {", ".join(OBJECTIVES)}.

OUT/{TRUTH} holds, row for row, the true probability of every objective, given everything and with the viewer's hidden
tastes averaged out: what a perfect model would predict that knows the viewer, and one that knows the logged columns.
The same settings give the same feed. Existing days are kept: an interrupted run continues, and a run with more
days adds the missing ones.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns 0, or 2 after an error, which it prints in one line."""
    options = _parser().parse_args(arguments)
    began = time.perf_counter()
    try:
        writable_folder("--out", options.out)
        with _shown_progress(make_console(stderr=True)):
            days = generate(
                options.out,
                options.days,
                options.impressions_per_day,
                options.seed,
                options.start,
                options.drift,
                options.overwrite,
                tastes=options.tastes,
                ranker_noise=options.ranker_noise,
                ranker_tastes=options.ranker_tastes,
                exploration=options.exploration,
            )
    except (ValueError, OSError) as error:
        print_error(error)
        return _USAGE
    seconds = time.perf_counter() - began
    out = make_console()
    out.print(_table(days), soft_wrap=True)
    generated = sum(day.rows for day in days if day.generated)
    rate = f"; {generated:,} impressions generated in {seconds:.1f} s" if generated else "; nothing was missing"
    where = f"feed log in {options.out}, true probabilities in {options.out / TRUTH}"
    out.print(f"{where}{rate}", markup=False, soft_wrap=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m datasets.synthetic", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=local_path, required=True, metavar="DIR", help="the feed log to write")
    parser.add_argument(
        "--days",
        type=whole_number(1, _MAX_DAYS),
        default=8,
        metavar="N",
        help="days to generate (default: %(default)s)",
    )
    parser.add_argument(
        "--impressions-per-day",
        type=whole_number(1, _MAX_IMPRESSIONS),
        default=10_000,
        metavar="N",
        help="rows of each day; viewers, authors and items grow with them (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0, 2**32 - 1),
        default=1,
        metavar="N",
        help="another seed, another feed (default: 1)",
    )
    parser.add_argument(
        "--start",
        type=_day,
        default=DEFAULT_START,
        metavar="YYYY-MM-DD",
        help="the first day (default: %(default)s)",
    )
    parser.add_argument(
        "--drift",
        type=number(0.0, _MAX_STRENGTH),
        default=DEFAULT_DRIFT,
        metavar="X",
        help="how much the tastes of groups, topics and base rates drift from day to day: 0 not at all, 1 mildly "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--tastes",
        type=number(0.0, 2.0),
        default=DEFAULT_TASTES,
        metavar="X",
        help="hidden tastes, lasting preferences of each viewer for styles and authors that no column shows: their "
        "standard deviation in log-odds, 0 for none (default: %(default)s)",
    )
    parser.add_argument(
        "--ranker-noise",
        type=number(0.0, _MAX_STRENGTH),
        default=DEFAULT_RANKER_NOISE,
        metavar="X",
        help="the production ranker orders each session by true log-odds plus noise with this standard deviation "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--ranker-tastes",
        type=number(0.0, 1.0),
        default=DEFAULT_RANKER_TASTES,
        metavar="SHARE",
        help="share of the hidden tastes that the production ranker knows, from 0 to 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--exploration",
        type=float,
        default=DEFAULT_EXPLORATION,
        metavar="SHARE",
        help="share of the sessions that are shown in random order, from 0 to 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="delete a feed that was simulated into DIR before, and start again"
    )
    return parser


def _day(text: str) -> date:
    try:
        return parse_day(text)
    except FeedLogError as error:
        raise argparse.ArgumentTypeError(f"expected a day as YYYY-MM-DD, got {text!r}") from error


@contextmanager
def _shown_progress(console: Console) -> Iterator[None]:
    """Draws the progress that `ranker.progress` reports until the block ends."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    logger = logging.getLogger(progress.LOGGER_NAME)
    level = logger.level
    with Progress(*columns, console=console, transient=True) as bars:
        handler = _DrawProgress(bars)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)


class _DrawProgress(logging.Handler):
    def __init__(self, bars: Progress) -> None:
        super().__init__(logging.INFO)
        self._bars = bars
        self._task = bars.add_task("", total=None)

    def emit(self, record: logging.LogRecord) -> None:
        report = getattr(record, "progress", None)
        if isinstance(report, progress.Progress):
            description = f"{report.what}, {report.detail}"
            self._bars.update(self._task, description=description, completed=report.done, total=report.total)


def _table(days: Sequence[DaySummary]) -> Table:
    """Rows and base rates of every day, and of all days together."""
    table = Table(box=None, pad_edge=False)
    table.add_column("day", no_wrap=True)
    for name in ("rows", *OBJECTIVES):
        table.add_column(name, justify="right", no_wrap=True)
    for day in days:
        table.add_row(day.day.isoformat(), f"{day.rows:,}", *(f"{day.rates[name]:.2%}" for name in OBJECTIVES))
    rows = sum(day.rows for day in days)
    overall = (sum(day.rows * day.rates[name] for day in days) / rows for name in OBJECTIVES)
    table.add_row("all", f"{rows:,}", *(f"{rate:.2%}" for rate in overall))
    return table
