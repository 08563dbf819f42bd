"""Runs the first part of the pipeline, for benchmarks that use its artifacts."""

from datetime import date
from pathlib import Path

from rich.console import Console
from tfx.dsl.compiler.compiler import Compiler
from tfx.orchestration import metadata
from tfx.proto.orchestration import pipeline_pb2

from pipeline.local.dag_runner import ComponentRun, ObservedDagRunner, State
from pipeline.local.run import BEAM_ARGS
from pipeline.pipeline import create_pipeline
from ranker.config.pipeline import PipelineConfig


def run_up_to(
    last: str, config: PipelineConfig, feed_log: Path, day: date, work: Path, console: Console
) -> dict[str, Path]:
    """Runs the pipeline up to the component `last`; earlier runs in `work` are used as a cache.

    Returns:
        The folder of each artifact by its output's name.

    Raises:
        RuntimeError: a component failed.
    """

    def on_end(run: ComponentRun) -> None:
        console.print(f"{run.component}: {run.seconds:.1f} s")

    runner = ObservedDagRunner(lambda component: None, on_end)
    runner.run_with_ir(_up_to(last, config, feed_log, day, work))
    for run in runner.runs:
        if run.state is State.FAILED:
            raise RuntimeError(f"{run.component} failed: {run.error}")
    return {name: Path(made[0].uri) for run in runner.runs for name, made in run.outputs.items()}


def _up_to(last: str, config: PipelineConfig, feed_log: Path, day: date, work: Path) -> pipeline_pb2.Pipeline:
    pipeline = create_pipeline(
        config,
        feed_log=str(feed_log),
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
