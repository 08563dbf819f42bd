"""The stand-in for Kubeflow's driver and launcher does what the real ones were seen to do."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from tests.pipeline.kubeflow.launcher import Launcher, Run

# A component without TFX: it says what it was given, and writes the files and metadata that it was asked for.
COMPONENT = """
import json, os, pathlib, signal, sys, tempfile
given, root, options = json.loads(sys.argv[1]), pathlib.Path(sys.argv[2]), json.loads(sys.argv[3])
outputs = given["outputs"]
in_pod = {key: root / "minio" / listed["artifacts"][0]["uri"].removeprefix("minio://")
          for key, listed in outputs["artifacts"].items()}
inputs = {key: root / "minio" / listed["artifacts"][0]["uri"].removeprefix("minio://")
          for key, listed in given.get("inputs", {}).get("artifacts", {}).items()}
status = pathlib.Path("/proc/self/status").read_text() if sys.platform == "linux" else ""
capabilities = [line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")]
print(json.dumps({
    "given": given,
    "inputs_exist": {key: path.exists() for key, path in inputs.items()},
    "output_exists": {key: path.exists() for key, path in in_pod.items()},
    "parent_exists": {key: path.parent.is_dir() for key, path in in_pod.items()},
    "output_file_is_beside_outputs": pathlib.Path(outputs["outputFile"]).parent in {p.parent for p in in_pod.values()},
    "temporary": tempfile.gettempdir(), "home": os.environ["HOME"], "leftovers": os.listdir(tempfile.gettempdir()),
    "capabilities": capabilities, "root": str(root),
}))
pathlib.Path(tempfile.gettempdir(), "left over").touch()
if options.get("kill"):
    os.kill(os.getpid(), signal.SIGKILL)
if options.get("fail"):
    sys.exit("broken")
for key, files in options.get("files", {}).items():
    in_pod[key].mkdir()
    for name in files:
        (in_pod[key] / name).write_text("content")
pathlib.Path(outputs["outputFile"]).write_text(json.dumps({"artifacts": {}}))
"""
EXAMPLES = {"artifactType": {"instanceSchema": "title: tfx.Examples\ntype: object\n"}}


def spec(first: dict[str, Any], pods: Path, exit_task: bool = False) -> pb.PipelineSpec:
    """Make → Read, which takes its output; with an exit task, the two are in a DAG of their own."""

    def container(name: str, options: dict[str, Any]) -> dict[str, Any]:
        arguments = ["-c", COMPONENT, "{{$}}", str(pods / name), json.dumps(options)]
        return {"container": {"image": "feed@sha256:0", "command": ["python"], "args": arguments}}

    upstream = {"taskOutputArtifact": {"producerTask": "Make", "outputArtifactKey": "examples"}}
    constants = {
        "run": {"runtimeValue": {"constant": "{{$.pipeline_job_uuid}}"}},
        "due": {"runtimeValue": {"constant": "{{$.pipeline_job_schedule_time_utc}}"}},
        "text": {"runtimeValue": {"constant": "at {{$.pipeline_job_uuid}}"}},
    }
    tasks: dict[str, Any] = {
        "Make": {"componentRef": {"name": "Make"}, "inputs": {"parameters": constants}},
        "Read": {
            "componentRef": {"name": "Read"},
            "dependentTasks": ["Make"],
            "inputs": {"artifacts": {"examples": upstream}},
        },
    }
    strings = {name: {"parameterType": "STRING"} for name in constants}
    document: dict[str, Any] = {
        "pipelineInfo": {"name": "feed"},
        "root": {"dag": {"tasks": tasks}},
        "components": {
            "Make": {
                "executorLabel": "Make",
                "inputDefinitions": {"parameters": strings},
                "outputDefinitions": {"artifacts": {"examples": EXAMPLES}},
            },
            "Read": {"executorLabel": "Read", "inputDefinitions": {"artifacts": {"examples": EXAMPLES}}},
        },
        "deploymentSpec": {"executors": {"Make": container("Make", first), "Read": container("Read", {})}},
    }
    if exit_task:
        document["components"]["inner"] = {"dag": {"tasks": tasks}}
        document["components"]["Exit"] = {
            "executorLabel": "Exit",
            "inputDefinitions": {"parameters": {"status": {"parameterType": "TASK_FINAL_STATUS"}}},
        }
        document["deploymentSpec"]["executors"]["Exit"] = container("Exit", {})
        document["root"]["dag"]["tasks"] = {
            "inner": {"componentRef": {"name": "inner"}},
            "Exit": {
                "componentRef": {"name": "Exit"},
                "dependentTasks": ["inner"],
                "inputs": {"parameters": {"status": {"taskFinalStatus": {"producerTask": "inner"}}}},
                "triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
            },
        }
    return json_format.ParseDict(document, pb.PipelineSpec())


def started(first: dict[str, Any], workdir: Path, *, exit_task: bool = False, scheduled: str | None = None) -> Run:
    return Launcher(spec(first, workdir / "pods", exit_task), workdir).run({}, scheduled)


def said(run: Run, task: str) -> dict[str, Any]:
    assert task in run.logs, run.error
    result: dict[str, Any] = json.loads(run.logs[task].splitlines()[0])
    return result


def test_a_task_sees_what_the_launcher_prepares(tmp_path: Path) -> None:
    run = started({"files": {"examples": ["part"]}}, tmp_path)
    assert run.state == "SUCCEEDED", run.error
    make, read = said(run, "Make"), said(run, "Read")
    # Only the parents of outputs are there.
    assert make["output_exists"] == {"examples": False, "executor-logs": False}
    assert make["parent_exists"] == {"examples": True, "executor-logs": True}
    assert make["output_file_is_beside_outputs"]
    [log] = make["given"]["outputs"]["artifacts"]["executor-logs"]["artifacts"]
    assert log["uri"].endswith("/executor-logs-0")
    assert log["type"] == {"schemaTitle": "system.Artifact"}
    [examples] = read["given"]["inputs"]["artifacts"]["examples"]["artifacts"]
    assert examples["type"] == {"instanceSchema": ""}
    assert examples["metadata"]["display_name"] == "examples"
    assert json.loads(examples["metadata"]["store_session_info"])["Provider"] == "minio"
    assert read["inputs_exist"] == {"examples": True}


def test_an_artifact_without_files_has_no_folder_in_the_next_pod(tmp_path: Path) -> None:
    run = started({"files": {"examples": []}}, tmp_path)
    assert run.state == "SUCCEEDED", run.error
    assert said(run, "Read")["inputs_exist"] == {"examples": False}


def test_a_pod_has_no_capabilities_and_a_file_system_of_its_own(tmp_path: Path) -> None:
    run = started({"files": {"examples": ["part"]}}, tmp_path)
    for task in ("Make", "Read"):
        pod = said(run, task)
        assert pod["home"] == pod["root"]
        assert Path(pod["temporary"]).is_relative_to(pod["root"])
        assert pod["leftovers"] == []
        assert all(int(effective, 16) == 0 for effective in pod["capabilities"])
    assert not any((tmp_path / "pods").iterdir())


def test_the_log_is_stored_as_a_file(tmp_path: Path) -> None:
    run = started({"files": {"examples": ["part"]}}, tmp_path)
    launcher = Launcher(pb.PipelineSpec(), tmp_path)
    assert launcher.local_path(run.artifacts["Make"]["executor-logs"].uri).read_text() == run.logs["Make"]


def test_constants_that_equal_a_placeholder_are_replaced(tmp_path: Path) -> None:
    run = started({}, tmp_path, scheduled="2026-03-09T18:00:00Z")
    given = said(run, "Make")["given"]["inputs"]["parameterValues"]
    assert given["due"] == "2026-03-09T18:00:00Z"
    assert len(given["run"]) == 32
    assert given["text"] == "at {{$.pipeline_job_uuid}}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "tasks", "state"),
    [
        ({"files": {"examples": ["part"]}}, {"Make": "SUCCEEDED", "Read": "SUCCEEDED"}, "COMPLETE"),
        ({"fail": True}, {"Make": "FAILED", "Read": "SKIPPED"}, "FAILED"),
        ({"kill": True}, {"Make": "KILLED", "Read": "SKIPPED"}, "RUNNING"),
    ],
)
def test_an_exit_task_learns_a_state_and_no_reason(
    first: dict[str, Any], tasks: dict[str, str], state: str, tmp_path: Path
) -> None:
    run = started(first, tmp_path, exit_task=True)
    assert run.tasks.items() >= tasks.items()
    status = said(run, "Exit")["given"]["inputs"]["parameterValues"]["status"]
    assert status["state"] == state
    assert status["error"] == {}
    assert status["pipelineTaskName"] == "inner"
