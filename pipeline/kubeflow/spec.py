"""Turns a pipeline spec of TFX 1.21's compiler into one for an open-source Kubeflow Pipelines 2.x backend.

The functions edit a pipeline spec in its JSON form (`ml_pipelines.PipelineSpec`), and do not use TFX.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.kubeflow.executor_input import RUN_ID, SCHEDULED
from ranker.config.kubeflow import Kubeflow, Notification, Resources, bytes_of

Spec = dict[str, Any]

PIPELINE_TASK = "feed-ranker"
NOTIFICATION_TASK = "notify"
NOTIFICATION_FOLDER = "/secrets/notification"

_RUN_ID_PLACEHOLDER = "{{$.pipeline_job_uuid}}"
_SCHEDULED_PLACEHOLDER = "{{$.pipeline_job_schedule_time_utc}}"

_INPUTS_SPEC = "--json_serialized_inputs_spec_args"

# Argo counts this from the start of the first attempt. A task that ran for longer is not retried, and a retry is killed
# when it is over. Without it the backend sets 0, which means no retry at all. So it has to exceed the longest task.
_RETRY_WINDOW = "86400s"
_FIRST_WAIT = "30s"


@dataclass(frozen=True)
class Parameter:
    """A string parameter of the pipeline.

    Attributes:
        description: shown next to the field on the cluster's web page.
        default: the value of runs that do not pass one; None makes the parameter required.
    """

    description: str
    default: str | None = None


def executor_of(component: str) -> str:
    """The name of a component's executor in the deployment spec."""
    return f"{component}_executor"


def describe_parameters(spec: Spec, parameters: Mapping[str, Parameter]) -> None:
    """Adds descriptions of the pipeline's parameters, and their defaults, which TFX's compiler drops.

    Raises:
        ValueError: the spec has other parameters.
    """
    compiled = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    if set(compiled) != set(parameters):
        raise ValueError(f"pipeline spec: expected the parameters {sorted(parameters)}, found {sorted(compiled)}")
    for name, parameter in parameters.items():
        compiled[name]["description"] = parameter.description
        if parameter.default is not None:
            compiled[name] |= {"defaultValue": parameter.default, "isOptional": True}


def switch_caching_off(spec: Spec, components: Collection[str]) -> None:
    """Makes these components run every time.

    The backend's cache is keyed by parameters, input artifacts and image. Anything else that a component reads is not
    in the key.
    """
    for name in components:
        spec["root"]["dag"]["tasks"][name]["cachingOptions"] = {}


def name_artifact_classes(spec: Spec, class_paths: Mapping[str, str]) -> None:
    """Replaces the names of our own artifact types by import paths, from which TFX's container loads the classes.

    TFX's compiler refuses an import path as a type's name, but its container expects one.

    Args:
        spec: the pipeline spec.
        class_paths: type name → import path of the class.
    """
    patterns = [(re.compile(rf"title: {re.escape(name)}\b"), f"title: {path}") for name, path in class_paths.items()]

    def renamed(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: renamed(value) for key, value in node.items()}
        if isinstance(node, list):
            return [renamed(value) for value in node]
        if isinstance(node, str):
            for pattern, title in patterns:
                node = pattern.sub(title, node)
        return node

    # Executors' arguments repeat their components' inputs as text.
    for part in ("components", "deploymentSpec"):
        spec[part] = renamed(spec[part])


def set_resources(spec: Spec, kubeflow: Kubeflow) -> None:
    """Sets the resources of each component's container, and its retries."""
    for name, task in spec["root"]["dag"]["tasks"].items():
        container = spec["deploymentSpec"]["executors"][executor_of(name)]["container"]
        if resources := _resources(kubeflow.resources_of(name)):
            container["resources"] = resources
        if kubeflow.retries:
            task["retryPolicy"] = {
                "maxRetryCount": kubeflow.retries,
                "backoffDuration": _FIRST_WAIT,
                "backoffFactor": 2.0,
                "backoffMaxDuration": _RETRY_WINDOW,
            }


def pass_scheduled_time(spec: Spec, day: str) -> None:
    """Gives the components that take the pipeline's parameter `day` the moment that a run was scheduled for.

    The backend replaces the placeholder in the inputs of tasks only, not in a run's parameters. For a late run it is
    the missed time, and for a run without a schedule the time of its creation.
    """
    for task_name, task in spec["root"]["dag"]["tasks"].items():
        parameters = task.get("inputs", {}).get("parameters", {})
        for name in [name for name, source in parameters.items() if source.get("componentInputParameter") == day]:
            _add_constant(spec, task_name, f"{name}{SCHEDULED}", _SCHEDULED_PLACEHOLDER)


def report_reasons(spec: Spec, notification: Notification) -> None:
    """Makes the command of every component post to the webhook why it fails; call it before `notify_at_exit`."""
    pipeline = spec["pipelineInfo"]["name"]
    for name in spec["root"]["dag"]["tasks"]:
        _add_constant(spec, name, RUN_ID, _RUN_ID_PLACEHOLDER)
        spec["deploymentSpec"]["executors"][executor_of(name)]["container"]["args"] += [
            *("--webhook_file", f"{NOTIFICATION_FOLDER}/{notification.key}"),
            *("--webhook_subject", f"{pipeline}: {name}"),
            *("--web_page", notification.web_page or ""),
        ]


def _add_constant(spec: Spec, task_name: str, parameter: str, placeholder: str) -> None:
    """Adds a parameter to a component that the backend fills in: it replaces constants that equal a placeholder."""
    task = spec["root"]["dag"]["tasks"][task_name]
    task.setdefault("inputs", {}).setdefault("parameters", {})[parameter] = {"runtimeValue": {"constant": placeholder}}
    declared = {parameter: {"parameterType": "STRING"}}
    component = spec["components"][task["componentRef"]["name"]]
    component.setdefault("inputDefinitions", {}).setdefault("parameters", {}).update(declared)
    # The component's declaration is repeated in the arguments of its command.
    args = spec["deploymentSpec"]["executors"][executor_of(task_name)]["container"]["args"]
    if _INPUTS_SPEC in args:
        at = args.index(_INPUTS_SPEC) + 1
        inputs = json.loads(args[at])
        inputs.setdefault("parameters", {}).update(declared)
        args[at] = json.dumps(inputs, sort_keys=True)


def notify_at_exit(spec: Spec, notification: Notification, image: str) -> None:
    """Adds a task that runs at the end of every run, successful or not, and notifies a webhook.

    A task can run after a failure only as the exit task of a DAG below the root. So the pipeline becomes such a DAG,
    and the pipeline's parameters are passed on to it.
    """
    root = spec["root"]
    parameters = root.get("inputDefinitions", {}).get("parameters", {})
    passed_on = {name: {"componentInputParameter": name} for name in parameters}
    spec["components"][PIPELINE_TASK] = {
        "dag": root["dag"],
        "inputDefinitions": {
            "parameters": {name: {"parameterType": p["parameterType"]} for name, p in parameters.items()}
        },
    }
    spec["components"][NOTIFICATION_TASK] = {
        "executorLabel": executor_of(NOTIFICATION_TASK),
        "inputDefinitions": {
            "parameters": {
                "status": {"parameterType": "TASK_FINAL_STATUS", "isOptional": True},
                "run_id": {"parameterType": "STRING"},
            }
        },
    }
    spec["deploymentSpec"]["executors"][executor_of(NOTIFICATION_TASK)] = {
        "container": {
            "image": image,
            "command": ["python", "-m", "pipeline.kubeflow.notify"],
            "args": [
                *("--pipeline", spec["pipelineInfo"]["name"]),
                *("--status", "{{$.inputs.parameters['status']}}"),
                *("--run-id", "{{$.inputs.parameters['run_id']}}"),
                *("--web-page", notification.web_page or ""),
                *("--url-file", f"{NOTIFICATION_FOLDER}/{notification.key}"),
                *("--on", notification.on),
            ],
        }
    }
    root["dag"] = {
        "tasks": {
            PIPELINE_TASK: {
                "taskInfo": {"name": PIPELINE_TASK},
                "componentRef": {"name": PIPELINE_TASK},
                "inputs": {"parameters": passed_on},
            },
            NOTIFICATION_TASK: {
                "taskInfo": {"name": NOTIFICATION_TASK},
                "componentRef": {"name": NOTIFICATION_TASK},
                "inputs": {
                    "parameters": {
                        "status": {"taskFinalStatus": {"producerTask": PIPELINE_TASK}},
                        "run_id": {"runtimeValue": {"constant": _RUN_ID_PLACEHOLDER}},
                    }
                },
                "dependentTasks": [PIPELINE_TASK],
                "triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
            },
        }
    }


def _resources(resources: Resources) -> Spec:
    """A container's resources, both as numbers and in Kubernetes' notation, as backends differ in which they read."""
    result: Spec = {}
    for kind, cores in (("Request", resources.cpu_request), ("Limit", resources.cpu_limit)):
        if cores is not None:
            result |= {f"cpu{kind}": cores, f"resourceCpu{kind}": f"{cores:g}"}
    for kind, memory in (("Request", resources.memory_request), ("Limit", resources.memory_limit)):
        if memory is not None:
            result |= {f"memory{kind}": bytes_of(memory) / 1e9, f"resourceMemory{kind}": memory}
    if resources.gpus:
        result["accelerator"] = {
            "type": resources.gpu_resource,
            "count": str(resources.gpus),
            "resourceType": resources.gpu_resource,
            "resourceCount": str(resources.gpus),
        }
    return result
