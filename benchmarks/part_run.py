"""Runs a part of the pipeline, for benchmarks that use its artifacts."""

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
    """Runs the component `last` and those that it depends on; earlier runs in `work` are used as a cache.

    Returns:
        The folder of each of their artifacts by its output's name.

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
    keep_ancestors(compiled, last)
    return compiled


def keep_ancestors(compiled: pipeline_pb2.Pipeline, last: str) -> None:
    """Removes the nodes that `last` does not depend on, directly or through other nodes.

    Args:
        compiled: changed in place; its nodes keep their order.
        last: id of a node.

    Raises:
        KeyError: there is no such node.
    """
    upstream = {node.pipeline_node.node_info.id: list(node.pipeline_node.upstream_nodes) for node in compiled.nodes}
    needed, open_ids = {last}, [last]
    while open_ids:
        new = set(upstream[open_ids.pop()]) - needed
        needed |= new
        open_ids.extend(new)
    kept = [node for node in compiled.nodes if node.pipeline_node.node_info.id in needed]
    del compiled.nodes[:]
    compiled.nodes.extend(kept)
