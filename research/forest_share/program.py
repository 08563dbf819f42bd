"""Measures the variants of a command line, and writes tables, picture and figures."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks.harness import Options, report, work_folder
from benchmarks.pages import show_and_write
from pipeline_config import KUAIRAND
from research.forest_share.drawing import draw
from research.forest_share.measuring import ForestShareResults
from research.forest_share.names import INPUTS, SHARES
from research.forest_share.page import figures, markdown, title
from research.forest_share.study import held_out, simulated
from research.forest_share.variants import Variant, variants
from research.kuairand import KUAIRAND_DAYS, converted_kuairand
from research.online.behaviours import BEHAVIOURS
from research.options import command, seeds_of
from research.quick import feed_config

_ROUNDS, _QUICK_ROUNDS = 100, 3


def run(options: argparse.Namespace, rows: int) -> None:
    """Measures the retention curve.

    Args:
        options: those of `python -m research.forest_share`.
        rows: impressions of a simulated feed without `--rows`.
    """
    chosen = variants(sorted(set(options.trees), reverse=True), [one for one in INPUTS if one in options.inputs])
    data, console = "feed" if options.quick else options.data, Console()
    seeds = seeds_of(options, usual=3)
    with work_folder(options, "forest-share") as work:
        results = _results(data, options.quick, options.rows, rows, seeds, chosen, work, console)
    if results is None:
        return
    picture = options.page.picture if options.page else None
    tables = markdown(results, _command(options, data, len(seeds)), picture.name if picture else None)
    show_and_write(options.page, title(data), tables, console, picture and partial(draw, results, picture))
    report("forest share", figures(results), Options(options.quick, options.json), console)


def _results(
    data: str,
    quick: bool,
    rows: int | None,
    feed_rows: int,
    seeds: Sequence[int],
    chosen: Sequence[Variant],
    work: Path,
    console: Console,
) -> ForestShareResults | None:
    rounds = _QUICK_ROUNDS if quick else _ROUNDS
    if data == "feed":
        return simulated(
            feed_config(quick), BEHAVIOURS["default"], rows or feed_rows, seeds, chosen, work, rounds, console
        )
    log = converted_kuairand(work, console)
    if log is None:
        return None
    days = [(log, day) for day in KUAIRAND_DAYS]
    return held_out("kuairand", KUAIRAND, days, rows, seeds, chosen, work, rounds, console)


def _command(options: argparse.Namespace, data: str, seeds: int) -> str:
    parts = [] if options.quick else ["--data", data]
    parts += ["--rows", str(options.rows)] if options.rows else []
    parts += ["--seeds", str(seeds)]
    if sorted(options.trees) != sorted(SHARES):
        parts += ["--trees", *(f"{share:g}" for share in options.trees)]
    if len(set(options.inputs)) < len(INPUTS):
        parts += ["--inputs", *options.inputs]
    return command("research.forest_share", *parts, quick=options.quick)
