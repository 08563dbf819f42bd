"""The command line: `python -m datasets.kuairand`."""

import argparse
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pyarrow.compute as pc
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from datasets.kuairand.conversion import feed_log_days
from datasets.kuairand.files import LOGS, RANDOM_LOGS, USERS, VIDEOS, RawDataError, find_raw_files
from datasets.kuairand.histories import PRIOR_STRENGTH
from datasets.kuairand.raw import OBJECTIVES, RawTables, read_raw
from ranker.command_line import UsageError, local_path, make_console, print_error, writable_folder
from ranker.feed_log.layout import FeedLogError, list_days
from ranker.feed_log.writing import day_folder, write_day
from ranker.files import remove_leftovers

_USAGE = 2

_DESCRIPTION = f"""\
Converts KuaiRand-Pure, a public log of a short-video feed (Gao et al., CIKM 2022), to a feed log: one row per
impression in OUT/day-YYYY-MM-DD/*.parquet, with features that were known before the impression, smoothed rates of
earlier days among them, and {len(OBJECTIVES)} objectives: {", ".join(OBJECTIVES)}.

RAW holds {LOGS} (all of them are read), {USERS} and
{VIDEOS}, plain or with .gz: the `data` folder of the published archive (Zenodo, kuairand.com).
{RANDOM_LOGS}, impressions of videos drawn at random, are read too where they are there. The feed log then has the
columns is_randomised and propensity.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns 0, or 2 after an error, which it prints in one line."""
    options = _parser().parse_args(arguments)
    console = make_console(stderr=True)
    try:
        writable_folder("--out", options.out)
        if options.out.exists():
            list_days(options.out)  # refuses names that look like days and are none
        with console.status("Reading the raw files"):
            raw = read_raw(find_raw_files(options.raw))
        if not options.overwrite:
            _refuse_existing(options.out, raw.days)
        summary = _write(raw, options.out, options.prior_strength, options.overwrite, console)
    except (RawDataError, FeedLogError, UsageError, OSError) as error:
        print_error(error)
        return _USAGE
    make_console().print(summary)
    console.print(f"feed log written to {options.out}", markup=False, soft_wrap=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m datasets.kuairand", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--raw", type=local_path, required=True, metavar="DIR", help="the folder with the raw files")
    parser.add_argument("--out", type=local_path, required=True, metavar="DIR", help="the feed log to write")
    parser.add_argument("--overwrite", action="store_true", help="replace existing days")
    parser.add_argument(
        "--prior-strength",
        type=_strength,
        default=PRIOR_STRENGTH,
        metavar="N",
        help="prior strength of a smoothed rate: weight of the overall rate in impressions (default: %(default)g)",
    )
    return parser


def _strength(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


def _refuse_existing(out: Path, days: Sequence[date]) -> None:
    if there := [day for day in days if day_folder(out, day).exists()]:
        others = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise RawDataError(f"{day_folder(out, there[0])}{others} already exist; pass --overwrite to replace")


def _write(raw: RawTables, out: Path, strength: float, overwrite: bool, console: Console) -> Table:
    """Writes every day and returns the closing summary: rows and base rates per day."""
    summary = Table(box=None, pad_edge=False, collapse_padding=True, show_footer=True)
    total = len(raw.log)
    summary.add_column("day", min_width=10, footer=f"{len(raw.days)} days")
    summary.add_column("rows", footer=f"{total:,}", justify="right")
    for objective, column in OBJECTIVES.items():
        # With a space the heading can wrap, so that the table fits into 80 columns.
        summary.add_column(objective.replace("_", " "), footer=f"{raw.log[column].mean():.2%}", justify="right")
    remove_leftovers(out)
    bar = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console)
    with bar:
        task = bar.add_task("Writing days", total=len(raw.days))
        for day, rows in feed_log_days(raw, strength):
            write_day(out, day, rows, overwrite=overwrite)
            rates = (f"{pc.mean(rows[objective]).as_py():.2%}" for objective in OBJECTIVES)
            summary.add_row(day.isoformat(), f"{len(rows):,}", *rates)
            bar.advance(task)
    return summary
