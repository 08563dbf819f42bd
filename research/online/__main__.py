"""`python -m research.online`: see `--help`."""

from collections.abc import Sequence

from benchmarks.harness import run_program
from ranker.startup_lines import without_startup_lines
from research.online.behaviours import BEHAVIOURS
from research.online.names import MODEL_ARM_NAMES
from research.online.size import Size
from research.options import ProgramParser
from research.quality.names import OURS

_PARTS = {
    "ahead": "train on the production ranker's log, and rank the next day",
    "loop": "every arm trains every day on its own log",
}
_SIZES = {"ahead": Size(400_000, 1, 5), "loop": Size(10_000, 14, 5)}
_QUICK_SIZES = {"ahead": Size(16_000, 1, 1), "loop": Size(4_000, 2, 1)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the A/B test."""
    parser = ProgramParser(
        "research.online",
        "An A/B test in the simulator: arms rank the same sessions, and their engagement is compared.",
        picture="a picture per behaviour",
        continues_from="what is in the work folder",
    )
    parser.add_argument(
        "part", choices=list(_PARTS), help="; ".join(f"{part}: {what}" for part, what in _PARTS.items())
    )
    parser.add_quick()
    parser.add_argument(
        "--behaviour",
        nargs="+",
        choices=list(BEHAVIOURS),
        default=["default"],
        help="; ".join(f"{name}: {behaviour.title}" for name, behaviour in BEHAVIOURS.items()) + " (default)",
    )
    parser.add_number("--seeds", "feeds, each with its own trainings (5)")
    ahead, loop = _SIZES["ahead"], _SIZES["loop"]
    parser.add_number(
        "--impressions",
        f"ahead: of each feed, over all days ({ahead.impressions:,}); loop: of each day ({loop.impressions:,})",
    )
    parser.add_number("--days", f"loop: days that are ranked ({loop.days})")
    parser.add_some_of("--arms", MODEL_ARM_NAMES, "only these models; the one with random effects adds them to ours")
    parser.add_number("--processes", "ahead: trainings at a time (1)", default=1)
    parser.add_work()
    options = parser.parse_args(arguments)
    if OURS not in options.arms:
        parser.error(f"--arms: name {OURS!r}, as the figures are about it")
    if options.days and options.part == "ahead":
        parser.error("--days: `ahead` ranks one day; the option is for `loop`")
    usual = (_QUICK_SIZES if options.quick else _SIZES)[options.part]
    size = Size(options.impressions or usual.impressions, options.days or usual.days, options.seeds or usual.seeds)
    with without_startup_lines():
        from research.online.program import run
    run(options, size)


if __name__ == "__main__":
    run_program(main)
