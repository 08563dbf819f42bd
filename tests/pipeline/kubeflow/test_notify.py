import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.kubeflow.notify import main
from tests.pipeline.kubeflow.launcher import ROOT
from tests.pipeline.kubeflow.stub_server import StubServer, serving

FAILED = {
    "state": "FAILED",
    "pipelineJobResourceName": "feed-ranker-feed-x7",
    "error": {"message": "FeedLogGen: FeedLogError: no folder day-2026-03-09"},
}
TEXT = "feed-ranker-feed (run feed-ranker-feed-x7) failed: FAILED: FeedLogGen: FeedLogError: no folder day-2026-03-09"


@pytest.fixture
def webhook() -> Iterator[StubServer]:
    with serving() as stub:
        stub.refusals["/hook"] = (200, {})
        yield stub


def arguments(url: str, folder: Path, status: object = FAILED, on: str = "failure") -> list[str]:
    (folder / "url").write_text(f"{url}\n")
    status_text = json.dumps(status)
    return [
        *("--pipeline", "feed-ranker-feed"),
        *("--status", status_text),
        *("--url-file", str(folder / "url")),
        *("--on", on),
    ]


def test_a_failure_is_reported(webhook: StubServer, tmp_path: Path) -> None:
    assert main(arguments(f"{webhook.url}/hook", tmp_path)) == 0
    [request] = webhook.requests
    assert request.body == {"text": TEXT}
    assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize("state", ["SUCCEEDED", "COMPLETE"])
def test_a_success_is_reported_only_if_requested(webhook: StubServer, tmp_path: Path, state: str) -> None:
    assert main(arguments(f"{webhook.url}/hook", tmp_path, {"state": state})) == 0
    assert webhook.requests == []
    assert main(arguments(f"{webhook.url}/hook", tmp_path, {"state": state}, on="always")) == 0
    assert webhook.requests[0].body == {"text": "feed-ranker-feed finished"}


def test_a_webhook_that_refuses_fails_the_task_without_printing_its_url(
    webhook: StubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(f"{webhook.url}/s3cret", tmp_path)) == 1
    said = capsys.readouterr()
    assert "did not accept the message: HTTP Error 404" in said.err
    assert "s3cret" not in said.err + said.out


def test_it_imports_neither_tfx_nor_other_modules_of_the_project(webhook: StubServer, tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "pipeline.kubeflow.notify"]
    done = subprocess.run(
        [*command, *arguments(f"{webhook.url}/hook", tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == TEXT
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert {name for name in imported if name.partition(".")[0] in ("tfx", "tensorflow", "kfp", "pydantic")} == set()


def test_a_url_file_that_cannot_be_used_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "url").write_text("s3cret without a scheme")
    for path in (tmp_path / "nowhere", tmp_path, tmp_path / "url"):
        arguments = [
            "--pipeline",
            "feed",
            "--status",
            '{"state": "FAILED"}',
            "--url-file",
            str(path),
            "--on",
            "failure",
        ]
        assert main(arguments) == 1
        [line] = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: {path} cannot be used: ")
        assert "s3cret" not in line
