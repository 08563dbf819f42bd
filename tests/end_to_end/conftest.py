"""One real run over a small feed, shared by every test that looks at what it left behind."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from datasets.synthetic import generate
from tests.processes import run_python

ROOT = Path(__file__).resolve().parents[2]
START = date(2026, 3, 2)
DAYS = 8
IMPRESSIONS_PER_DAY = 2_500

IMPORTED_LATE = ("apache_beam", "ml_metadata", "tensorflow", "tensorflow_model_analysis", "tfx")
"""What takes ten seconds to import."""


@dataclass(frozen=True)
class FinishedRun:
    """What one call of the local runner left.

    Attributes:
        status: its exit status.
        output: what it printed, both streams.
        summary: its run summary.
    """

    status: int
    output: str
    summary: dict[str, Any]


def run_locally(workdir: Path, *arguments: str, root: Path = ROOT) -> FinishedRun:
    """Calls `python local_runner.py` and waits for it."""
    before = set(workdir.glob("runs/*/summary.json"))
    done = run_python(["local_runner.py", "--workdir", str(workdir), *arguments], root)
    new = set(workdir.glob("runs/*/summary.json")) - before
    summary = json.loads(new.pop().read_text()) if new else {}
    return FinishedRun(done.status, done.output, summary)


def kill_when_it_says(text: str, workdir: Path, *arguments: str) -> str:
    """Calls the local runner as a user does, and kills it, with no chance to tidy up, once `text` is out."""
    command = [sys.executable, "local_runner.py", "--workdir", str(workdir), *arguments]
    seen = ""
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as runner:
        assert runner.stdout is not None
        for line in runner.stdout:
            seen += line
            if text in line:
                os.killpg(runner.pid, signal.SIGKILL)
                break
    return seen


@pytest.fixture(scope="session")
def small_feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small built-in feed."""
    root = tmp_path_factory.mktemp("small_feed")
    generate(root, days=DAYS, impressions_per_day=IMPRESSIONS_PER_DAY, seed=11, start=START)
    return root


@pytest.fixture(scope="session")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working folder of the runs below."""
    return tmp_path_factory.mktemp("workdir")


@pytest.fixture(scope="session")
def killed_run(small_feed: Path, workdir: Path) -> str:
    """A first run, killed right after the forest was grown; what it had printed."""
    return kill_when_it_says("ForestTrainer", workdir, "--feed-log", str(small_feed))


@pytest.fixture(scope="session")
def first_run(small_feed: Path, workdir: Path, killed_run: str) -> FinishedRun:
    """The run that continues where the killed run stopped, up to a pushed model."""
    return run_locally(workdir, "--feed-log", str(small_feed))


@pytest.fixture(scope="session")
def second_run(small_feed: Path, workdir: Path, first_run: FinishedRun) -> FinishedRun:
    """The same again, by TFX's cache alone: nothing tells the runner that nothing has changed."""
    (workdir / "finished_run.json").unlink()
    return run_locally(workdir, "--feed-log", str(small_feed))


@pytest.fixture(scope="session")
def unchanged_run(small_feed: Path, workdir: Path, second_run: FinishedRun) -> FinishedRun:
    """The same once more, in a process that has imported nothing before; its last line says what it has imported."""
    code = f"""
import runpy, sys
try:
    runpy.run_path("local_runner.py", run_name="__main__")
finally:
    print("imported:", *(name for name in {IMPORTED_LATE} if name in sys.modules))
"""
    before = set(workdir.glob("runs/*/summary.json"))
    done = subprocess.run(
        [sys.executable, "-c", code, "--workdir", str(workdir), "--feed-log", str(small_feed)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    [summary] = set(workdir.glob("runs/*/summary.json")) - before
    return FinishedRun(done.returncode, done.stdout, json.loads(summary.read_text()))
