"""Measures the variants of a command line, and writes tables and figures."""

import argparse

from rich.console import Console

from benchmarks.harness import Options, report, work_folder
from benchmarks.pages import show_and_write
from pipeline_config import KUAIRAND
from research.kuairand import KUAIRAND_DAYS, converted_kuairand
from research.online.behaviours import BEHAVIOURS
from research.options import command, seeds_of
from research.quick import feed_config
from research.ranking.names import BASE, PARTS
from research.ranking.page import figures, markdown, title
from research.ranking.study import held_out, simulated


def run(options: argparse.Namespace, rows: int) -> None:
    """Judges the variants.

    Args:
        options: those of `python -m research.ranking`.
        rows: impressions of a simulated feed, over all days.
    """
    console = Console()
    seeds = seeds_of(options, usual=3)
    data = "feed" if options.quick else options.data
    everything = PARTS[options.part]
    chosen = [name for name in everything if name in (options.variants or everything)]
    names = (BASE, *chosen)
    with work_folder(options, "ranking") as work:
        if data == "feed":
            config = feed_config(options.quick)
            results = simulated(config, BEHAVIOURS["default"], rows, seeds, names, work, options.processes, console)
        else:
            log = converted_kuairand(work, console)
            if log is None:
                return
            # Most of its sessions have one impression, so all that a viewer saw on a day is one here.
            results = held_out(
                "kuairand",
                KUAIRAND,
                log,
                KUAIRAND_DAYS,
                KUAIRAND.keys.viewer,
                seeds,
                names,
                work,
                options.processes,
                console,
            )
    words = [options.part] if options.quick else [options.part, "--data", data]
    words += ["--rows", str(options.rows)] if options.rows else []
    words += ["--seeds", str(len(seeds))]
    words += [] if len(chosen) == len(everything) else ["--variants", *chosen]
    tables = markdown(results, command("research.ranking", *words, quick=options.quick))
    show_and_write(options.page, title(options.part, data), tables, console)
    report(f"ranking, {options.part}", figures(results), Options(options.quick, options.json), console)
