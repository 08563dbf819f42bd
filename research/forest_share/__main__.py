"""`python -m research.forest_share`: see `--help`."""

import argparse
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.harness import Options, report
from pipeline_config import FEED, KUAIRAND
from research.forest_share.drawing import draw
from research.forest_share.inputs import INPUTS
from research.forest_share.measuring import ForestShareResults
from research.forest_share.page import figures, markdown, title
from research.forest_share.study import held_out, simulated
from research.forest_share.variants import SHARES, WHOLE, Variant, variants
from research.kuairand import KUAIRAND_DAYS, converted_kuairand
from research.online.behaviours import BEHAVIOURS
from research.options import ProgramParser, command, show_and_write, work_folder
from research.quick import quick_config

_PROGRAM = "research.forest_share"
_ROWS, _QUICK_ROWS = 400_000, 8_000
_ROUNDS, _QUICK_ROUNDS = 100, 3


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the retention curve."""
    parser = ProgramParser(
        _PROGRAM,
        "How much of the forest can go, with ids and histories of viewers in its place.",
        picture="a picture",
        continues_from="what is in the work folder",
    )
    parser.add_quick()
    parser.add_data("feed")
    parser.add_number(
        "--rows",
        f"feed: impressions of each feed, over all days ({_ROWS:,}); kuairand: train on about N impressions (all)",
    )
    parser.add_number("--seeds", "trainings, each with its own feed (3)")
    parser.add_argument(
        "--trees", nargs="+", type=_share, default=list(SHARES), metavar="SHARE", help="of the config's trees"
    )
    parser.add_some_of("--inputs", INPUTS, "what is read beside the features")
    parser.add_work()
    options = parser.parse_args(arguments)
    chosen = variants(sorted(set(options.trees), reverse=True), [one for one in INPUTS if one in options.inputs])
    if WHOLE not in chosen:
        parser.error("--trees, --inputs: name 1 and 'nothing', as the others are compared with that model")
    data, console = "feed" if options.quick else options.data, Console()
    seeds = range(1, (options.seeds or (1 if options.quick else 3)) + 1)
    with work_folder(options, "forest-share") as work:
        results = _results(data, options.quick, options.rows, seeds, chosen, work, console)
    if results is None:
        return
    picture = options.page.file.with_suffix(".svg") if options.page else None
    tables = markdown(results, _command(options, data, len(seeds)), picture.name if picture else None)
    if picture:
        draw(results, picture)
    show_and_write(options.page, title(data), tables, console)
    report("forest share", figures(results), Options(options.quick, options.json), console)


def _results(
    data: str,
    quick: bool,
    rows: int | None,
    seeds: Sequence[int],
    chosen: Sequence[Variant],
    work: Path,
    console: Console,
) -> ForestShareResults | None:
    rounds = _QUICK_ROUNDS if quick else _ROUNDS
    if data == "feed":
        config = quick_config() if quick else FEED
        size = rows or (_QUICK_ROWS if quick else _ROWS)
        return simulated(config, BEHAVIOURS["default"], size, seeds, chosen, work, rounds, console)
    log = converted_kuairand(work, console)
    if log is None:
        return None
    days = [(log, day) for day in KUAIRAND_DAYS]
    return held_out("kuairand", KUAIRAND, days, rows, seeds, chosen, work, rounds, console)


def _share(text: str) -> float:
    """Reads a share of the trees from the command line.

    Raises:
        argparse.ArgumentTypeError: it is not a number from 0 to 1.
    """
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return share


def _command(options: argparse.Namespace, data: str, seeds: int) -> str:
    parts = ["--quick"] if options.quick else ["--data", data]
    parts += ["--rows", str(options.rows)] if options.rows else []
    parts += ["--seeds", str(seeds)]
    if sorted(options.trees) != sorted(SHARES):
        parts += ["--trees", *(f"{share:g}" for share in options.trees)]
    if len(set(options.inputs)) < len(INPUTS):
        parts += ["--inputs", *options.inputs]
    return command(_PROGRAM, *parts)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    main()
