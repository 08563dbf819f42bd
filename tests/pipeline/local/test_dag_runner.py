"""Reports of a real two-component pipeline: run, cached, failed and restarted."""

import gc
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

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
from tfx.proto.orchestration.execution_result_pb2 import ExecutorOutput
from tfx.types import standard_artifacts

from pipeline.local.beside import Beside, StoppedError, Turn, pays_off
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


@component(use_beam=True)
def Measure(  # noqa: N802
    text: InputArtifact[standard_artifacts.String],
    measured: OutputArtifact[standard_artifacts.String],
    after: Parameter[str],
    unwanted: Parameter[str],
    pipeline: BeamComponentParameter[beam.Pipeline] = None,
) -> None:
    while not Path(after).exists():
        time.sleep(0.01)
    if unwanted in Path(text.uri).read_text():
        raise ValueError(f"measured {unwanted!r}")
    Path(measured.uri).write_text(f"{os.getpid()}")
    measured.set_int_custom_property("length", 7)


@component
def Copy(  # noqa: N802
    text: InputArtifact[standard_artifacts.String],
    copied: OutputArtifact[standard_artifacts.String],
    then: Parameter[str],
    unwanted: Parameter[str],
) -> None:
    if then == "interrupt":
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10.0)
    Path(then).touch()
    if unwanted in Path(text.uri).read_text():
        raise ValueError(f"copied {unwanted!r}")
    Path(copied.uri).write_text("copy")


@component
def Judge(  # noqa: N802
    measured: InputArtifact[standard_artifacts.String],
    judged: OutputArtifact[standard_artifacts.String],
    unwanted: Parameter[str],
) -> None:
    if unwanted == "all":
        raise ValueError("judged")


@component
def Train(  # noqa: N802
    copied: InputArtifact[standard_artifacts.String], judged: InputArtifact[standard_artifacts.String]
) -> None:
    Path(copied.uri).read_text()


def run_beside(
    folder: Path,
    measure: str = "!",
    copy: str = "!",
    judge: str = "",
    then: str = "",
    beside: str | None = "Measure",
    on_end: Callable[[ComponentRun], None] = lambda _: None,
) -> list[ComponentRun]:
    """Write → Measure → Judge, and beside the last two Copy; Train waits for both. Measure waits for Copy."""
    then = then or str(folder / "copied")
    write = Write(text="hello")
    measured = Measure(text=write.outputs["out"], after=str(folder / "copied"), unwanted=measure)
    judged = Judge(measured=measured.outputs["measured"], unwanted=judge)
    copied = Copy(text=write.outputs["out"], then=then, unwanted=copy)
    train = Train(copied=copied.outputs["copied"], judged=judged.outputs["judged"])
    pipeline = Pipeline(
        pipeline_name="beside",
        pipeline_root=str(folder / "artifacts"),
        components=[write, measured, judged, copied, train],
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(folder / "metadata.sqlite")),
        enable_cache=True,
        beam_pipeline_args=["--runner=FnApiRunner"],
    )
    runner = ObservedDagRunner(lambda _: None, on_end, beside)
    runner.run(pipeline)
    return runner.runs


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.local.beside.os.sched_getaffinity", lambda process: {0, 1})


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


@pytest.mark.slow
def test_where_beam_works_does_not_miss_the_cache_and_how_many_workers_does(tmp_path: Path) -> None:
    first = run_with_beam(tmp_path, "--job_endpoint=a:1")
    assert first.state is State.RAN, first.error
    [artifact] = first.outputs["out"]
    assert Path(artifact.uri).read_text() == "a:1"
    assert run_with_beam(tmp_path, "--job_endpoint=b:1", "--temp_location=gs://b/t").state is State.CACHED
    assert run_with_beam(tmp_path, "--job_endpoint=b:1", "--direct_num_workers=2").state is State.RAN


@pytest.mark.slow
@pytest.mark.usefixtures("two_cores")
def test_a_component_runs_beside_those_that_do_not_wait_for_it(tmp_path: Path) -> None:
    first = run_beside(tmp_path)
    assert states(first) == [(name, State.RAN) for name in ("Write", "Copy", "Measure", "Judge", "Train")]
    [measured] = first[2].outputs["measured"]
    assert Path(measured.uri).read_text() != str(os.getpid())
    assert measured.properties["length"] == 7
    assert all(run.cpu_seconds > 0 for run in first)
    # What a component that runs beside others needs is not in this process.
    assert [run.component for run in first if run.peak_memory is None] == ["Measure"]
    second = run_beside(tmp_path)
    assert {state for _, state in states(second)} == {State.CACHED}
    assert {run.component: run.outputs for run in second} == {run.component: run.outputs for run in first}


@pytest.mark.slow
@pytest.mark.usefixtures("two_cores")
def test_a_failure_beside_others_ends_the_run_with_its_own_message(tmp_path: Path) -> None:
    runs = run_beside(tmp_path, measure="ell")
    assert states(runs) == [("Write", State.RAN), ("Copy", State.RAN), ("Measure", State.FAILED)]
    assert runs[-1].error == "measured 'ell'"
    assert states(run_beside(tmp_path))[1:3] == [("Copy", State.CACHED), ("Measure", State.RAN)]


@pytest.mark.slow
@pytest.mark.usefixtures("two_cores")
def test_of_two_failures_that_of_the_data_is_reported_first(tmp_path: Path) -> None:
    runs = run_beside(tmp_path, copy="ell", judge="all")
    expected = [("Write", State.RAN), ("Measure", State.RAN), ("Judge", State.FAILED), ("Copy", State.FAILED)]
    assert states(runs) == expected
    assert [run.error for run in runs[2:]] == ["judged", "copied 'ell'"]
    alone = run_beside(tmp_path, copy="ell")
    assert states(alone)[2:] == [("Judge", State.RAN), ("Copy", State.FAILED)]


@pytest.mark.slow
@pytest.mark.usefixtures("two_cores")
def test_a_stopped_run_ends_what_runs_beside(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_beside(tmp_path, then="interrupt")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert "Measure" not in {thread.name for thread in threading.enumerate()}
    (tmp_path / "copied").touch()
    assert states(run_beside(tmp_path))[1:3] == [("Copy", State.RAN), ("Measure", State.RAN)]


@pytest.mark.usefixtures("two_cores")
def test_a_run_that_is_stopped_after_a_failure_reports_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(beside: Beside[ComponentRun]) -> NoReturn:
        raise KeyboardInterrupt

    stop = Beside.stop

    def interrupted_again(beside: Beside[ComponentRun]) -> NoReturn:
        stop(beside)
        raise KeyboardInterrupt

    monkeypatch.setattr(Beside, "outcome", interrupted)
    monkeypatch.setattr(Beside, "stop", interrupted_again)
    ended: list[ComponentRun] = []
    with pytest.raises(KeyboardInterrupt):
        run_beside(tmp_path, copy="ell", then=str(tmp_path / "unread"), on_end=ended.append)
    assert states(ended) == [("Write", State.RAN), ("Copy", State.FAILED)]


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (lambda: os._exit(3), "its process ended with the status 3"),
        (lambda: os.kill(os.getpid(), signal.SIGUSR1), "its process was ended by SIGUSR1"),
        (
            lambda: os.kill(os.getpid(), signal.SIGKILL),
            "its process was ended by SIGKILL, as when the machine runs out of memory",
        ),
    ],
)
def test_a_process_that_ends_without_an_answer_is_described(end: Callable[[], ExecutorOutput], said: str) -> None:
    turn = Turn()
    turn.call()
    with pytest.raises(RuntimeError, match=f"^{said}$"):
        turn.run(end)


class Resource:
    """Part of a reference cycle, so that only the garbage collector ends it; as those of a loaded model are."""

    def __init__(self, ended: Path) -> None:
        self._self, self._ended = self, ended

    def __del__(self) -> None:
        self._ended.touch()


@pytest.mark.slow
def test_what_is_left_over_from_before_is_not_collected_beside(tmp_path: Path) -> None:
    def work() -> ExecutorOutput:
        gc.collect()
        (tmp_path / "collected").touch()
        return ExecutorOutput()

    turn = Turn()
    turn.call()
    gc.disable()
    try:
        Resource(tmp_path / "ended")
        turn.run(work)
        assert (tmp_path / "collected").exists()
        assert not (tmp_path / "ended").exists()
    finally:
        gc.enable()
    gc.collect()
    assert (tmp_path / "ended").exists()


def test_a_component_that_is_stopped_before_its_process_runs_starts_none(tmp_path: Path) -> None:
    launched, stopping = threading.Event(), threading.Event()

    def launch(turn: Turn) -> ExecutorOutput:
        launched.set()
        assert stopping.wait(10.0)
        return turn.run(work)

    def work() -> ExecutorOutput:
        (tmp_path / "worked").touch()
        return ExecutorOutput()

    beside = Beside("Measure", launch)
    starter = threading.Thread(target=beside.start)
    starter.start()
    assert launched.wait(10.0)
    threading.Timer(0.2, stopping.set).start()
    beside.stop()
    starter.join(10.0)
    assert not starter.is_alive()
    assert not (tmp_path / "worked").exists()
    turn = Turn()
    turn.stop()
    with pytest.raises(StoppedError):
        turn.run(work)


def test_a_component_that_is_stopped_before_its_thread_starts_is_not_launched() -> None:
    launches: list[Turn] = []
    beside = Beside("Measure", launches.append)
    beside.stop()
    beside.start()
    assert not launches


def test_an_error_outside_of_the_executor_reaches_the_run() -> None:
    def launch(turn: Turn) -> NoReturn:
        raise LookupError("no such execution")

    beside = Beside("Measure", launch)
    beside.start()
    with pytest.raises(LookupError, match="no such execution"):
        beside.outcome()
    beside.stop()


def test_a_killed_run_ends_what_runs_beside() -> None:
    read, write = os.pipe()

    def work() -> NoReturn:
        os.write(write, str(os.getpid()).encode())
        time.sleep(60.0)
        raise AssertionError("it was not ended")

    runner = multiprocessing.get_context("fork").Process(target=Turn().run, args=(work,))
    runner.start()
    beside = int(os.read(read, 20))
    runner.kill()
    runner.join()
    deadline = time.monotonic() + 10.0
    while is_running(beside):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_running(process: int) -> bool:
    """Whether a process of another parent has not ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("arguments", "cores", "expected"),
    [
        (["--runner=FnApiRunner"], 2, True),
        (["--runner=FnApiRunner"], 1, False),
        (["--runner=pipeline.worker_processes.WorkerProcesses"], 2, False),
        (["--runner=DataflowRunner"], 2, False),
    ],
)
def test_only_work_of_this_process_runs_beside(
    arguments: list[str], cores: int, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.local.beside.os.sched_getaffinity", lambda process: set(range(cores)))
    monkeypatch.setattr("pipeline.local.beside.sys.platform", "linux")
    assert pays_off(arguments) is expected
