"""`python -m research.tastes`: see `--help`."""

from collections.abc import Sequence

from benchmarks.harness import run_program
from ranker.startup_lines import without_startup_lines
from research.options import ProgramParser
from research.tastes.names import ARMS

_ROWS, _QUICK_ROWS = 400_000, 8_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the share of the gap that is closed."""
    parser = ProgramParser(
        "research.tastes",
        "How much of what hidden tastes are worth do ids, histories and random effects bring?",
        picture="a picture",
        continues_from="what is in the work folder, which research.forest_share may share",
    )
    parser.add_quick()
    parser.add_number("--rows", f"impressions of each feed, over all days ({_ROWS:,})")
    parser.add_number("--seeds", "feeds, each with its own trainings (3)")
    parser.add_some_of("--arms", ARMS, "only these models")
    parser.add_work()
    options = parser.parse_args(arguments)
    with without_startup_lines():
        from research.tastes.program import run
    run(options, options.rows or (_QUICK_ROWS if options.quick else _ROWS))


if __name__ == "__main__":
    run_program(main)
