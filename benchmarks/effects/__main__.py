"""`python -m benchmarks.effects`: see `--help`."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.harness import parse_options, report, run_program
from benchmarks.serving.prepare import configs, prepared
from pipeline_config import FEED
from ranker.startup_lines import without_startup_lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark."""
    options = parse_options(
        "benchmarks.effects", "Random effects: fitting them, and serving them to a session.", arguments
    )
    with without_startup_lines():
        from benchmarks.effects.fitting import entities_per_second
        from benchmarks.effects.serving import session_cost
        from benchmarks.serving.sessions import Workshop
    console = Console()
    figures = [entities_per_second(options.quick)]
    with tempfile.TemporaryDirectory(prefix="effects-benchmark-") as work:
        models = prepared(Path(work), options.quick, console)
        workshop = Workshop(models[FEED.name], configs(options.quick)[FEED.name])
        figures.append(session_cost(workshop, Path(work), options.quick))
    report("effects", figures, options, console)


if __name__ == "__main__":
    run_program(main)
