"""`python -m research.session_losses`: see `--help`."""

from collections.abc import Sequence

from benchmarks.harness import run_program
from ranker.startup_lines import without_startup_lines
from research.options import ProgramParser
from research.session_losses.names import VARIANTS

_ROWS, _QUICK_ROWS = 400_000, 8_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Compares the losses."""
    parser = ProgramParser(
        "research.session_losses",
        "Does a loss that compares the impressions of a session rank better, and is it as well calibrated?",
        continues_from="the trainings in the work folder",
    )
    parser.add_quick()
    parser.add_data("feed")
    parser.add_number("--rows", f"impressions of each simulated feed, over all days ({_ROWS:,})")
    parser.add_number("--seeds", "trainings of each variant (3); on a simulated feed each has a feed of its own")
    parser.add_some_of("--variants", VARIANTS, "only these; the config as it is always is among them")
    parser.add_number("--processes", "trainings at a time, each on one thread if there are several (1)", 1)
    parser.add_work()
    options = parser.parse_args(arguments)
    with without_startup_lines():
        from research.session_losses.program import run
    run(options, options.rows or (_QUICK_ROWS if options.quick else _ROWS))


if __name__ == "__main__":
    run_program(main)
