"""Measures O/E in random order on feeds of several seeds, and writes table and figures."""

import argparse

from rich.console import Console

from benchmarks.harness import Options, report
from pipeline_config import FEED
from research.online.behaviours import BEHAVIOURS
from research.options import command, show_and_write, work_folder
from research.quick import quick_config
from research.random_order.page import figures, markdown
from research.random_order.study import predict_orders

_TITLE = "Calibration where sessions are in random order"


def run(options: argparse.Namespace, rows: int) -> None:
    """Measures O/E in random order.

    Args:
        options: those of `python -m research.random_order`.
        rows: impressions of each feed, over all days.
    """
    console = Console()
    config = quick_config() if options.quick else FEED
    seeds = range(1, (options.seeds or (1 if options.quick else 5)) + 1)
    with work_folder(options, "random-order") as work:
        results = predict_orders(config, BEHAVIOURS["default"], rows, seeds, work, console)
    size = [*(["--quick"] if options.quick else []), "--rows", str(rows), "--seeds", str(len(seeds))]
    show_and_write(options.page, _TITLE, markdown(results, command("research.random_order", *size)), console)
    report("random order", figures(results), Options(options.quick, options.json), console)
