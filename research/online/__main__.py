"""`python -m research.online`: see `--help`."""

import argparse
import logging
import shlex
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks.harness import Options, positive, report
from benchmarks.pages import page_of
from pipeline_config import FEED
from research.online.ahead import rank_next_day
from research.online.arms import MODEL_ARMS, OURS
from research.online.behaviours import BEHAVIOURS
from research.online.drawing import draw
from research.online.page import TITLE, figures, markdown

_IMPRESSIONS, _QUICK_IMPRESSIONS = 400_000, 16_000
_QUICK_TREES = 60


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the A/B test."""
    parser = argparse.ArgumentParser(
        prog="python -m research.online",
        description="An A/B test in the simulator: arms rank the same sessions, and their engagement is compared.",
        epilog="A stopped run continues from the predictions in the work folder.",
    )
    parser.add_argument(
        "part", choices=("ahead",), help="ahead: train on the production ranker's log, rank the next day"
    )
    parser.add_argument("--quick", action="store_true", help="a small feed, one seed: a smoke test")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as JSON")
    parser.add_argument(
        "--page",
        type=page_of("research.online"),
        metavar="FILE",
        help="write the tables into this page, and a picture per behaviour into its folder",
    )
    parser.add_argument(
        "--behaviour",
        nargs="+",
        choices=list(BEHAVIOURS),
        default=["default"],
        help=f"settings of the simulator: the feed's default, or former: {BEHAVIOURS['former'].title} (default)",
    )
    parser.add_argument(
        "--seeds", type=positive, metavar="N", help="feeds, each with its trainings (5; 1 with --quick)"
    )
    parser.add_argument(
        "--impressions",
        type=positive,
        metavar="N",
        help=f"of each feed ({_IMPRESSIONS}; {_QUICK_IMPRESSIONS} with --quick)",
    )
    parser.add_argument(
        "--arms", nargs="+", choices=list(MODEL_ARMS), default=list(MODEL_ARMS), help="only these models"
    )
    parser.add_argument("--processes", type=positive, default=1, metavar="N", help="trainings at a time (1)")
    parser.add_argument("--work", type=Path, metavar="DIR", help="folder for intermediate results (a temporary folder)")
    options = parser.parse_args(arguments)
    if OURS not in options.arms:
        parser.error(f"--arms: name {OURS!r}, as the figures are about it")
    console = Console()
    config = replace(FEED, forest=replace(FEED.forest, trees=_QUICK_TREES)) if options.quick else FEED
    impressions = options.impressions or (_QUICK_IMPRESSIONS if options.quick else _IMPRESSIONS)
    seeds = range(1, (options.seeds or (1 if options.quick else 5)) + 1)
    models = {name: model for name, model in MODEL_ARMS.items() if name in options.arms}
    with tempfile.TemporaryDirectory(prefix="online-") as temporary:
        work = options.work or Path(temporary)
        results = {
            name: rank_next_day(
                config, BEHAVIOURS[name], impressions, list(seeds), models, work, options.processes, console
            )
            for name in options.behaviour
        }
    command = shlex.join(
        [
            *("uv", "run", "python", "-m", "research.online", options.part),
            *(("--quick",) if options.quick else ()),
            *("--behaviour", *options.behaviour, "--seeds", str(len(seeds)), "--impressions", str(impressions)),
            *(("--arms", *models) if len(models) < len(MODEL_ARMS) else ()),
        ]
    )
    pictures = {}
    if options.page:
        for name, result in results.items():
            pictures[name] = options.page.file.with_name(f"{options.page.file.stem}_{name}.svg")
            draw(result, pictures[name])
    tables = markdown(list(results.values()), f"{command} --page FILE", [file.name for file in pictures.values()])
    console.print(tables, highlight=False, soft_wrap=True, markup=False)
    if options.page:
        options.page.write(TITLE, tables)
    made = [figure for name, result in results.items() for figure in figures(result, name)]
    report("online", made, Options(options.quick, options.json), console)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    main()
