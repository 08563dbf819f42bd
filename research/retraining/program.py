"""Runs and judges all strategies, and writes tables, picture and figures."""

import argparse
from dataclasses import replace
from datetime import date
from pathlib import Path

from rich.console import Console

from benchmarks.harness import Options, report, work_folder
from benchmarks.pages import show_and_write
from datasets.synthetic import generate
from pipeline_config import FEED, KUAIRAND
from research.kuairand import converted_kuairand
from research.options import command, seeds_of
from research.quick import quick_config
from research.retraining.days import Replay, replay_days
from research.retraining.drawing import draw
from research.retraining.judging import judge_all
from research.retraining.kept import run_all
from research.retraining.page import figures, markdown, title

_KUAIRAND_LAST, _KUAIRAND_DAYS = date(2022, 5, 4), 5
_FEED_DAYS, _FEED_ROWS_PER_DAY, _FEED_DRIFT = 8, 10_000, 4.0
_QUICK_DAYS, _QUICK_TRAIN_DAYS, _QUICK_ROWS_PER_DAY = 3, 2, 2_000


def run(options: argparse.Namespace) -> None:
    """Runs the comparison; the options are those of `python -m research.retraining`."""
    console = Console()
    with work_folder(options, "retraining") as work:
        replay = _replay("feed" if options.quick else options.data, options.quick, work, console)
        if replay is None:
            return
        results = judge_all(replay, run_all(replay, seeds_of(options, usual=3), work / "results", console))
    drawing = f"retraining_{results.name}.svg"
    size = [*([] if options.quick else ["--data", results.name]), "--seeds", str(results.seeds)]
    tables = markdown(results, command("research.retraining", *size, quick=options.quick), drawing)
    show_and_write(
        *(options.page, title(results.name), tables, console),
        draw=lambda: draw(results, options.page.file.parent / drawing),
    )
    measured = figures(results, not options.quick)
    report(f"retraining, {results.name}", measured, Options(options.quick, options.json), console)


def _replay(data: str, quick: bool, work: Path, console: Console) -> Replay | None:
    if data == "kuairand":
        log = converted_kuairand(work, console)
        if log is None:
            return None
        return replay_days("kuairand", KUAIRAND, log, _KUAIRAND_LAST, _KUAIRAND_DAYS, work, console)
    config, days, rows = FEED, _FEED_DAYS, _FEED_ROWS_PER_DAY
    if quick:
        config = replace(quick_config(), train_days=_QUICK_TRAIN_DAYS)
        days, rows = _QUICK_DAYS, _QUICK_ROWS_PER_DAY
    log = work / "feed_log"
    made = generate(log, days=config.train_days + days, impressions_per_day=rows, seed=1, drift=_FEED_DRIFT)
    return replay_days("feed", config, log, made[-1].day, days, work, console)
