import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.kubeflow.notify import main, message
from tests.pipeline.kubeflow.launcher import ROOT
from tests.pipeline.kubeflow.stub_server import StubServer, serving

# What Kubeflow Pipelines 2.17 sends: the error is empty.
FAILED: dict[str, object] = {
    "state": "FAILED",
    "pipelineJobResourceName": "feed-ranker-feed-x7",
    "pipelineTaskName": "feed-ranker",
    "error": {},
}
PAGE = "https://kubeflow.example/pipeline"
RUN_PAGE = f"{PAGE}/#/runs/details/5f7c"
WHERE = 'read the last lines of the log of the component that failed inside the task "feed-ranker"'
TEXT = f"feed-ranker-feed (run feed-ranker-feed-x7) failed; for the reason, open {RUN_PAGE} and {WHERE}"


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
        *("--run-id", "5f7c"),
        *("--web-page", PAGE),
        *("--url-file", str(folder / "url")),
        *("--on", on),
    ]


def test_a_failure_is_reported(webhook: StubServer, tmp_path: Path) -> None:
    assert main(arguments(f"{webhook.url}/hook", tmp_path)) == 0
    [request] = webhook.requests
    assert request.body == {"text": TEXT}
    assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (FAILED | {"state": "COMPLETE"}, "feed (run feed-ranker-feed-x7) finished"),
        (FAILED, f"feed (run feed-ranker-feed-x7) failed; for the reason, open {RUN_PAGE} and {WHERE}"),
        (
            FAILED | {"state": "RUNNING"},
            "feed (run feed-ranker-feed-x7) failed: a component ended without a report, as its pod ran out of memory, "
            f"was evicted or stopped, or could not start; for the reason, open {RUN_PAGE} and {WHERE}",
        ),
        (
            FAILED | {"error": {"code": 9, "message": "no folder day-2026-03-09"}},
            f"feed (run feed-ranker-feed-x7) failed: no folder day-2026-03-09; see {RUN_PAGE}",
        ),
        (FAILED | {"state": "CANCELED"}, f"feed (run feed-ranker-feed-x7) was cancelled; see {RUN_PAGE}"),
        (
            {"state": "UNKNOWN"},
            f"feed failed with the state UNKNOWN; for the reason, open {RUN_PAGE} and read the last lines of the log "
            "of the component that failed",
        ),
        (
            {},
            f"feed failed with the state unknown; for the reason, open {RUN_PAGE} and read the last lines of the log "
            "of the component that failed",
        ),
    ],
)
def test_the_message_says_how_a_run_ended_and_where_the_reason_is(status: dict[str, object], text: str) -> None:
    assert message("feed", status, PAGE, "5f7c") == text


@pytest.mark.parametrize(
    ("page", "run_id", "where"),
    [
        (f"{PAGE}/", "5f7c", RUN_PAGE),
        (PAGE, "", f"{PAGE}/#/runs"),
        ("", "5f7c", "run 5f7c on Kubeflow's web page"),
        # A backend that does not know the placeholder.
        ("", "{{$.pipeline_job_uuid}}", "the run on Kubeflow's web page"),
    ],
)
def test_a_run_is_named_as_well_as_it_is_known(page: str, run_id: str, where: str) -> None:
    assert f"for the reason, open {where} and {WHERE}" in message("feed", FAILED, page, run_id)


def test_a_run_whose_component_was_killed_is_reported(webhook: StubServer, tmp_path: Path) -> None:
    assert main(arguments(f"{webhook.url}/hook", tmp_path, FAILED | {"state": "RUNNING"})) == 0
    assert "a component ended without a report" in webhook.requests[0].body["text"]


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
