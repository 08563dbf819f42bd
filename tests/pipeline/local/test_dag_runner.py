"""Reports of a real two-component pipeline: run, cached, failed and restarted."""

from pathlib import Path

import apache_beam as beam
import pytest
from tfx.dsl.component.experimental.annotations import (
    BeamComponentParameter,
    InputArtifact,
    OutputArtifact,
    Parameter,
)
from tfx.dsl.component.experimental.decorators import component
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from pipeline.local.dag_runner import ComponentRun, ObservedDagRunner, State, describe


@component
def Write(out: OutputArtifact[standard_artifacts.String], text: Parameter[str]) -> None:  # noqa: N802
    Path(out.uri).write_text(text)
    out.set_int_custom_property("length", len(text))


@component
def Check(text: InputArtifact[standard_artifacts.String], unwanted: Parameter[str]) -> None:  # noqa: N802
    if unwanted in Path(text.uri).read_text():
        raise ValueError(f"found {unwanted!r}")


@component(use_beam=True)
def WriteWithBeam(  # noqa: N802
    out: OutputArtifact[standard_artifacts.String], pipeline: BeamComponentParameter[beam.Pipeline] = None
) -> None:
    Path(out.uri).write_text(str(pipeline.options.get_all_options()["job_endpoint"]))


def run_with_beam(folder: Path, *arguments: str) -> ComponentRun:
    pipeline = Pipeline(
        pipeline_name="beam",
        pipeline_root=str(folder / "artifacts"),
        components=[WriteWithBeam()],
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(folder / "metadata.sqlite")),
        enable_cache=True,
        beam_pipeline_args=["--runner=FnApiRunner", *arguments],
    )
    runner = ObservedDagRunner(lambda _: None, lambda _: None)
    runner.run(pipeline)
    [ended] = runner.runs
    return ended


def run(folder: Path, text: str, unwanted: str = "!") -> tuple[list[str], list[ComponentRun]]:
    write = Write(text=text)
    check = Check(text=write.outputs["out"], unwanted=unwanted)
    pipeline = Pipeline(
        pipeline_name="tiny",
        pipeline_root=str(folder / "artifacts"),
        components=[write, check],
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(folder / "metadata.sqlite")),
        enable_cache=True,
    )
    started: list[str] = []
    ended: list[ComponentRun] = []
    runner = ObservedDagRunner(started.append, ended.append)
    runner.run(pipeline)
    assert runner.runs == ended
    return started, ended


def states(runs: list[ComponentRun]) -> list[tuple[str, State]]:
    return [(run.component, run.state) for run in runs]


def test_a_second_run_comes_from_the_cache_with_the_same_outputs(tmp_path: Path) -> None:
    started, first = run(tmp_path, "hello")
    assert started == ["Write", "Check"]
    assert states(first) == [("Write", State.RAN), ("Check", State.RAN)]
    _, second = run(tmp_path, "hello")
    assert states(second) == [("Write", State.CACHED), ("Check", State.CACHED)]
    assert second[0].outputs == first[0].outputs
    [artifact] = first[0].outputs["out"]
    assert artifact.properties["length"] == 5
    assert Path(artifact.uri).read_text() == "hello"


def test_a_failure_ends_the_run_and_the_next_run_continues_from_there(tmp_path: Path) -> None:
    _, first = run(tmp_path, "bad!")
    assert states(first) == [("Write", State.RAN), ("Check", State.FAILED)]
    assert first[1].error == "found '!'"
    _, second = run(tmp_path, "bad!", unwanted="?")
    assert states(second) == [("Write", State.CACHED), ("Check", State.RAN)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plain", "plain"),
        ("no such file: a.parquet [while running 'ReadFeedLog']", "no such file: a.parquet"),
        (
            "Traceback (most recent call last):\n  File 'x.py', line 1\nKeyError: 'a'\n\nDuring handling, another:\n\n"
            "Traceback (most recent call last):\n  File 'y.py', line 2\n"
            "components.x.FeedLogError: b.parquet: no column 'age'; closest is 'ages' [while running 'Read']\n",
            "b.parquet: no column 'age'; closest is 'ages'",
        ),
    ],
)
def test_the_message_is_extracted_from_its_wrapping(text: str, message: str) -> None:
    assert describe(RuntimeError(text)) == message


def test_an_error_without_a_message_is_named() -> None:
    assert describe(NotImplementedError()) == "NotImplementedError"


def test_an_error_of_the_operating_system_is_its_paths_and_its_reason() -> None:
    assert describe(OSError(28, "No space left on device", "a.html")) == "a.html: No space left on device"
    assert describe(OSError(21, "Is a directory", ".a.tmp", None, "a.html")) == ".a.tmp and a.html: Is a directory"


def test_where_beam_works_does_not_miss_the_cache_and_how_many_workers_does(tmp_path: Path) -> None:
    first = run_with_beam(tmp_path, "--job_endpoint=a:1")
    assert first.state is State.RAN, first.error
    [artifact] = first.outputs["out"]
    assert Path(artifact.uri).read_text() == "a:1"
    assert run_with_beam(tmp_path, "--job_endpoint=b:1", "--temp_location=gs://b/t").state is State.CACHED
    assert run_with_beam(tmp_path, "--job_endpoint=b:1", "--direct_num_workers=2").state is State.RAN
