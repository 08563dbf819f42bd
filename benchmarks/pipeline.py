"""The pipeline's own components beside what they replace, and what grows with the number of rows.

    uv run python -m benchmarks.pipeline [--quick] [--json FILE]

The rows are those of the built-in feed, and the artifacts those that the pipeline itself makes of them.
"""

import logging
import tempfile
import warnings
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from rich.console import Console
from tfx.dsl.compiler.compiler import Compiler
from tfx.orchestration import metadata
from tfx.proto.orchestration import pipeline_pb2

from benchmarks.component_speed import Prepared, feed_log_gen, leaf_encoder, tower_trainer
from benchmarks.full_run import FullRun, compare, full_run
from benchmarks.harness import Figure, Options, parse_options, report
from datasets.synthetic import generate
from pipeline.config import PipelineConfig
from pipeline.local.dag_runner import ComponentRun, ObservedDagRunner, State
from pipeline.local.run import BEAM_ARGS
from pipeline.pipeline import create_pipeline
from pipeline_config import FEED

ROWS, QUICK_ROWS = 200_000, 4_000
LARGE_ROWS, QUICK_LARGE_ROWS = 1_000_000, 8_000
LAST = "LeafEncoder"


def prepare(rows: int, config: PipelineConfig, work: Path, console: Console) -> Prepared:
    """Generates a feed of about `rows` impressions and takes it through the pipeline up to LeafEncoder.

    Raises:
        RuntimeError: a component failed.
    """
    days = config.train_days + 1
    summaries = generate(work / "feed_log", days=days, impressions_per_day=rows // days, seed=1)

    def on_end(run: ComponentRun) -> None:
        console.print(f"{run.component}: {run.seconds:.1f} s")

    runner = ObservedDagRunner(lambda component: None, on_end)
    runner.run_with_ir(_up_to(LAST, config, work, summaries[-1].day))
    for run in runner.runs:
        if run.state is State.FAILED:
            raise RuntimeError(f"{run.component} failed: {run.error}")
    outputs = {name: Path(made[0].uri) for run in runner.runs for name, made in run.outputs.items()}
    return Prepared(
        config=config,
        day=summaries[-1].day,
        rows=sum(summary.rows for summary in summaries),
        feed_log=work / "feed_log",
        transformed_examples=outputs["transformed_examples"],
        transform_graph=outputs["transform_graph"],
        forest=outputs["forest"],
        leaf_examples=outputs["leaf_examples"],
    )


def _up_to(last: str, config: PipelineConfig, work: Path, day: date) -> pipeline_pb2.Pipeline:
    """The compiled pipeline without what comes after `last`."""
    pipeline = create_pipeline(
        config,
        feed_log=str(work / "feed_log"),
        day=day,
        pipeline_root=str(work / "artifacts"),
        push_destination=str(work / "serving_model"),
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(work / "metadata.sqlite")),
        beam_pipeline_args=BEAM_ARGS,
    )
    compiled = Compiler().compile(pipeline)
    ids = [node.pipeline_node.node_info.id for node in compiled.nodes]
    del compiled.nodes[ids.index(last) + 1 :]
    return compiled


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
        console.print(f"{figure.name}: {figure.ours:,.0f} beside {figure.rival:,.0f} {figure.unit}")
        yield figure


def memory_figures(rows: int, large_rows: int, quick: bool, work: Path, console: Console) -> list[Figure]:
    """The figures of whole runs at two sizes."""

    def run(size: int) -> FullRun:
        console.print(f"a whole run on {size:,} rows")
        return full_run(size, work / f"run-{size}")

    return compare(run(rows), run(large_rows), with_targets=not quick)


def main(options: Options) -> None:
    """Runs the benchmark."""
    console = Console()
    rows, large_rows = (QUICK_ROWS, QUICK_LARGE_ROWS) if options.quick else (ROWS, LARGE_ROWS)
    with tempfile.TemporaryDirectory(prefix="pipeline-benchmark-") as folder:
        figures = [
            *component_figures(rows, Path(folder, "components"), console),
            *memory_figures(rows, large_rows, options.quick, Path(folder, "memory"), console),
        ]
    report("pipeline", figures, options, console)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    main(parse_options("The pipeline's components beside what they replace."))
