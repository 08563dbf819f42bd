"""Runs a compiled pipeline as the Kubeflow Pipelines 2.x backend does, on this machine and without a cluster.

It emulates the backend's driver and launcher, according to their sources (`backend/src/v2/driver`,
`backend/src/v2/component/launcher_v2.go` in kubeflow/pipelines):

- each task is a separate process, which runs the command in the spec with the ExecutorInput in place of `{{$}}`;
- artifacts are in an object store under `minio://` URIs; a task's inputs are copied into its pod before it runs, and
  its outputs out of it afterwards. A pod's folder is removed at its end, so a task sees only what was copied;
- input artifacts come from a metadata store that has URI and properties, but no type;
- every task has one additional output artifact, for its log;
- lifecycle hooks are not run, tasks of a failed run that have not started are skipped, and exit tasks run regardless.

One argument is added to a command: `--launcher_root`, as the pods' folders cannot be at `/` here.
"""

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format, struct_pb2
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from tests.processes import run_python

ROOT = Path(__file__).resolve().parents[3]
PIPELINE_ROOT = "minio://mlpipeline/v2/artifacts"
ENTRYPOINT_MODULE = "pipeline.kubeflow.entrypoint"
_TASKS_AT_ONCE = 2
_LOG_TAIL = 3_000  # characters
_EXIT_TASK = pb.PipelineTaskSpec.TriggerPolicy.ALL_UPSTREAM_TASKS_COMPLETED

Artifacts = dict[str, pb.RuntimeArtifact]


@dataclass
class Run:
    """The result of a run.

    Attributes:
        state: SUCCEEDED or FAILED.
        tasks: task → SUCCEEDED, FAILED or SKIPPED.
        artifacts: task → output name → artifact, with its URI in the object store.
        logs: task → what it printed.
        error: task and message of the first failure; empty where there is none.
    """

    state: str = "SUCCEEDED"
    tasks: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, Artifacts] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    error: str = ""


def read_package(package: Path) -> tuple[pb.PipelineSpec, pb.PlatformSpec]:
    """The protos of a compiled file; a field that the backend does not know is an error."""
    documents = list(yaml.safe_load_all(package.read_text()))
    spec = json_format.ParseDict(documents[0], pb.PipelineSpec())
    platform = json_format.ParseDict(documents[1] if documents[1:] else {}, pb.PlatformSpec())
    return spec, platform


class Launcher:
    """Runs one pipeline spec.

    Args:
        spec: what was compiled.
        workdir: where the object store and the pods' folders are made.
        files: stands for the mounts of Secrets and volumes: path in a pod → path here.
    """

    def __init__(self, spec: pb.PipelineSpec, workdir: Path, files: Mapping[str, str] | None = None) -> None:
        self._spec = spec
        self._store = workdir / "object-store"
        self._pods = workdir / "pods"
        self._files = files or {}
        deployment = pb.PipelineDeploymentConfig()
        json_format.ParseDict(json_format.MessageToDict(spec.deployment_spec), deployment)
        self._executors = deployment.executors
        self._run_id = uuid.uuid4().hex
        self._ids = 0
        self._pool = ThreadPoolExecutor(_TASKS_AT_ONCE)

    def local_path(self, uri: str) -> Path:
        """The path of an object of the object store."""
        assert uri.startswith("minio://"), uri
        return self._store / uri.removeprefix("minio://")

    def run(self, parameters: Mapping[str, str]) -> Run:
        """Runs the pipeline with these parameters, the others at their defaults."""
        run = Run()
        with self._pool:
            self._dag(self._spec.root, self._with_defaults(self._spec.root, dict(parameters)), run)
        return run

    def _with_defaults(self, component: pb.ComponentSpec, given: dict[str, Any]) -> dict[str, Any]:
        declared = component.input_definitions.parameters
        assert set(given) <= set(declared), f"unknown parameters: {sorted(set(given) - set(declared))}"
        for name, parameter in declared.items():
            if name not in given and parameter.HasField("default_value"):
                given[name] = json_format.MessageToDict(parameter.default_value)
            assert name in given or parameter.is_optional, f"parameter {name} is required"
        return given

    def _dag(self, component: pb.ComponentSpec, parameters: dict[str, Any], run: Run) -> None:
        """Runs a DAG's tasks as their upstream tasks succeed, then its exit tasks."""
        tasks = dict(component.dag.tasks)
        waiting = {name for name, task in tasks.items() if task.trigger_policy.strategy != _EXIT_TASK}
        exits = sorted(set(tasks) - waiting)
        running: dict[Future[None], str] = {}
        while waiting or running:
            ready = [
                name
                for name in sorted(waiting)
                if all(run.tasks.get(upstream) == "SUCCEEDED" for upstream in tasks[name].dependent_tasks)
            ]
            for name in ready if run.state == "SUCCEEDED" else []:
                waiting.remove(name)
                inner = self._spec.components[tasks[name].component_ref.name]
                if inner.WhichOneof("implementation") == "dag":
                    resolved = self._with_defaults(inner, self._parameters(tasks[name], parameters, run))
                    self._dag(inner, resolved, run)
                    run.tasks[name] = run.state
                else:
                    running[self._pool.submit(self._container, name, tasks[name], parameters, run)] = name
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                del running[future]
                future.result()
        for name in waiting:
            run.tasks[name] = "SKIPPED"
        for name in exits:
            self._container(name, tasks[name], parameters, run)

    def _parameters(self, task: pb.PipelineTaskSpec, parameters: Mapping[str, Any], run: Run) -> dict[str, Any]:
        resolved: dict[str, Any] = {}
        for name, source in task.inputs.parameters.items():
            kind = source.WhichOneof("kind")
            if kind == "component_input_parameter":
                resolved[name] = parameters[source.component_input_parameter]
            elif kind == "runtime_value":
                constant = json_format.MessageToDict(source.runtime_value.constant)
                resolved[name] = self._run_id if constant == "{{$.pipeline_job_uuid}}" else constant
            elif kind == "task_final_status":
                producer = source.task_final_status.producer_task
                resolved[name] = {
                    "state": {"SUCCEEDED": "COMPLETE"}.get(run.tasks[producer], run.tasks[producer]),
                    "pipelineJobResourceName": f"{self._spec.pipeline_info.name}-x7k2p",
                    "pipelineTaskName": producer,
                    "error": {},  # the driver does not fill it in
                }
            else:
                raise NotImplementedError(f"parameter {name}: {kind}")
        return resolved

    def _container(self, name: str, task: pb.PipelineTaskSpec, parameters: Mapping[str, Any], run: Run) -> None:
        component = self._spec.components[task.component_ref.name]
        pod = self._pods / name
        given = self._executor_input(name, task, component, parameters, run, pod)
        self._copy_in(given, pod)
        container = self._executors[component.executor_label].container
        assert "@sha256:" in container.image
        log, status = self._process([*container.command, *container.args], given, pod)
        run.logs[name] = log
        if status == 0:
            run.artifacts[name] = self._publish(given, pod)
            run.tasks[name] = "SUCCEEDED"
        else:
            run.tasks[name] = run.state = "FAILED"
            run.error = run.error or f"{name}: {log[-_LOG_TAIL:].strip()}"
        shutil.rmtree(pod)

    def _executor_input(
        self,
        name: str,
        task: pb.PipelineTaskSpec,
        component: pb.ComponentSpec,
        parameters: Mapping[str, Any],
        run: Run,
        pod: Path,
    ) -> pb.ExecutorInput:
        given = pb.ExecutorInput()
        resolved = self._with_defaults(component, self._parameters(task, parameters, run))
        for parameter, value in resolved.items():
            json_format.ParseDict(value, given.inputs.parameter_values[parameter])
        for key, source in task.inputs.artifacts.items():
            output = source.task_output_artifact
            stored = run.artifacts[output.producer_task][output.output_artifact_key]
            self._ids += 1
            from_metadata_store = pb.RuntimeArtifact(name=str(self._ids), uri=stored.uri, metadata=stored.metadata)
            from_metadata_store.type.SetInParent()
            given.inputs.artifacts[key].artifacts.append(from_metadata_store)
        folder = f"{PIPELINE_ROOT}/{self._spec.pipeline_info.name}/{self._run_id}/{name}/{uuid.uuid4()}"
        declared = {key: artifact.artifact_type for key, artifact in component.output_definitions.artifacts.items()}
        for key, kind in {**declared, "executor-logs": pb.ArtifactTypeSchema(schema_title="system.Artifact")}.items():
            given.outputs.artifacts[key].artifacts.append(pb.RuntimeArtifact(uri=f"{folder}/{key}", type=kind))
        given.outputs.output_file = str(pod / "tmp/kfp_outputs/output_metadata.json")
        return given

    def _copy_in(self, given: pb.ExecutorInput, pod: Path) -> None:
        for listed in given.inputs.artifacts.values():
            local = _in_pod(pod, listed.artifacts[0].uri)
            shutil.copytree(self.local_path(listed.artifacts[0].uri), local)
        for listed in given.outputs.artifacts.values():
            _in_pod(pod, listed.artifacts[0].uri).parent.mkdir(parents=True, exist_ok=True)
        Path(given.outputs.output_file).parent.mkdir(parents=True)

    def _process(self, command: list[str], given: pb.ExecutorInput, pod: Path) -> tuple[str, int]:
        places = {"{{$}}": json_format.MessageToJson(given, indent=None)}
        for name, value in given.inputs.parameter_values.items():
            text = value.string_value if value.WhichOneof("kind") == "string_value" else _compact(value)
            places[f"{{{{$.inputs.parameters['{name}']}}}}"] = text
        for place, text in {**places, **self._files}.items():
            command = [argument.replace(place, text) for argument in command]
        # The image's own interpreter, without the user's environment.
        environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(pod)}
        if command[:3] == ["python", "-m", ENTRYPOINT_MODULE]:
            step = run_python([*command[1:], "--launcher_root", str(pod)], ROOT, environment)
            return step.output, step.status
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        return done.stdout, done.returncode

    def _publish(self, given: pb.ExecutorInput, pod: Path) -> Artifacts:
        """Merges the task's ExecutorOutput into its declared outputs, and copies the outputs out."""
        produced = pb.ExecutorOutput()
        output_file = Path(given.outputs.output_file)
        if output_file.exists():
            json_format.Parse(output_file.read_text(), produced)
        artifacts: Artifacts = {}
        for key, listed in given.outputs.artifacts.items():
            artifact = listed.artifacts[0]
            if key in produced.artifacts:
                artifact.uri = produced.artifacts[key].artifacts[0].uri or artifact.uri
                artifact.metadata.MergeFrom(produced.artifacts[key].artifacts[0].metadata)
            if (local := _in_pod(pod, artifact.uri)).exists():
                shutil.copytree(local, self.local_path(artifact.uri))
            artifacts[key] = artifact
        return artifacts


def _in_pod(pod: Path, uri: str) -> Path:
    assert uri.startswith("minio://"), f"{uri} does not lie in the object store"
    return pod / "minio" / uri.removeprefix("minio://")


def _compact(value: struct_pb2.Value) -> str:
    return json.dumps(json_format.MessageToDict(value))
