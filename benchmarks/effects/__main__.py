"""`python -m benchmarks.effects`: see `--help`."""

import logging
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.effects.fitting import entities_per_second
from benchmarks.effects.serving import session_cost
from benchmarks.harness import parse_options, report
from benchmarks.serving.prepare import configs, prepared
from benchmarks.serving.sessions import Workshop
from pipeline_config import FEED


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark."""
    options = parse_options("Random effects: fitting them, and serving them to a session.", arguments)
    console = Console()
    figures = [entities_per_second(options.quick)]
    with tempfile.TemporaryDirectory(prefix="effects-benchmark-") as work:
        models = prepared(Path(work), options.quick, console)
        workshop = Workshop(models[FEED.name], configs(options.quick)[FEED.name])
        figures.append(session_cost(workshop, Path(work), options.quick))
    report("effects", figures, options, console)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    main()
