"""`python -m research.retraining`: see `--help`."""

from collections.abc import Sequence

from benchmarks.harness import run_program
from ranker.startup_lines import without_startup_lines
from research.options import ProgramParser


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark."""
    parser = ProgramParser(
        "research.retraining",
        "Cost and quality of continuing from yesterday's model, compared with a cold start every day.",
        picture="a drawing",
    )
    parser.add_quick("a small feed and three days")
    parser.add_data("kuairand")
    parser.add_number("--seeds", "runs of every strategy (3; 1 with --quick)")
    parser.add_work("keep the transformed rows there (a temporary folder)")
    options = parser.parse_args(arguments)
    with without_startup_lines():
        from research.retraining.program import run
    run(options)


if __name__ == "__main__":
    run_program(main)
