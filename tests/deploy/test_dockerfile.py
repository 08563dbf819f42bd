"""The image without Docker: what its Dockerfile copies is enough to run every component."""

import re
import shutil
from pathlib import Path

import apache_beam
import pytest

from pipeline_config import FEED
from tests.pipeline.kubeflow.launcher import ROOT
from tests.processes import run_python

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
IGNORED = DOCKERFILE.with_name("Dockerfile.dockerignore")

IMPORT_ALL = """
import importlib, json, sys
from pipeline.kubeflow.compile import compile_pipeline
from pipeline_config import FEED
spec = compile_pipeline(FEED, "feed:1", "/feed_log").pipeline_spec
for executor in spec["deploymentSpec"]["executors"].values():
    module, _, name = executor["container"]["args"][1].rpartition(".")
    getattr(importlib.import_module(module), name)
    print(module)
"""


def copied() -> list[str]:
    """Files and folders that the first stage copies."""
    names: list[str] = []
    for line in DOCKERFILE.read_text().splitlines():
        if match := re.fullmatch(r"COPY (?!--from)(.*) \S+", line):
            names += match[1].split()
    return names


def test_everything_that_is_copied_is_let_through_to_the_build() -> None:
    let_through = {line[1:] for line in IGNORED.read_text().splitlines() if line.startswith("!")}
    assert let_through == set(copied())
    assert all((ROOT / name).exists() for name in let_through)


def test_the_container_does_not_run_as_root() -> None:
    lines = DOCKERFILE.read_text().splitlines()
    stages = [line.split() for line in lines if line.startswith("FROM ")]
    assert [line.removeprefix("USER ") for line in lines if line.startswith("USER ")] == ["1000:0"]
    # The stage that becomes another user is the one that every image is built on.
    before = lines[: lines.index("USER 1000:0")]
    assert [line.split()[-1] for line in before if line.startswith("FROM ")][-1] == "runtime"
    assert [(stage[-1], stage[1]) for stage in stages[2:]] == [
        ("beam-worker", "runtime"),
        ("build-gpu", "build"),
        ("gpu", "runtime"),
        ("component", "runtime"),
    ]


def test_the_packages_are_those_of_the_lock_file() -> None:
    text = DOCKERFILE.read_text()
    syncs = [line for line in text.splitlines() if "uv sync" in line]
    assert len(syncs) == 2
    assert all("--frozen $UV_GROUPS" in sync for sync in syncs)
    assert f"apache/beam_python3.11_sdk:{apache_beam.__version__} " in text


@pytest.mark.slow
def test_every_executor_can_be_imported_from_what_is_copied(tmp_path: Path) -> None:
    for name in copied():
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "import_all.py").write_text(IMPORT_ALL)
    # Isolated from this project: its folder is not on the path.
    done = run_python(["import_all.py"], tmp_path, {"PATH": ""})
    assert done.status == 0, done.output
    assert "components.tower_trainer.executor" in done.output.splitlines()
    assert (tmp_path / FEED.schema).is_file()
