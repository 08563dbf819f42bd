"""`python -m research.ranking`: see `--help`."""

from collections.abc import Sequence

from benchmarks.harness import run_program
from ranker.startup_lines import without_startup_lines
from research.options import ProgramParser
from research.ranking.names import PARTS

_ROWS, _QUICK_ROWS = 400_000, 8_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Judges the variants."""
    parser = ProgramParser(
        "research.ranking",
        "Which choices make the model rank better? `losses` adds a loss that compares the impressions of a session to "
        "the cross entropy; `defaults` changes one choice of the config at a time; `distillation` makes distillation "
        "fade faster with the positives.",
        continues_from="the trainings in the work folder",
    )
    parser.add_argument("part", choices=list(PARTS), help="what is compared with the config as it is")
    parser.add_quick()
    parser.add_data("feed")
    parser.add_number("--rows", f"impressions of each simulated feed, over all days ({_ROWS:,})")
    parser.add_number("--seeds", "trainings of each variant (3); on a simulated feed each has a feed of its own")
    variants = "; ".join(f"{part}: {', '.join(repr(name) for name in names)}" for part, names in PARTS.items())
    parser.add_argument("--variants", nargs="+", metavar="NAME", help=f"only these (all); {variants}")
    parser.add_number("--processes", "trainings at a time, each on one thread if there are several (1)", default=1)
    parser.add_work()
    options = parser.parse_args(arguments)
    known = PARTS[options.part]
    if unknown := sorted(set(options.variants or known) - set(known)):
        parser.error(
            f"--variants: {options.part} has no {', '.join(map(repr, unknown))}; it has {', '.join(map(repr, known))}"
        )
    with without_startup_lines():
        from research.ranking.program import run
    run(options, options.rows or (_QUICK_ROWS if options.quick else _ROWS))


if __name__ == "__main__":
    run_program(main)
