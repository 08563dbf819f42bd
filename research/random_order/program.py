"""Measures O/E in random order on feeds of several seeds, and writes table and figures."""

import argparse

from rich.console import Console

from benchmarks.harness import Options, report, work_folder
from benchmarks.pages import show_and_write
from research.online.behaviours import BEHAVIOURS
from research.options import command, seeds_of
from research.quick import feed_config
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
    config, seeds = feed_config(options.quick), seeds_of(options, usual=5)
    with work_folder(options, "random-order") as work:
        results = predict_orders(config, BEHAVIOURS["default"], rows, seeds, work, console)
    size = ["--rows", str(rows), "--seeds", str(len(seeds))]
    tables = markdown(results, command("research.random_order", *size, quick=options.quick))
    show_and_write(options.page, _TITLE, tables, console)
    report("random order", figures(results), Options(options.quick, options.json), console)
