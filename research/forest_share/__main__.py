"""`python -m research.forest_share`: see `--help`."""

from collections.abc import Sequence

from benchmarks.harness import run_program
from ranker.command_line import number
from ranker.startup_lines import without_startup_lines
from research.forest_share.names import INPUTS, NOTHING, SHARES
from research.options import ProgramParser

_ROWS, _QUICK_ROWS = 400_000, 8_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the retention curve."""
    parser = ProgramParser(
        "research.forest_share",
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
        "--trees",
        nargs="+",
        type=number(0.0, 1.0),
        default=list(SHARES),
        metavar="SHARE",
        help="of the config's trees, from 0 to 1",
    )
    parser.add_some_of("--inputs", INPUTS, "what is read beside the features")
    parser.add_work()
    options = parser.parse_args(arguments)
    if 1.0 not in options.trees or NOTHING not in options.inputs:
        parser.error("--trees, --inputs: name 1 and 'nothing', as the others are compared with that model")
    with without_startup_lines():
        from research.forest_share.program import run
    run(options, _QUICK_ROWS if options.quick else _ROWS)


if __name__ == "__main__":
    run_program(main)
