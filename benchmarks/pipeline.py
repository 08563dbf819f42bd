"""The pipeline's own components compared with what they replace, and how memory and speed depend on the number of rows.

    uv run python -m benchmarks.pipeline [--quick] [--json FILE]
        [--components | --forest ROWS | --complete-runs ROWS ROWS …]

The rows are those of the built-in feed, and the artifacts are the pipeline's. `python -m benchmarks.capacity` makes a
page of the JSON of the complete runs.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from benchmarks.full_run import DAYS, FullRun, compare_all, full_run
from benchmarks.harness import Figure, Options, option_parser, positive, report, run_program
from datasets.synthetic import DaySummary, generate
from pipeline_config import FEED
from ranker.config.pipeline import PipelineConfig
from ranker.startup_lines import without_startup_lines

if TYPE_CHECKING:
    from benchmarks.component_speed import PreparedFeed

ROWS, QUICK_ROWS = 200_000, 4_000
COMPLETE_RUNS, QUICK_COMPLETE_RUNS = (200_000, 1_000_000, 5_000_000), (4_000, 8_000)


def prepare(rows: int, config: PipelineConfig, work: Path, console: Console) -> "PreparedFeed":
    """Generates a feed of about `rows` impressions and runs the pipeline on it up to LeafEncoder.

    Raises:
        RuntimeError: a component failed.
    """
    from benchmarks.component_speed import PreparedFeed
    from benchmarks.part_run import run_up_to

    summaries = _feed_log(rows, config, work)
    day = summaries[-1].day
    outputs = run_up_to("LeafEncoder", config, work / "feed_log", day, work, console)
    return PreparedFeed(
        config=config,
        day=day,
        rows=sum(summary.rows for summary in summaries),
        feed_log=work / "feed_log",
        transformed_examples=outputs["transformed_examples"],
        transform_graph=outputs["transform_graph"],
        forest=outputs["forest"],
        leaf_examples=outputs["leaf_examples"],
    )


def _feed_log(rows: int, config: PipelineConfig, work: Path) -> list[DaySummary]:
    """Writes about `rows` impressions, a window of the config and the day after it, into `work / "feed_log"`."""
    days = config.train_days + 1
    return generate(work / "feed_log", days=days, impressions_per_day=rows // days, seed=1)


def component_figures(rows: int, work: Path, console: Console) -> Iterator[Figure]:
    """The figures of single components."""
    with without_startup_lines():
        from benchmarks.component_speed import feed_log_gen, leaf_encoder, tower_trainer
    console.print(f"preparing {rows:,} rows of the built-in feed")
    prepared = prepare(rows, FEED, work, console)
    for measure in (
        lambda: leaf_encoder(prepared, work),
        lambda: tower_trainer(prepared),
        lambda: feed_log_gen(prepared, work),
    ):
        figure = measure()
        console.print(f"{figure.name}: {figure.ours:,.0f} compared with {figure.rival:,.0f} {figure.unit}")
        yield figure


def forest_figures(rows: int, quick: bool, work: Path, console: Console) -> list[Figure]:
    """How the speed of the forest's training depends on the rows, and what growing trees on a sample costs."""
    from benchmarks.forest_speed import ForestRows, forest_trainer
    from benchmarks.part_run import run_up_to

    console.print(f"preparing {rows:,} rows of the built-in feed")
    summaries = _feed_log(rows, FEED, work)
    outputs = run_up_to("Transform", FEED, work / "feed_log", summaries[-1].day, work, console)
    console.print("training forests")
    examples = ForestRows(outputs["transformed_examples"], FEED.features.forest_names, FEED.objective_names)
    return forest_trainer(examples, FEED.forest, quick)


def complete_run_figures(
    sizes: Sequence[int], quick: bool, work: Path, console: Console, beam_args: str | None = None
) -> list[Figure]:
    """The figures of complete runs, each size compared with the one before.

    Every size but the largest runs before and after it, and the mean counts, as the machine's speed changes within
    minutes.

    Args:
        sizes: impressions.
        quick: no targets.
        work: folder for the runs.
        console: shows progress.
        beam_args: Beam's arguments for all sizes but the smallest.
    """
    *smaller, largest = sorted(set(sizes))
    runs: list[FullRun] = []
    for number, size in enumerate((*smaller, largest, *reversed(smaller)), 1):
        console.print(f"a complete run on {size:,} rows")
        runs.append(full_run(size, work / f"run-{number}", None if size == smaller[0] else beam_args))
        console.print(f"it took {runs[-1].usage.seconds:.0f} s", highlight=False)
    return compare_all(runs, with_targets=not quick)


def run(
    options: Options,
    beam_args: str | None = None,
    complete_runs: Sequence[int] = (),
    components: bool = False,
    forest_rows: int | None = None,
) -> None:
    """Runs the benchmark.

    With `complete_runs` only complete runs of these sizes, with `components` none, and with `forest_rows` only the
    training of the forest.
    """
    console = Console()
    with tempfile.TemporaryDirectory(prefix="pipeline-benchmark-") as folder:
        work = Path(folder)
        figures: list[Figure] = []
        if forest_rows is not None:
            figures += forest_figures(forest_rows, options.quick, work, console)
        elif not complete_runs:
            figures += component_figures(QUICK_ROWS if options.quick else ROWS, work / "components", console)
        if not components and forest_rows is None:
            sizes = complete_runs or (QUICK_COMPLETE_RUNS if options.quick else COMPLETE_RUNS)
            figures += complete_run_figures(sizes, options.quick, work / "memory", console, beam_args)
    report("pipeline", figures, options, console)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if len({size // DAYS for size in options.complete_runs}) == 1:
        parser.error("--complete-runs: give two sizes or more, as each is compared with the one before")
    remote = (
        f"--runner=PortableRunner --job_endpoint={options.job_endpoint} --environment_type=EXTERNAL "
        f"--environment_config={options.worker_pool}"
    )
    run(
        Options(options.quick, options.json),
        remote if options.job_endpoint else None,
        options.complete_runs,
        options.components,
        options.forest,
    )


def _parser() -> argparse.ArgumentParser:
    parser = option_parser("benchmarks.pipeline", "The pipeline's components compared with what they replace.")
    parser.add_argument(
        "--job-endpoint",
        metavar="HOST:PORT",
        help="do the complete runs but the smallest on this Beam job service, whose workers see this machine's files",
    )
    part = parser.add_mutually_exclusive_group()
    part.add_argument(
        "--components", action="store_true", help="measure single components alone, without complete runs"
    )
    part.add_argument(
        "--forest",
        type=positive,
        metavar="ROWS",
        help="measure the training of the forest alone: on a feed of this many rows, on a fifth of them, and with "
        "trees that are grown on all rows",
    )
    part.add_argument(
        "--complete-runs",
        type=positive,
        nargs="+",
        default=[],
        metavar="ROWS",
        help="measure complete runs alone, at these sizes, two or more, all but the largest twice (default: "
        f"{', '.join(f'{size:,}' for size in COMPLETE_RUNS)}, and single components)",
    )
    parser.add_argument(
        "--worker-pool",
        metavar="HOST:PORT",
        default="localhost:50000",
        help="where its workers come from: python -m pipeline.beam_workers pool (%(default)s)",
    )
    return parser


if __name__ == "__main__":
    run_program(main)
