"""Batch scoring compared with the model's graph: `python -m benchmarks.scoring`."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.harness import parse_options, report, run_program
from ranker.startup_lines import without_startup_lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark."""
    options = parse_options(
        "benchmarks.scoring", "Batch scoring compared with the model's graph on ready batches.", arguments
    )
    with without_startup_lines():
        from benchmarks.batch_scoring import measure, prepared
    console = Console()
    with tempfile.TemporaryDirectory(prefix="scoring-benchmark-") as folder:
        work = Path(folder)
        console.print("preparing: a feed log and a model")
        report("Batch scoring", measure(prepared(work, options.quick), work, options.quick), options, console)


if __name__ == "__main__":
    run_program(main)
