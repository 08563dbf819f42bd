"""The container's command, in this process; `test_kubeflow_run.py` runs a complete pipeline with it."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.kubeflow import entrypoint
from tests.pipeline.kubeflow.stub_server import serving

COPIER = "tests.pipeline.kubeflow.small_executors.Copier"
BEAM_COPIER = "tests.pipeline.kubeflow.small_executors.BeamCopier"
MODEL = {"instanceSchema": "title: tfx.Model\ntype: object\n"}
IN_PROCESS, CLUSTER = "--runner=FnApiRunner", "--runner=DataflowRunner"
SECRET = "s3cret"  # by name, as a traceback quotes the test


def arguments(pod: Path, executor: str, scheme: str = "minio") -> list[str]:
    given: dict[str, Any] = {
        "inputs": {
            "parameterValues": {"text": "copied"},
            "artifacts": {"model": {"artifacts": [{"name": "7", "uri": f"{scheme}://b/run/model", "type": {}}]}},
        },
        "outputs": {
            "artifacts": {
                "copy": {"artifacts": [{"uri": f"{scheme}://b/run/copy", "type": MODEL}]},
                "executor-logs": {
                    "artifacts": [{"uri": f"{scheme}://b/run/logs", "type": {"schemaTitle": "system.Artifact"}}]
                },
            },
            "outputFile": str(pod / "output_metadata.json"),
        },
    }
    inputs = {
        "parameters": {"text": {"parameterType": "STRING"}},
        "artifacts": {"model": {"artifactType": MODEL}},
    }
    return [
        *("--executor_class_path", executor),
        *("--json_serialized_invocation_args", json.dumps(given)),
        *("--json_serialized_inputs_spec_args", json.dumps(inputs)),
        *("--launcher_root", str(pod)),
    ]


@pytest.fixture
def pod(tmp_path: Path) -> Path:
    """A pod that the launcher has copied a model into."""
    folder = tmp_path / "minio/b/run/model"
    folder.mkdir(parents=True)
    (folder / "model.txt").write_text("weights")
    return tmp_path


@pytest.mark.parametrize("runner", [IN_PROCESS, CLUSTER])
def test_an_executor_reads_and_writes_the_launchers_copies(pod: Path, runner: str) -> None:
    entrypoint.main([*arguments(pod, COPIER), runner])
    assert (pod / "minio/b/run/copy/copy.txt").read_text() == "weights copied Model ['text']"
    output = json.loads((pod / "output_metadata.json").read_text())
    assert set(output["artifacts"]) == {"copy"}
    [copy] = output["artifacts"]["copy"]["artifacts"]
    assert copy["uri"] == "minio://b/run/copy"
    assert copy["metadata"]["copied"] == "minio://b/run/model/model.txt"


def test_errors_are_written_for_kubernetes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = tmp_path / "termination-log"
    monkeypatch.setattr(entrypoint, "TERMINATION_MESSAGE", reason)
    with pytest.raises(FileNotFoundError, match=r"model\.txt"):
        entrypoint.main(arguments(tmp_path, COPIER))
    assert not reason.exists()
    reason.touch()
    with pytest.raises(FileNotFoundError) as raised:
        entrypoint.main(arguments(tmp_path, COPIER))
    assert reason.read_text() == f"FileNotFoundError: {raised.value}"


def failing(folder: Path, url: str) -> list[str]:
    """The arguments of a component that has no input, and reports to the webhook at `url`."""
    (folder / "url").write_text(url)
    command = arguments(folder, COPIER)
    at = command.index("--json_serialized_invocation_args") + 1
    given = json.loads(command[at])
    given["inputs"]["parameterValues"]["kubeflow_run_id"] = "5f7c"
    command[at] = json.dumps(given)
    webhook = ["--webhook_file", str(folder / "url"), "--webhook_subject", "feed-ranker-feed: Copier"]
    return [*command, *webhook, "--web_page", "https://kubeflow.example"]


def test_a_component_reports_its_reason_to_the_webhook(tmp_path: Path) -> None:
    with serving() as webhook:
        webhook.refusals["/hook"] = (200, {})
        with pytest.raises(FileNotFoundError) as raised:
            entrypoint.main(failing(tmp_path, f"{webhook.url}/hook"))
    [request] = webhook.requests
    assert request.body == {
        "text": f"feed-ranker-feed: Copier failed: FileNotFoundError: {raised.value}; see "
        "https://kubeflow.example/#/runs/details/5f7c"
    }


def test_a_webhook_that_refuses_does_not_hide_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as webhook, pytest.raises(FileNotFoundError, match=r"model\.txt"):
        entrypoint.main(failing(tmp_path, f"{webhook.url}/{SECRET}"))
    said = capsys.readouterr().err
    assert "did not accept the message: HTTP Error 404" in said
    assert SECRET not in said


def test_the_run_id_does_not_reach_the_component(pod: Path) -> None:
    command = failing(pod, "http://127.0.0.1:1/hook")
    entrypoint.main(command)
    assert (pod / "minio/b/run/copy/copy.txt").read_text() == "weights copied Model ['text']"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("runner", "scheme", "expected"),
    [(IN_PROCESS, "gs", "{pod}/gcs/b/run/model"), (CLUSTER, "gs", "gs://b/run/model")],
)
def test_remote_beam_workers_get_the_original_uris(pod: Path, runner: str, scheme: str, expected: str) -> None:
    with pytest.raises(LookupError) as raised:
        entrypoint.main([*arguments(pod, BEAM_COPIER, scheme), runner])
    assert raised.value.args == (expected.format(pod=pod),)


def test_remote_beam_workers_cannot_read_minio(pod: Path) -> None:
    with pytest.raises(ValueError, match=r"minio://b/run/copy: Beam's workers on other machines cannot read minio://"):
        entrypoint.main([*arguments(pod, BEAM_COPIER), CLUSTER])
