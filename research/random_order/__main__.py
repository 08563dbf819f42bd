"""`python -m research.random_order`: see `--help`."""

from collections.abc import Sequence

from benchmarks.harness import run_program
from ranker.startup_lines import without_startup_lines
from research.options import ProgramParser

_ROWS, _QUICK_ROWS = 400_000, 24_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures O/E in random order."""
    parser = ProgramParser(
        "research.random_order",
        "Are the probabilities calibrated where sessions are in random order, with and without the exposure model?",
        tables="the table",
        continues_from="what is in the work folder",
    )
    parser.add_quick()
    parser.add_number("--rows", f"impressions of each feed, over all days ({_ROWS:,})")
    parser.add_number("--seeds", "feeds, each with its own trainings (5)")
    parser.add_work()
    options = parser.parse_args(arguments)
    with without_startup_lines():
        from research.random_order.program import run
    run(options, options.rows or (_QUICK_ROWS if options.quick else _ROWS))


if __name__ == "__main__":
    run_program(main)
