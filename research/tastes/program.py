"""Measures the arms of a command line, and writes tables, picture and figures."""

import argparse

from rich.console import Console

from benchmarks.harness import Options, report
from pipeline_config import FEED
from research.online.behaviours import BEHAVIOURS
from research.options import command, show_and_write, work_folder
from research.quick import quick_config
from research.tastes.drawing import draw
from research.tastes.effects import default_effects
from research.tastes.names import ARMS
from research.tastes.page import figures, markdown
from research.tastes.study import rank_next_day

_TITLE = "What hidden tastes are worth, and what is learnt of them"


def run(options: argparse.Namespace, rows: int) -> None:
    """Measures the share of the gap that is closed.

    Args:
        options: those of `python -m research.tastes`.
        rows: impressions of each feed, over all days.
    """
    console = Console()
    config = quick_config() if options.quick else FEED
    seeds = range(1, (options.seeds or (1 if options.quick else 3)) + 1)
    arms = [arm for arm in ARMS if arm in options.arms]
    with work_folder(options, "tastes") as work:
        effects = default_effects(config)
        results = rank_next_day(config, BEHAVIOURS["default"], rows, seeds, arms, effects, work, console)
    picture = options.page.file.with_suffix(".svg") if options.page else None
    chosen = [] if len(arms) == len(ARMS) else ["--arms", *arms]
    size = [*(["--quick"] if options.quick else []), "--rows", str(rows), "--seeds", str(len(seeds))]
    tables = markdown(results, command("research.tastes", *size, *chosen), picture.name if picture else None)
    if picture:
        draw(results, picture)
    show_and_write(options.page, _TITLE, tables, console)
    report("tastes", figures(results), Options(options.quick, options.json), console)
