"""The part of a pipeline that a benchmark runs."""

from datetime import date
from pathlib import Path

import pytest
from tfx.dsl.compiler.compiler import Compiler
from tfx.proto.orchestration import pipeline_pb2

from benchmarks.part_run import keep_ancestors
from pipeline.pipeline import create_pipeline
from pipeline_config import FEED


def graph(upstream: dict[str, list[str]]) -> pipeline_pb2.Pipeline:
    """A compiled pipeline, by node → the nodes that it depends on."""
    compiled = pipeline_pb2.Pipeline()
    for name, before in upstream.items():
        node = compiled.nodes.add().pipeline_node
        node.node_info.id = name
        node.upstream_nodes.extend(before)
    return compiled


def ids(compiled: pipeline_pb2.Pipeline) -> list[str]:
    return [node.pipeline_node.node_info.id for node in compiled.nodes]


def test_only_ancestors_are_kept_in_their_order() -> None:
    diamond = {
        "gen": [],
        "stats": ["gen"],
        "left": ["gen"],
        "right": ["gen"],
        "end": ["right", "left"],
        "push": ["end"],
    }
    compiled = graph(diamond)
    keep_ancestors(compiled, "end")
    assert ids(compiled) == ["gen", "left", "right", "end"]
    keep_ancestors(compiled, "left")
    assert ids(compiled) == ["gen", "left"]


def test_an_unknown_component_is_an_error() -> None:
    with pytest.raises(KeyError, match="Trainer"):
        keep_ancestors(graph({"gen": []}), "Trainer")


def test_what_benchmarks_read_is_made_by_ancestors(tmp_path: Path) -> None:
    pipeline = create_pipeline(
        FEED,
        feed_log=str(tmp_path),
        day=date(2026, 1, 10),
        pipeline_root=str(tmp_path / "artifacts"),
        push_destination=str(tmp_path / "pushed"),
    )
    compiled = Compiler().compile(pipeline)
    keep_ancestors(compiled, "Transform")
    outputs = {name for node in compiled.nodes for name in node.pipeline_node.outputs.outputs}
    assert outputs >= {"examples", "schema", "transform_graph", "transformed_examples"}
    assert not outputs & {"forest", "model", "leaf_examples"}
