"""`python -m research.tastes`: see `--help`."""

import argparse
import logging
import shlex
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.harness import Options, positive, report
from benchmarks.pages import page_of
from pipeline_config import FEED
from ranker.command_line import local_path, output_file
from research.online.behaviours import BEHAVIOURS
from research.quick import quick_config
from research.tastes.drawing import draw
from research.tastes.effects import default_effects
from research.tastes.page import figures, markdown
from research.tastes.study import ARMS, rank_next_day

_ROWS, _QUICK_ROWS = 400_000, 8_000
_TITLE = "What hidden tastes are worth, and what is learnt of them"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the share of the gap that is closed."""
    parser = argparse.ArgumentParser(
        prog="python -m research.tastes",
        description="How much of what hidden tastes are worth do ids, histories and random effects bring?",
        epilog="A stopped run continues from what is in the work folder, which research.forest_share may share.",
    )
    parser.add_argument("--quick", action="store_true", help="a small feed, one seed: a smoke test")
    parser.add_argument("--json", type=output_file, metavar="FILE", help="write the figures there as JSON")
    parser.add_argument(
        "--page",
        type=page_of("research.tastes"),
        metavar="FILE",
        help="write the tables into this page, and a picture into its folder",
    )
    parser.add_argument(
        "--rows", type=positive, metavar="N", help=f"impressions of each feed, over all days ({_ROWS:,})"
    )
    parser.add_argument("--seeds", type=positive, metavar="N", help="feeds, each with its own trainings (3)")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS), help="only these")
    parser.add_argument(
        "--work", type=local_path, metavar="DIR", help="folder for intermediate results (a temporary folder)"
    )
    options = parser.parse_args(arguments)
    console = Console()
    config = quick_config() if options.quick else FEED
    seeds = range(1, (options.seeds or (1 if options.quick else 3)) + 1)
    rows = options.rows or (_QUICK_ROWS if options.quick else _ROWS)
    arms = [arm for arm in ARMS if arm in options.arms]
    with tempfile.TemporaryDirectory(prefix="tastes-") as temporary:
        work = (options.work or Path(temporary)).resolve()
        effects = default_effects(config)
        results = rank_next_day(config, BEHAVIOURS["default"], rows, seeds, arms, effects, work, console)
    picture = options.page.file.with_suffix(".svg") if options.page else None
    chosen = [] if len(arms) == len(ARMS) else ["--arms", *arms]
    size = [*(["--quick"] if options.quick else []), "--rows", str(rows), "--seeds", str(len(seeds))]
    command = shlex.join(["uv", "run", "python", "-m", "research.tastes", *size, *chosen, "--page", "FILE"])
    tables = markdown(results, command, picture.name if picture else None)
    console.print(tables, highlight=False, soft_wrap=True, markup=False)
    if picture:
        draw(results, picture)
        options.page.write(_TITLE, tables)
    report("tastes", figures(results), Options(options.quick, options.json), console)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    main()
