"""Runs an A/B test, and writes tables, pictures and figures."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.harness import Options, report, work_folder
from benchmarks.pages import show_and_write
from ranker.config.pipeline import PipelineConfig
from research.online.ahead import rank_next_day
from research.online.behaviours import BEHAVIOURS
from research.online.drawing import draw
from research.online.loop import Loop, run_loop
from research.online.names import MODEL_ARM_NAMES
from research.online.page import figures, markdown
from research.online.results import OnlineResults
from research.online.size import Size
from research.options import command
from research.quick import feed_config

_TITLES = {
    "ahead": "Ranking the next day: an A/B test in the simulator",
    "loop": "In the loop: an A/B test in which every arm learns from its own log",
}


def run(options: argparse.Namespace, size: Size) -> None:
    """Runs the A/B test; the options are those of `python -m research.online`."""
    console = Console()
    arms = [arm for arm in MODEL_ARM_NAMES if arm in options.arms]
    with work_folder(options, "online") as work:
        results = {
            name: _run(options.part, name, feed_config(options.quick), size, arms, work, options.processes, console)
            for name in options.behaviour
        }
    pictures = {}
    if options.page:
        pictures = {name: options.page.file.with_name(f"{options.page.file.stem}_{name}.svg") for name in results}

    def draw_all() -> None:
        for name, file in pictures.items():
            draw(results[name], file)

    text = _command(options.part, options.quick, options.behaviour, size, arms)
    tables = markdown(list(results.values()), text, [file.name for file in pictures.values()])
    show_and_write(options.page, _TITLES[options.part], tables, console, draw_all)
    made = [figure for name, result in results.items() for figure in figures(result, name)]
    report(f"online, {options.part}", made, Options(options.quick, options.json), console)


def _run(
    part: str,
    behaviour: str,
    config: PipelineConfig,
    size: Size,
    arms: Sequence[str],
    work: Path,
    processes: int,
    console: Console,
) -> OnlineResults:
    seeds = range(1, size.seeds + 1)
    if part == "loop":
        return run_loop(Loop(config, BEHAVIOURS[behaviour], size.impressions, size.days, arms, work), seeds, console)
    return rank_next_day(config, BEHAVIOURS[behaviour], size.impressions, seeds, arms, work, processes, console)


def _command(part: str, quick: bool, behaviours: Sequence[str], size: Size, arms: Sequence[str]) -> str:
    return command(
        "research.online",
        part,
        *("--behaviour", *behaviours, "--seeds", str(size.seeds), "--impressions", str(size.impressions)),
        *(("--days", str(size.days)) if part == "loop" else ()),
        *(("--arms", *arms) if len(arms) < len(MODEL_ARM_NAMES) else ()),
        quick=quick,
    )
