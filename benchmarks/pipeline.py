"""The pipeline's own components compared with what they replace, and how memory and speed depend on the number of rows.

    uv run python -m benchmarks.pipeline [--quick] [--json FILE]

The rows are those of the built-in feed, and the artifacts are the pipeline's.
"""

import logging
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from benchmarks.component_speed import PreparedFeed, feed_log_gen, leaf_encoder, tower_trainer
from benchmarks.full_run import FullRun, compare, full_run
from benchmarks.harness import Figure, Options, option_parser, report
from benchmarks.part_run import run_up_to
from datasets.synthetic import generate
from pipeline_config import FEED
from ranker.config.pipeline import PipelineConfig

ROWS, QUICK_ROWS = 200_000, 4_000
LARGE_ROWS, QUICK_LARGE_ROWS = 1_000_000, 8_000


def prepare(rows: int, config: PipelineConfig, work: Path, console: Console) -> PreparedFeed:
    """Generates a feed of about `rows` impressions and runs the pipeline on it up to LeafEncoder.

    Raises:
        RuntimeError: a component failed.
    """
    days = config.train_days + 1
    summaries = generate(work / "feed_log", days=days, impressions_per_day=rows // days, seed=1)
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


def component_figures(rows: int, work: Path, console: Console) -> Iterator[Figure]:
    """The figures of single components."""
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


def memory_figures(
    rows: int, large_rows: int, quick: bool, work: Path, console: Console, beam_args: str | None = None
) -> list[Figure]:
    """The figures of complete runs at two sizes, the large one with Beam's arguments if some are given."""

    def run(size: int, arguments: str | None = None) -> FullRun:
        console.print(f"a complete run on {size:,} rows")
        return full_run(size, work / f"run-{size}", arguments)

    return compare(run(rows), run(large_rows, beam_args), with_targets=not quick)


def main(options: Options, beam_args: str | None = None) -> None:
    """Runs the benchmark."""
    console = Console()
    rows, large_rows = (QUICK_ROWS, QUICK_LARGE_ROWS) if options.quick else (ROWS, LARGE_ROWS)
    with tempfile.TemporaryDirectory(prefix="pipeline-benchmark-") as folder:
        figures = [
            *component_figures(rows, Path(folder, "components"), console),
            *memory_figures(rows, large_rows, options.quick, Path(folder, "memory"), console, beam_args),
        ]
    report("pipeline", figures, options, console)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    parser = option_parser("The pipeline's components compared with what they replace.")
    parser.add_argument(
        "--job-endpoint",
        metavar="HOST:PORT",
        help="run the complete run of 1 M rows on this Beam job service, whose workers see this machine's folders",
    )
    parser.add_argument(
        "--worker-pool",
        metavar="HOST:PORT",
        default="localhost:50000",
        help="where its workers come from: python -m pipeline.beam_workers pool (%(default)s)",
    )
    parsed = parser.parse_args()
    remote = (
        f"--runner=PortableRunner --job_endpoint={parsed.job_endpoint} --environment_type=EXTERNAL "
        f"--environment_config={parsed.worker_pool}"
    )
    main(Options(parsed.quick, parsed.json), remote if parsed.job_endpoint else None)
