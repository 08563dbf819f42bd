"""`python -m research.tradeoff`: see `--help`."""

from collections.abc import Sequence

from benchmarks.harness import run_program
from ranker.startup_lines import without_startup_lines
from research.options import ProgramParser, seeds_of

_SEEDS = 20


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the experiments of all seeds, and prints table and figures."""
    parser = ProgramParser(
        "research.tradeoff",
        "Experiments that tune the trade-off, in the simulator: by our optimiser and its rivals.",
        tables="the table",
        continues_from="what is in the work folder",
    )
    parser.add_quick("small experiments, two seeds")
    parser.add_number("--seeds", f"simulated feeds ({_SEEDS})")
    parser.add_work("folder for results per seed (temporary)")
    parser.add_argument(
        "--loop",
        action="store_true",
        help="run the real loop instead: train and serve a model, rank by the client, record, suggest, report",
    )
    options = parser.parse_args(arguments)
    with without_startup_lines():
        from research.tradeoff.program import run
    run(options, seeds_of(options, usual=_SEEDS, quick=2))


if __name__ == "__main__":
    run_program(main)
