"""Peak memory and rows per second of a small and a large run of the complete pipeline."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import Figure
from benchmarks.peak_memory import Usage, measure_process
from datasets.synthetic import generate

DAYS = 8
MEMORY_TARGET = 1.3
SPEED_TARGET = 0.8

_DONE, _NOT_BLESSED = 0, 3


@dataclass(frozen=True)
class FullRun:
    """A run of the complete pipeline.

    Attributes:
        rows: impressions of the feed log.
        usage: seconds and memory of the run's process.
        rows_per_second: of each component that reads rows.
    """

    rows: int
    usage: Usage
    rows_per_second: dict[str, float]


def full_run(rows: int, folder: Path, beam_args: str | None = None) -> FullRun:
    """Runs `local_runner.py` on a built-in feed of about `rows` impressions.

    Args:
        rows: impressions of the feed log.
        folder: where the feed log and the working folder go; a cluster's workers have to see it.
        beam_args: Beam's arguments in place of the config's.

    Raises:
        RuntimeError: the run failed. A run without a blessed model has not failed: a small run may not get one.
    """
    folder = folder.resolve()
    feed = folder / "feed_log"
    written = sum(day.rows for day in generate(feed, days=DAYS, impressions_per_day=rows // DAYS, seed=1))
    workdir, log = folder / "workdir", folder / "run.log"
    command = [sys.executable, "local_runner.py", "--feed-log", str(feed), "--workdir", str(workdir)]
    if beam_args is not None:
        command += [f"--beam-args={beam_args}", "--shared-paths"]
    usage = measure_process(command, log)
    if usage.status not in (_DONE, _NOT_BLESSED):
        raise RuntimeError(f"local_runner.py ended with status {usage.status}:\n{log.read_text()[-2000:]}")
    (summary,) = workdir.glob("runs/*/summary.json")
    return FullRun(written, usage, component_speeds(json.loads(summary.read_text())))


def component_speeds(summary: dict[str, Any]) -> dict[str, float]:
    """Rows per second of each component that reads rows, from a run summary."""
    return {
        part["component"]: part["rows"] / part["seconds"]
        for part in summary["components"]
        if part["rows"] and part["seconds"]
    }


def compare(small: FullRun, large: FullRun, with_targets: bool) -> list[Figure]:
    """The large run compared with the small one: peak memory, and rows per second of every component."""
    sizes = f"{large.rows:,} rows over {small.rows:,}"
    gib = 1 << 30
    memory = Figure(
        "memory_1m_over_200k",
        ours=large.usage.peak_bytes / gib,
        rival=small.usage.peak_bytes / gib,
        unit="GiB",
        target=MEMORY_TARGET if with_targets else None,
        target_is_least=False,
        note=f"peak resident memory of a complete run, {sizes}; they took {large.usage.seconds:.0f} s and "
        f"{small.usage.seconds:.0f} s. The figures below it are each component's rows per second in those runs",
    )
    speeds = [
        Figure(
            f"rows_per_second_1m_over_200k.{component}",
            ours=speed,
            rival=small.rows_per_second[component],
            unit="rows/s",
            target=SPEED_TARGET if with_targets else None,
        )
        for component, speed in large.rows_per_second.items()
    ]
    return [memory, *speeds]
