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
from research.session_losses.names import IMPRESSIONS, VARIANTS
from research.session_losses.page import TITLE, figures, markdown
from research.session_losses.study import held_out, simulated


def run(options: argparse.Namespace, rows: int) -> None:
    """Compares the losses.

    Args:
        options: those of `python -m research.session_losses`.
        rows: impressions of a simulated feed, over all days.
    """
    console = Console()
    seeds = seeds_of(options, usual=3)
    data = "feed" if options.quick else options.data
    # All are compared with the config as it is.
    names = tuple(name for name in VARIANTS if name in {IMPRESSIONS, *options.variants})
    with work_folder(options, "session-losses") as work:
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
    size = [] if options.quick else ["--data", data]
    size += ["--rows", str(options.rows)] if options.rows else []
    size += ["--seeds", str(len(seeds))]
    size += [] if names == VARIANTS else ["--variants", *names]
    tables = markdown(results, command("research.session_losses", *size, quick=options.quick))
    of_data = "the built-in feed" if data == "feed" else data
    show_and_write(options.page, f"{TITLE}: {of_data}", tables, console)
    report("session losses", figures(results), Options(options.quick, options.json), console)
