"""`python -m research.studies`: see `--help`."""

import os
from collections.abc import Sequence

from benchmarks.harness import run_program
from ranker.startup_lines import without_startup_lines
from research.options import DATA, ProgramParser
from research.studies.studies import STUDIES


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a study."""
    parser = ProgramParser(
        "research.studies",
        "The effect of single choices in the towers' training, over several seeds, on the same forest.",
        picture="pictures",
        continues_from="the predictions in the work folder",
    )
    parser.add_argument("study", choices=list(STUDIES), help="name of the study")
    parser.add_argument("--data", nargs="+", choices=DATA, help="the feed logs (all supported)")
    parser.add_number("--seeds", "trainings of each variant (the study's own number)")
    parser.add_quick("a small feed, two seeds if none are given")
    parser.add_work()
    parser.add_number("--processes", "trainings at a time", default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    study = STUDIES[options.study]
    wanted = ("feed",) if options.quick else tuple(options.data or study.data)
    if unfit := sorted(set(wanted) - set(study.data)):
        parser.error(f"--data: {study.name} does not support {unfit}, only {list(study.data)}")
    with without_startup_lines():
        from research.studies.program import run_study
    run_study(study, wanted, options)


if __name__ == "__main__":
    run_program(main)
