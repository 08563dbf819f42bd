"""Reports of a real two-component pipeline: run, cached, failed and restarted."""

from pathlib import Path

import pytest
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
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
