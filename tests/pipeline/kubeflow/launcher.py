"""Runs a compiled pipeline as the Kubeflow Pipelines 2.x backend does, on this machine and without a cluster.

It emulates the backend's driver and launcher, according to their sources (`backend/src/v2/driver`,
`backend/src/v2/component/launcher_v2.go` in kubeflow/pipelines 2.17.0) and to what they were seen to send.
`test_launcher.py` lists these facts one by one:

- each task is a separate process, which runs the command in the spec with the ExecutorInput in place of `{{$}}`. It has
  no capabilities, and home and temporary folders of its own;
- artifacts are in an object store under `minio://` URIs; a task's inputs are copied into its pod before it runs, and
  its outputs out of it afterwards. A pod's folder is removed at its end, so a task sees only what was copied. An object
  store has no empty folders, so an artifact without files has no folder in the next pod;
- input artifacts come from a metadata store that has URI and properties, but an empty type, and adds properties;
- every task has one additional output artifact, for its log; the `outputFile` is in the folder of the task's outputs;
- constants that equal a placeholder are replaced in the inputs of tasks, and Argo's variables in the run's parameters;
- lifecycle hooks are not run, tasks of a failed run that have not started are skipped, and exit tasks run regardless;
- an exit task learns the state of the DAG: COMPLETE, FAILED, or RUNNING where a pod was killed; never a reason.

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
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format, struct_pb2
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from tests.processes import drop_capabilities, run_python

ROOT = Path(__file__).resolve().parents[3]
PIPELINE_ROOT = "minio://mlpipeline/v2/artifacts"
ENTRYPOINT_MODULE = "pipeline.kubeflow.entrypoint"
_LOG_KEY = "executor-logs"
_SESSION = {"Provider": "minio", "Params": {"endpoint": "minio-service.kubeflow:9000", "fromEnv": "false"}}
_TASKS_AT_ONCE = 2
_LOG_TAIL = 3_000  # characters
_EXIT_TASK = pb.PipelineTaskSpec.TriggerPolicy.ALL_UPSTREAM_TASKS_COMPLETED

Artifacts = dict[str, pb.RuntimeArtifact]


@dataclass
class Run:
    """The result of a run.

    Attributes:
        state: SUCCEEDED or FAILED.
        tasks: task → SUCCEEDED, FAILED, KILLED or SKIPPED; a DAG among them has the run's state.
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
        self._constants: dict[str, str] = {}
        self._pool = ThreadPoolExecutor(_TASKS_AT_ONCE)

    def local_path(self, uri: str) -> Path:
        """The path of an object of the object store."""
        assert uri.startswith("minio://"), uri
        return self._store / uri.removeprefix("minio://")

    def run(self, parameters: Mapping[str, str], scheduled: str | None = None) -> Run:
        """Runs the pipeline with these parameters, the others at their defaults.

        Args:
            parameters: of the run.
            scheduled: the moment that a recurring run was due, as in RFC 3339; None is a run without a schedule, for
                which the backend takes the moment of its creation.
        """
        run, created = Run(), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._constants = {
            "{{$.pipeline_job_uuid}}": self._run_id,
            "{{$.pipeline_job_schedule_time_utc}}": scheduled or created,
        }
        given = {
            name: text.replace("{{workflow.creationTimestamp.RFC3339}}", created) for name, text in parameters.items()
        }
        with self._pool:
            self._dag(self._spec.root, self._with_defaults(self._spec.root, given), run)
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
                replaceable = isinstance(constant, str) and constant in self._constants
                resolved[name] = self._constants[constant] if replaceable else constant
            elif kind == "task_final_status":
                producer = source.task_final_status.producer_task
                resolved[name] = {
                    "state": _reported_state(run),
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
            _in_pod(pod, given.outputs.artifacts[_LOG_KEY].artifacts[0].uri).write_text(log)
            run.artifacts[name] = self._publish(given, pod)
            run.tasks[name] = "SUCCEEDED"
        else:
            run.state = "FAILED"
            run.tasks[name] = "KILLED" if status < 0 else "FAILED"
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
            from_metadata_store.type.instance_schema = ""
            added = {"display_name": output.output_artifact_key, "store_session_info": json.dumps(_SESSION)}
            from_metadata_store.metadata.update(added)
            given.inputs.artifacts[key].artifacts.append(from_metadata_store)
        folder = f"{PIPELINE_ROOT}/{self._spec.pipeline_info.name}/{self._run_id}/{name}/{uuid.uuid4()}"
        declared = {key: artifact.artifact_type for key, artifact in component.output_definitions.artifacts.items()}
        for key, kind in declared.items():
            given.outputs.artifacts[key].artifacts.append(pb.RuntimeArtifact(uri=f"{folder}/{key}", type=kind))
        # The log of the first attempt is a file.
        log = pb.RuntimeArtifact(
            uri=f"{folder}/{_LOG_KEY}-0", type=pb.ArtifactTypeSchema(schema_title="system.Artifact")
        )
        given.outputs.artifacts[_LOG_KEY].artifacts.append(log)
        given.outputs.output_file = str(_in_pod(pod, f"{folder}/executor_output.json"))
        return given

    def _copy_in(self, given: pb.ExecutorInput, pod: Path) -> None:
        for listed in given.inputs.artifacts.values():
            _copy_files(self.local_path(listed.artifacts[0].uri), _in_pod(pod, listed.artifacts[0].uri))
        for listed in given.outputs.artifacts.values():
            _in_pod(pod, listed.artifacts[0].uri).parent.mkdir(parents=True, exist_ok=True)
        (pod / "tmp").mkdir(parents=True)

    def _process(self, command: list[str], given: pb.ExecutorInput, pod: Path) -> tuple[str, int]:
        places = {"{{$}}": json_format.MessageToJson(given, indent=None)}
        for name, value in given.inputs.parameter_values.items():
            text = value.string_value if value.WhichOneof("kind") == "string_value" else _compact(value)
            places[f"{{{{$.inputs.parameters['{name}']}}}}"] = text
        for place, text in {**places, **self._files}.items():
            command = [argument.replace(place, text) for argument in command]
        # The image's own interpreter, without the user's environment.
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(pod),
            "TMPDIR": str(pod / "tmp"),
        }
        if command[:3] == ["python", "-m", ENTRYPOINT_MODULE]:
            step = run_python([*command[1:], "--launcher_root", str(pod)], ROOT, environment, capabilities=False)
            return step.output, step.status
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            preexec_fn=drop_capabilities,
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
            _copy_files(_in_pod(pod, artifact.uri), self.local_path(artifact.uri))
            artifacts[key] = artifact
        return artifacts


def _copy_files(source: Path, target: Path) -> None:
    """Copies a file, or the files below a folder; folders without files are not copied, as in an object store."""
    for path in [source] if source.is_file() else sorted(source.rglob("*")):
        if path.is_file():
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)


def _reported_state(run: Run) -> str:
    """The state of the DAG: it is updated when a task reports, which a killed one does not."""
    if "KILLED" in run.tasks.values():
        return "RUNNING"
    return "COMPLETE" if run.state == "SUCCEEDED" else run.state


def _in_pod(pod: Path, uri: str) -> Path:
    assert uri.startswith("minio://"), f"{uri} does not lie in the object store"
    return pod / "minio" / uri.removeprefix("minio://")


def _compact(value: struct_pb2.Value) -> str:
    return json.dumps(json_format.MessageToDict(value))
