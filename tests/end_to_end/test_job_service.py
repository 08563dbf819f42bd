"""The complete pipeline on a Beam job service, with workers in a pool: its artifacts are those of one process.

Beam's own job service speaks the protocol of Flink's and Spark's. `pytest --job-endpoint=HOST:PORT` runs the same on a
real one.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import tensorflow as tf

from tests.end_to_end.conftest import ROOT, FinishedRun, run_locally

pytestmark = pytest.mark.slow

SECONDS = 180
SAME_BYTES = ("FeedLogGen/examples", "ForestTrainer/forest", "LeafEncoder")


@contextmanager
def process(arguments: list[str], folder: Path, is_ready: Callable[[str], str | None]) -> Iterator[str]:
    """A Python process that runs meanwhile, in a folder of its own; what `is_ready` found in its output."""
    log = folder / f"{arguments[1].rpartition('.')[2]}.log"
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    with log.open("w") as output:
        started = subprocess.Popen(
            [sys.executable, *arguments], cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + SECONDS
        while (found := is_ready(log.read_text())) is None:
            assert started.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield found
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait(SECONDS)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a worker pool, which another process started in another folder."""

    def address(log: str) -> str | None:
        found = re.search(r"serving workers at (localhost:\d+)", log)
        return found[1] if found else None

    with socket.create_server(("localhost", 0)) as probe:
        port = probe.getsockname()[1]
    command = ["-m", "pipeline.beam_workers", "pool", "--port", str(port)]
    with process(command, tmp_path_factory.mktemp("pool"), address) as found:
        assert found == f"localhost:{port}"
        yield found


@pytest.fixture(scope="module", params=["Beam's own", "--job-endpoint"])
def endpoint(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[str]:
    """The address of a job service."""
    if request.param == "--job-endpoint":
        given: str | None = pytestconfig.getoption("--job-endpoint")
        if given is None:
            pytest.skip("no Flink or Spark: give its job service with --job-endpoint=HOST:PORT")
        yield given
        return
    folder = tmp_path_factory.mktemp("jobs")
    file = folder / "port"
    command = [
        *("-m", "apache_beam.runners.portability.local_job_service_main"),
        *("--port_file", str(file), "--staging_dir", str(folder)),
    ]
    with process(command, folder, lambda _: file.read_text() if file.exists() else None) as port:
        yield f"localhost:{port}"


@pytest.fixture(scope="module")
def remote_run(
    endpoint: str, pool: str, small_feed: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[FinishedRun, Path]:
    """A run with all Beam components on the job service, and its working folder."""
    workdir = tmp_path_factory.mktemp("remote")
    arguments = (
        f"--runner=PortableRunner --job_endpoint={endpoint} --environment_type=EXTERNAL --environment_config={pool}"
    )
    run = run_locally(workdir, "--feed-log", str(small_feed), f"--beam-args={arguments}", "--shared-paths")
    return run, workdir


def newest(workdir: Path, output: str) -> dict[str, bytes]:
    """The files of an output's newest artifact."""
    folders = [path for path in (workdir / "artifacts" / output).rglob("*") if path.name.isdigit() and path.is_dir()]
    newest = max(folders, key=lambda path: int(path.name))
    return {str(path.relative_to(newest)): path.read_bytes() for path in newest.rglob("*") if path.is_file()}


def test_a_blessed_model_is_pushed(remote_run: tuple[FinishedRun, Path]) -> None:
    run, workdir = remote_run
    assert run.status == 0, run.output
    assert Path(run.summary["pushed_model"]).parent == workdir / "serving_model"


@pytest.mark.parametrize("output", SAME_BYTES)
def test_artifacts_are_those_of_one_process(
    output: str, remote_run: tuple[FinishedRun, Path], first_run: FinishedRun, workdir: Path
) -> None:
    assert first_run.status == 0
    ours, theirs = newest(workdir, output), newest(remote_run[1], output)
    assert ours.keys() == theirs.keys()
    assert [name for name, content in ours.items() if theirs[name] != content] == []


def test_transformed_rows_are_those_of_one_process(
    remote_run: tuple[FinishedRun, Path], first_run: FinishedRun, workdir: Path
) -> None:
    """The order of an Example's features differs by process, so their bytes do too."""
    assert first_run.status == 0

    def rows(folder: Path) -> dict[str, list[tf.train.Example]]:
        files = newest(folder, "Transform/transformed_examples")
        [examples] = (folder / "artifacts/Transform/transformed_examples").iterdir()
        return {
            name: [tf.train.Example.FromString(row.numpy()) for row in tf.data.TFRecordDataset(str(examples / name))]
            for name in files
        }

    ours, theirs = rows(workdir), rows(remote_run[1])
    assert len(ours) == len(theirs) > 1
    assert ours == theirs


def test_metrics_and_verdict_are_those_of_one_process(
    remote_run: tuple[FinishedRun, Path], first_run: FinishedRun
) -> None:
    run, _ = remote_run
    for part in ("objectives", "utility", "rows_per_day", "blessed"):
        assert json.dumps(run.summary[part]) == json.dumps(first_run.summary[part]), part


def test_a_port_that_is_taken_is_refused(pool: str, tmp_path: Path) -> None:
    port = pool.rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.beam_workers", "pool", "--port", port],
        cwd=tmp_path,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert f"error: --port {port}: Address already in use; choose another one\n" in done.stderr
