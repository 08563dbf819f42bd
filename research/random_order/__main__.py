"""`python -m research.random_order`: see `--help`."""

import logging
import warnings
from collections.abc import Sequence

from rich.console import Console

from benchmarks.harness import Options, report
from pipeline_config import FEED
from research.online.behaviours import BEHAVIOURS
from research.options import ProgramParser, command, show_and_write, work_folder
from research.quick import quick_config
from research.random_order.page import figures, markdown
from research.random_order.study import predict_orders

_PROGRAM = "research.random_order"
_ROWS, _QUICK_ROWS = 400_000, 24_000
_TITLE = "Calibration where sessions are in random order"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures O/E in random order."""
    parser = ProgramParser(
        _PROGRAM,
        "Are the probabilities calibrated where sessions are in random order, with and without the exposure model?",
        tables="the table",
        continues_from="what is in the work folder",
    )
    parser.add_quick()
    parser.add_number("--rows", f"impressions of each feed, over all days ({_ROWS:,})")
    parser.add_number("--seeds", "feeds, each with its own trainings (5)")
    parser.add_work()
    options = parser.parse_args(arguments)
    console = Console()
    config = quick_config() if options.quick else FEED
    seeds = range(1, (options.seeds or (1 if options.quick else 5)) + 1)
    rows = options.rows or (_QUICK_ROWS if options.quick else _ROWS)
    with work_folder(options, "random-order") as work:
        results = predict_orders(config, BEHAVIOURS["default"], rows, seeds, work, console)
    size = [*(["--quick"] if options.quick else []), "--rows", str(rows), "--seeds", str(len(seeds))]
    show_and_write(options.page, _TITLE, markdown(results, command(_PROGRAM, *size)), console)
    report("random order", figures(results), Options(options.quick, options.json), console)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    main()
