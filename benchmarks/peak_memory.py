"""Measures seconds and peak memory of a command.

The peak is that of the largest process: of the command itself and of those that it started and waited for. Processes
that run at the same time are not added up.

A process that is started by a large process reports the large one's memory as its own peak, as both share their pages
until the new program is loaded. So each command is started by a separate small process, which runs this module.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Usage:
    """A command's exit status, the peak resident memory of its largest process in bytes, and its seconds."""

    status: int
    peak_bytes: int
    seconds: float


def measure_process(command: Sequence[str], log: Path) -> Usage:
    """Runs a command in the project's root, with its output in `log`."""
    starter = [sys.executable, "-m", "benchmarks.peak_memory", str(log.resolve()), *command]
    run = subprocess.run(starter, cwd=PROJECT_ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return Usage(**json.loads(run.stdout))


def _measure_here(command: Sequence[str], log: Path) -> Usage:
    start = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return Usage(os.waitstatus_to_exitcode(status), used.ru_maxrss * unit, time.perf_counter() - start)


if __name__ == "__main__":
    print(json.dumps(vars(_measure_here(sys.argv[2:], Path(sys.argv[1])))))
