"""Runs the experiments of all seeds, or the real loop, and writes table and figures."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.harness import Options, report, work_folder
from benchmarks.pages import show_and_write
from ranker.documents import read_json, write_json
from ranker.files import write_text
from research.options import command
from research.tradeoff.experiment import Outcome, Size, run_seed
from research.tradeoff.loop import Loop, run_loop
from research.tradeoff.page import Outcomes, figures, markdown
from research.tradeoff.speed import seconds_per_suggestion

_SIZE = Size(impressions=12_000, rounds=5, arms=4, viewers=100_000)
_QUICK_SIZE = Size(impressions=3_000, rounds=2, arms=2, viewers=20_000)


def run(options: argparse.Namespace, seeds: Sequence[int]) -> None:
    """Runs the experiments of the seeds; the options are those of `python -m research.tradeoff`."""
    console = Console()
    with work_folder(options, "tradeoff") as work:
        if options.loop:
            run_loop(Loop(work / "loop", rounds=2, quick=options.quick), console)
            return
        size = _QUICK_SIZE if options.quick else _SIZE
        outcomes = _outcomes(size, seeds, work, console)
    seconds = seconds_per_suggestion()
    text = command("research.tradeoff", "--seeds", str(len(seeds)), quick=options.quick)
    table = markdown(outcomes, size, seconds, text)
    show_and_write(options.page, "The trade-off that tunes itself, in the simulator", table, console)
    report("trade-off", figures(outcomes, seconds), Options(options.quick, options.json), console)


def _outcomes(size: Size, seeds: Sequence[int], work: Path, console: Console) -> Outcomes:
    """Method → outcomes of all seeds; those in the work folder are not computed again."""
    by_seed = []
    for seed in seeds:
        file = work / f"{size.impressions}-{size.rounds}-{size.arms}-{size.viewers}" / f"seed-{seed}.json"
        if not file.exists():
            write_text(file, write_json(run_seed(size, seed), dict[str, Outcome]))
            console.print(f"seed {seed}", highlight=False)
        by_seed.append(read_json(dict[str, Outcome], file.read_text(), str(file)))
    return {name: [outcomes[name] for outcomes in by_seed] for name in by_seed[0]}
