"""`python -m research.random_order`: see `--help`."""

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
from research.random_order.page import figures, markdown
from research.random_order.study import predict_orders

_ROWS, _QUICK_ROWS = 400_000, 24_000
_TITLE = "Calibration where sessions are in random order"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures O/E in random order."""
    parser = argparse.ArgumentParser(
        prog="python -m research.random_order",
        description="Are the probabilities calibrated where sessions are in random order, with and without the "
        "exposure model?",
        epilog="A stopped run continues from what is in the work folder.",
    )
    parser.add_argument("--quick", action="store_true", help="a small feed, one seed: a smoke test")
    parser.add_argument("--json", type=output_file, metavar="FILE", help="write the figures there as JSON")
    parser.add_argument(
        "--page", type=page_of("research.random_order"), metavar="FILE", help="write the table into this page"
    )
    parser.add_argument(
        "--rows", type=positive, metavar="N", help=f"impressions of each feed, over all days ({_ROWS:,})"
    )
    parser.add_argument("--seeds", type=positive, metavar="N", help="feeds, each with its own trainings (5)")
    parser.add_argument(
        "--work", type=local_path, metavar="DIR", help="folder for intermediate results (a temporary folder)"
    )
    options = parser.parse_args(arguments)
    console = Console()
    config = quick_config() if options.quick else FEED
    seeds = range(1, (options.seeds or (1 if options.quick else 5)) + 1)
    rows = options.rows or (_QUICK_ROWS if options.quick else _ROWS)
    with tempfile.TemporaryDirectory(prefix="random-order-") as temporary:
        work = (options.work or Path(temporary)).resolve()
        results = predict_orders(config, BEHAVIOURS["default"], rows, seeds, work, console)
    size = [*(["--quick"] if options.quick else []), "--rows", str(rows), "--seeds", str(len(seeds))]
    tables = markdown(
        results, shlex.join(["uv", "run", "python", "-m", "research.random_order", *size, "--page", "FILE"])
    )
    console.print(tables, highlight=False, soft_wrap=True, markup=False)
    if options.page:
        options.page.write(_TITLE, tables)
    report("random order", figures(results), Options(options.quick, options.json), console)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    main()
