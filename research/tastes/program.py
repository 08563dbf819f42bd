"""Measures the arms of a command line, and writes tables, picture and figures."""

import argparse
from functools import partial

from rich.console import Console

from benchmarks.harness import Options, report, work_folder
from benchmarks.pages import show_and_write
from research.online.behaviours import BEHAVIOURS
from research.options import command, seeds_of
from research.quality.random_effects.effects import effects_of
from research.quick import feed_config
from research.tastes.drawing import draw
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
    config, seeds = feed_config(options.quick), seeds_of(options, usual=3)
    arms = [arm for arm in ARMS if arm in options.arms]
    with work_folder(options, "tastes") as work:
        effects = effects_of(config)
        results = rank_next_day(config, BEHAVIOURS["default"], rows, seeds, arms, effects, work, console)
    picture = options.page.picture if options.page else None
    chosen = [] if len(arms) == len(ARMS) else ["--arms", *arms]
    size = ["--rows", str(rows), "--seeds", str(len(seeds))]
    text = command("research.tastes", *size, *chosen, quick=options.quick)
    tables = markdown(results, text, picture.name if picture else None)
    show_and_write(options.page, _TITLE, tables, console, picture and partial(draw, results, picture))
    report("tastes", figures(results), Options(options.quick, options.json), console)
