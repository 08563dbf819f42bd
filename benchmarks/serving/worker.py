"""A section of the serving benchmark in a process of its own, because TensorFlow's threads are set once per process.

    uv run python -m benchmarks.serving.worker SECTION --work DIR --threads N [--rivals PYTHON] [--quick]

Prints one JSON line per result. `python -m benchmarks.serving` starts it.
"""

import argparse
import dataclasses
import importlib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from benchmarks.harness import positive, run_program
from ranker.command_line import local_path
from ranker.startup_lines import without_startup_lines

SECTIONS = ("batches", "forests", "objectives", "side_by_side")
"""The modules of this folder with a function `results` of a `Task`."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Task:
    """What a worker measures.

    Attributes:
        work: the folder of the prepared models.
        threads: of each side.
        quick: measure few sizes, roughly.
        rivals: an interpreter with the packages of other programs; None to leave them out.
    """

    work: Path
    threads: int
    quick: bool
    rivals: str | None = None


def measured(section: str, kind: type[Result], task: Task) -> list[Result]:
    """Runs a section in a process, and reads its results.

    Raises:
        RuntimeError: the process failed.
    """
    command = [sys.executable, "-m", "benchmarks.serving.worker", section]
    command += ["--work", str(task.work), "--threads", str(task.threads)]
    command += ["--rivals", task.rivals] if task.rivals else []
    command += ["--quick"] if task.quick else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return [kind(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{")]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.worker",
        description="A section of the serving benchmark, in a process of its own.",
    )
    parser.add_argument("section", choices=SECTIONS, help="what is measured")
    parser.add_argument(
        "--work", type=local_path, required=True, metavar="DIR", help="the models of benchmarks.serving.prepare"
    )
    parser.add_argument("--threads", type=positive, default=1, metavar="N", help="threads of each side (1)")
    parser.add_argument("--rivals", metavar="PYTHON", help="an interpreter with other programs, for objectives")
    parser.add_argument("--quick", action="store_true", help="few sizes, measured roughly")
    options = parser.parse_args(arguments)
    with without_startup_lines():
        section = importlib.import_module(f"benchmarks.serving.{options.section}")
    for result in section.results(Task(options.work, options.threads, options.quick, options.rivals)):
        print(json.dumps(dataclasses.asdict(result)), flush=True)


if __name__ == "__main__":
    run_program(main)
