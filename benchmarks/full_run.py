"""Peak memory of the largest process, and rows per second, of complete runs of the pipeline at several sizes."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean

from benchmarks.harness import Figure
from benchmarks.peak_memory import Usage, measure_process
from datasets.synthetic import generate
from pipeline.local.run_summary import ComponentSummary, RunSummary

DAYS = 8
MEMORY_TARGET = 1.3
SPEED_TARGET = 0.8

_DONE, _NOT_BLESSED = 0, 3
_GIB = 1 << 30


@dataclass(frozen=True)
class ComponentCost:
    """What a component took in one run.

    Attributes:
        rows: that it read; None if it reads none.
        seconds: from its launch to its end.
        core_seconds: its CPU time.
        peak_bytes: memory of the run's process meanwhile; None where it is unknown, see `ComponentSummary`.
    """

    rows: int | None
    seconds: float
    core_seconds: float
    peak_bytes: int | None = None


@dataclass(frozen=True)
class FullRun:
    """A run of the complete pipeline, or the mean of several at one size.

    Attributes:
        rows: impressions of the feed log.
        usage: seconds and memory of the run's process.
        components: by name, in their order.
        of: the runs whose mean it is; none for a single run.
    """

    rows: int
    usage: Usage
    components: dict[str, ComponentCost]
    of: tuple["FullRun", ...] = ()


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
    return FullRun(written, usage, component_costs(RunSummary.from_json(summary.read_text()).components))


def component_costs(components: Sequence[ComponentSummary]) -> dict[str, ComponentCost]:
    """The costs of each component of a run of the present version."""
    return {
        part.component: ComponentCost(part.rows, part.seconds, part.cpu_seconds or 0.0, part.peak_memory)
        for part in components
    }


def mean_of(runs: Sequence[FullRun]) -> FullRun:
    """Runs at one size as one: the mean of their seconds and of their CPU time, and the highest of their memory."""
    costs = {name: _mean_cost([run.components[name] for run in runs]) for name in runs[0].components}
    usages = [run.usage for run in runs]
    usage = Usage(
        max(one.status for one in usages), max(one.peak_bytes for one in usages), fmean(one.seconds for one in usages)
    )
    return FullRun(runs[0].rows, usage, costs, tuple(runs))


def _mean_cost(costs: Sequence[ComponentCost]) -> ComponentCost:
    peaks = [cost.peak_bytes for cost in costs if cost.peak_bytes is not None]
    return ComponentCost(
        costs[0].rows,
        fmean(cost.seconds for cost in costs),
        fmean(cost.core_seconds for cost in costs),
        max(peaks) if len(peaks) == len(costs) else None,
    )


def compare_all(runs: Sequence[FullRun], with_targets: bool) -> list[Figure]:
    """Each size compared with the next smaller one; several runs at one size count as their mean."""
    by_rows = [[run for run in runs if run.rows == rows] for rows in sorted({run.rows for run in runs})]
    sizes = [mean_of(alike) if len(alike) > 1 else alike[0] for alike in by_rows]
    return [figure for small, large in pairwise(sizes) for figure in compare(small, large, with_targets)]


def compare(small: FullRun, large: FullRun, with_targets: bool) -> list[Figure]:
    """The large run compared with the small one.

    The figures are the peak memory of the largest process, and every component's rows per second, CPU time, and peak
    memory of the run's process while it ran.
    """
    pair = f"{short(large.rows)}_over_{short(small.rows)}"
    memory = Figure(
        f"memory_{pair}",
        ours=large.usage.peak_bytes / _GIB,
        rival=small.usage.peak_bytes / _GIB,
        unit="GiB",
        target=MEMORY_TARGET if with_targets else None,
        target_is_least=False,
        note=f"peak resident memory of the largest process of a complete run, {large.rows:,} rows over "
        f"{small.rows:,}; they took {_seconds(large)} and {_seconds(small)}. The figures below it are of those runs: "
        "impressions, each component's rows per second, its CPU time, and the memory of the run's process meanwhile. "
        "Of several runs at one size it is the highest memory, and the mean of the rest",
    )
    impressions = Figure(f"impressions_{pair}", large.rows, small.rows, "impressions")
    speeds, costs, peaks = [], [], []
    for name, of_large in large.components.items():
        of_small = small.components[name]
        costs.append(
            Figure(f"core_seconds_{pair}.{name}", of_large.core_seconds, of_small.core_seconds, "core seconds")
        )
        if of_large.peak_bytes and of_small.peak_bytes:
            ours, theirs = of_large.peak_bytes / _GIB, of_small.peak_bytes / _GIB
            peaks.append(Figure(f"component_memory_{pair}.{name}", ours, theirs, "GiB"))
        if of_large.rows and of_small.rows:
            target = SPEED_TARGET if with_targets else None
            ours, theirs = of_large.rows / of_large.seconds, of_small.rows / of_small.seconds
            note = f"{_seconds(large, name)} and {_seconds(small, name)}"
            speeds.append(Figure(f"rows_per_second_{pair}.{name}", ours, theirs, "rows/s", target, note=note))
    return [memory, impressions, *speeds, *costs, *peaks]


def _seconds(size: FullRun, component: str | None = None) -> str:
    """The seconds of each run at a size, for a note: complete, or of one component."""
    runs = size.of or (size,)
    seconds = [run.components[component].seconds if component else run.usage.seconds for run in runs]
    return ", ".join(f"{one:.1f}" if component else f"{one:.0f}" for one in seconds) + " s"


def short(rows: int) -> str:
    """A number of rows as in the name of a figure, rounded.

    Example:
        >>> short(199_992), short(1_000_000)
        ('200k', '1m')
    """
    thousands = round(rows / 1000)
    return f"{thousands // 1000}m" if thousands >= 1000 and thousands % 1000 == 0 else f"{thousands}k"
