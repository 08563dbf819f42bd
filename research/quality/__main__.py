"""`python -m research.quality`: see `--help`."""

from collections.abc import Sequence

from benchmarks.harness import run_program
from ranker.startup_lines import without_startup_lines
from research.options import ProgramParser
from research.quality.names import MODEL_NAMES, OURS, WITH_EFFECTS


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark."""
    parser = ProgramParser(
        "research.quality",
        "Our model's quality compared with the usual alternatives, on the same rows and features.",
        picture="a picture",
        continues_from="the predictions in the work folder",
    )
    parser.add_quick()
    parser.add_data("kuairand")
    parser.add_number("--seeds", "trainings of each model per day (5; 1 with --quick)")
    parser.add_number("--rows", "train on about N impressions, those of some viewers (all)")
    parser.add_some_of("--models", MODEL_NAMES, "only these models")
    parser.add_number("--processes", "seeds at a time, one thread each (1)", default=1)
    parser.add_work()
    options = parser.parse_args(arguments)
    if OURS not in options.models or not set(options.models) - {OURS, WITH_EFFECTS}:
        parser.error("--models: name `ours` and at least one rival, as differences are ours minus another's")
    with without_startup_lines():
        from research.quality.program import run
    run(options)


if __name__ == "__main__":
    run_program(main)
