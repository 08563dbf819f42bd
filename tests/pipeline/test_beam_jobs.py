"""Jobs on Beam's own job service: they succeed, outlast the time limit of requests, and end with their client."""

import _thread
import logging
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.portability.api import beam_job_api_pb2
from apache_beam.runners.portability.local_job_service import LocalJobServicer
from apache_beam.runners.runner import PipelineResult

from pipeline.beam import beam_args
from pipeline.beam_jobs import _Job

SECONDS = 60


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[LocalJobServicer, int]]:
    """A job service and its port."""
    servicer = LocalJobServicer(str(tmp_path / "staging"))
    port = servicer.start_grpc_server(0)
    yield servicer, port
    servicer.stop(timeout=1)


def pipeline(port: int, *more: str) -> beam.Pipeline:
    arguments = ("--runner=PortableRunner", f"--job_endpoint=localhost:{port}", "--environment_type=LOOPBACK", *more)
    return beam.Pipeline(argv=[argument for argument in beam_args(arguments) if "beam_plugin" not in argument])


@pytest.mark.slow
def test_a_job_may_take_longer_than_a_request(service: tuple[LocalJobServicer, int], tmp_path: Path) -> None:
    def work(element: int) -> None:
        time.sleep(2.5)
        (tmp_path / str(element)).touch()

    with pipeline(service[1], "--job_server_timeout=2") as job:
        _ = job | beam.Create([1]) | beam.Map(work)
    assert (tmp_path / "1").exists()


def test_the_error_of_a_job_is_raised(service: tuple[LocalJobServicer, int]) -> None:
    def fail(element: int) -> None:
        raise ValueError(f"no use for {element}")

    with pytest.raises(RuntimeError, match="no use for 1"), pipeline(service[1]) as job:
        _ = job | beam.Create([1]) | beam.Map(fail)


def test_a_stopped_client_cancels_its_job(service: tuple[LocalJobServicer, int], tmp_path: Path) -> None:
    def wait(element: int) -> None:
        (tmp_path / "started").touch()
        deadline = time.monotonic() + SECONDS
        while not (tmp_path / "go on").exists() and time.monotonic() < deadline:
            time.sleep(0.05)

    def stop_once_it_works() -> None:
        deadline = time.monotonic() + SECONDS
        while not (tmp_path / "started").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        _thread.interrupt_main()

    # A process of xdist ignores the signal of Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=stop_once_it_works, daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt), pipeline(service[1]) as job:
            _ = job | beam.Create([1]) | beam.Map(wait)
        [submitted] = service[0]._jobs.values()
        assert submitted.get_state()[0] == beam_job_api_pb2.JobState.CANCELLED
    finally:
        signal.signal(signal.SIGINT, before)
        (tmp_path / "go on").touch()


class Ended(PipelineResult):  # type: ignore[misc]
    """A job that ends with an error."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.cancelled = False

    def wait_until_finish(self, duration: int | None = None) -> Any:
        raise self.error

    def cancel(self) -> None:
        self.cancelled = True


def test_a_lost_connection_is_told_with_its_addresses() -> None:
    job = _Job(Ended(RuntimeError("UNAVAILABLE: io exception")), "job service jobs:8099, workers EXTERNAL pool:50000")
    with pytest.raises(
        RuntimeError, match=r"UNAVAILABLE: io exception \(job service jobs:8099, workers EXTERNAL pool:"
    ):
        job.wait_until_finish()


def test_only_a_stopped_client_cancels(caplog: pytest.LogCaptureFixture) -> None:
    failed, stopped = Ended(RuntimeError("no use for 1")), Ended(SystemExit(1))
    with pytest.raises(RuntimeError, match=r"^no use for 1$"):
        _Job(failed, "here").wait_until_finish()
    with caplog.at_level(logging.WARNING), pytest.raises(SystemExit):
        _Job(stopped, "here").wait_until_finish()
    assert (failed.cancelled, stopped.cancelled) == (False, True)
    assert "so the job is cancelled: here" in caplog.text
