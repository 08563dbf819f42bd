"""Our Evaluator compared with TFX's stock one: `python -m benchmarks.evaluation`."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.harness import parse_options, report, run_program
from ranker.startup_lines import without_startup_lines

_ROWS, _QUICK_ROWS = 100_000, 4_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark."""
    options = parse_options("benchmarks.evaluation", "Our Evaluator compared with TFX's stock one.", arguments)
    with without_startup_lines():
        from benchmarks.evaluators import measure
    console = Console()
    with tempfile.TemporaryDirectory(prefix="evaluation-benchmark-") as folder:
        figure = measure(_QUICK_ROWS if options.quick else _ROWS, Path(folder), console)
    report("evaluation", [figure], options, console)


if __name__ == "__main__":
    run_program(main)
