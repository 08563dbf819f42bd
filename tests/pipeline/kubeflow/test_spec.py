import copy
from typing import Any

import pytest
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from pipeline.kubeflow.platform import platform_spec
from pipeline.kubeflow.spec import (
    Parameter,
    describe_parameters,
    name_artifact_classes,
    notify_at_exit,
    report_reasons,
    set_resources,
    switch_caching_off,
)
from ranker.config.kubeflow import EVERY_COMPONENT, Kubeflow, Notification, Resources, Secret, Volume


@pytest.fixture
def spec() -> dict[str, Any]:
    """Two components as compiled by TFX: Train takes the output of Read."""
    forest = {"artifactType": {"instanceSchema": "title: feed_ranker.Forest\ntype: object\n"}}
    container = {
        "image": "feed@sha256:0",
        "command": ["python"],
        "args": ["--spec", '{"a": "title: feed_ranker.Forest\\n"}'],
    }
    upstream = {"taskOutputArtifact": {"producerTask": "Read", "outputArtifactKey": "forest"}}
    return {
        "pipelineInfo": {"name": "feed-ranker-feed"},
        "schemaVersion": "2.1.0",
        "root": {
            "inputDefinitions": {"parameters": {"day": {"parameterType": "STRING"}}},
            "dag": {
                "tasks": {
                    "Read": {
                        "taskInfo": {"name": "Read"},
                        "componentRef": {"name": "Read"},
                        "cachingOptions": {"enableCache": True},
                        "inputs": {"parameters": {"eval_day": {"componentInputParameter": "day"}}},
                    },
                    "Train": {
                        "taskInfo": {"name": "Train"},
                        "componentRef": {"name": "Train"},
                        "cachingOptions": {"enableCache": True},
                        "dependentTasks": ["Read"],
                        "inputs": {"artifacts": {"forest": upstream}},
                    },
                }
            },
        },
        "components": {
            "Read": {"executorLabel": "Read_executor", "outputDefinitions": {"artifacts": {"forest": forest}}},
            "Train": {"executorLabel": "Train_executor", "inputDefinitions": {"artifacts": {"forest": forest}}},
        },
        "deploymentSpec": {
            "executors": {f"{name}_executor": {"container": copy.deepcopy(container)} for name in ("Read", "Train")}
        },
    }


def valid(spec: dict[str, Any]) -> pb.PipelineSpec:
    """The spec as the backend parses it: an unknown field is an error."""
    parsed = json_format.ParseDict(spec, pb.PipelineSpec())
    json_format.ParseDict(spec["deploymentSpec"], pb.PipelineDeploymentConfig())
    return parsed


def test_parameters_get_a_description_and_their_default(spec: dict[str, Any]) -> None:
    describe_parameters(spec, {"day": Parameter("The day.", "2026-03-09")})
    day = valid(spec).root.input_definitions.parameters["day"]
    assert (day.description, day.default_value.string_value, day.is_optional) == ("The day.", "2026-03-09", True)


def test_a_parameter_without_a_default_is_required(spec: dict[str, Any]) -> None:
    describe_parameters(spec, {"day": Parameter("The day.")})
    day = valid(spec).root.input_definitions.parameters["day"]
    assert not day.HasField("default_value")
    assert not day.is_optional


def test_other_parameters_than_the_described_ones_are_an_error(spec: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"expected the parameters \['log'\], found \['day'\]"):
        describe_parameters(spec, {"log": Parameter("The log.")})


def test_caching_is_off_where_it_is_switched_off(spec: dict[str, Any]) -> None:
    switch_caching_off(spec, ["Read"])
    tasks = valid(spec).root.dag.tasks
    assert {name: task.caching_options.enable_cache for name, task in tasks.items()} == {"Read": False, "Train": True}


def test_artifact_types_are_named_by_their_class_everywhere(spec: dict[str, Any]) -> None:
    name_artifact_classes(spec, {"feed_ranker.Forest": "components.forest.Forest", "feed_ranker.For": "wrong"})
    assert "feed_ranker" not in str(spec)
    assert "wrong" not in str(spec)
    schema = valid(spec).components["Train"].input_definitions.artifacts["forest"].artifact_type.instance_schema
    assert schema == "title: components.forest.Forest\ntype: object\n"
    args = spec["deploymentSpec"]["executors"]["Train_executor"]["container"]["args"]
    assert args[1] == '{"a": "title: components.forest.Forest\\n"}'


def test_each_component_gets_its_resources(spec: dict[str, Any]) -> None:
    resources = {
        EVERY_COMPONENT: Resources(cpu_request=0.5, memory_limit="512Mi"),
        "Train": Resources(cpu_request=4, cpu_limit=8, memory_request="16Gi", memory_limit="20G", gpus=2),
    }
    set_resources(spec, Kubeflow(resources=resources, retries=3))
    valid(spec)
    config = json_format.ParseDict(spec["deploymentSpec"], pb.PipelineDeploymentConfig())
    small = config.executors["Read_executor"].container.resources
    assert (small.cpu_request, small.resource_cpu_request) == (0.5, "0.5")
    assert (small.memory_limit, small.resource_memory_limit) == (pytest.approx(0.536870912), "512Mi")
    assert not small.HasField("accelerator")
    large = config.executors["Train_executor"].container.resources
    assert (large.resource_cpu_request, large.resource_cpu_limit) == ("4", "8")
    assert (large.memory_request, large.memory_limit) == (pytest.approx(17.179869184), pytest.approx(20.0))
    assert (large.accelerator.type, large.accelerator.count) == ("nvidia.com/gpu", 2)
    assert (large.accelerator.resource_type, large.accelerator.resource_count) == ("nvidia.com/gpu", "2")


def test_long_tasks_are_retried_too(spec: dict[str, Any]) -> None:
    set_resources(spec, Kubeflow(retries=3))
    for task in valid(spec).root.dag.tasks.values():
        policy = task.retry_policy
        assert policy.max_retry_count == 3
        assert policy.backoff_duration.ToSeconds() > 0
        # Argo counts it from the first attempt's start: a task of some hours has to be retried with time left to run.
        assert policy.backoff_max_duration.ToSeconds() == 24 * 60 * 60


def test_without_retries_there_is_no_retry_policy(spec: dict[str, Any]) -> None:
    set_resources(spec, Kubeflow())
    assert not any(task.HasField("retry_policy") for task in valid(spec).root.dag.tasks.values())


def test_without_settings_no_resources_are_requested(spec: dict[str, Any]) -> None:
    before = str(spec)
    set_resources(spec, Kubeflow(resources={}))
    assert str(spec) == before


def test_a_notification_runs_after_the_pipeline(spec: dict[str, Any]) -> None:
    describe_parameters(spec, {"day": Parameter("The day.", "2026-03-09")})
    notify_at_exit(spec, Notification("hook", key="address", on="always"), "feed@sha256:0")
    parsed = valid(spec)
    pipeline, notify = parsed.root.dag.tasks["feed-ranker"], parsed.root.dag.tasks["notify"]
    # Runtime parameters reach the components through the DAG in between.
    assert pipeline.inputs.parameters["day"].component_input_parameter == "day"
    inner = parsed.components["feed-ranker"]
    assert set(inner.dag.tasks) == {"Read", "Train"}
    assert set(inner.input_definitions.parameters) == {"day"}
    assert inner.dag.tasks["Read"].inputs.parameters["eval_day"].component_input_parameter == "day"
    assert parsed.root.input_definitions.parameters["day"].default_value.string_value == "2026-03-09"
    assert notify.trigger_policy.strategy == pb.PipelineTaskSpec.TriggerPolicy.ALL_UPSTREAM_TASKS_COMPLETED
    assert list(notify.dependent_tasks) == ["feed-ranker"]
    assert notify.inputs.parameters["status"].task_final_status.producer_task == "feed-ranker"
    arguments = spec["deploymentSpec"]["executors"]["notify_executor"]["container"]["args"]
    assert arguments[-4:] == ["--url-file", "/secrets/notification/address", "--on", "always"]


def test_the_exit_task_knows_the_run_and_the_web_page(spec: dict[str, Any]) -> None:
    notify_at_exit(spec, Notification("hook", web_page="https://kubeflow.example"), "feed@sha256:0")
    inputs = valid(spec).root.dag.tasks["notify"].inputs.parameters
    # The backend replaces a constant that equals the placeholder.
    assert inputs["run_id"].runtime_value.constant.string_value == "{{$.pipeline_job_uuid}}"
    arguments = spec["deploymentSpec"]["executors"]["notify_executor"]["container"]["args"]
    assert arguments[arguments.index("--run-id") + 1] == "{{$.inputs.parameters['run_id']}}"
    assert arguments[arguments.index("--web-page") + 1] == "https://kubeflow.example"


def test_components_can_report_why_they_fail(spec: dict[str, Any]) -> None:
    report_reasons(spec, Notification("hook", reasons=True, web_page="https://kubeflow.example"))
    parsed = valid(spec)
    config = json_format.ParseDict(spec["deploymentSpec"], pb.PipelineDeploymentConfig())
    for name in ("Read", "Train"):
        constant = parsed.root.dag.tasks[name].inputs.parameters["kubeflow_run_id"].runtime_value.constant
        assert constant.string_value == "{{$.pipeline_job_uuid}}"
        assert "kubeflow_run_id" in parsed.components[name].input_definitions.parameters
        assert list(config.executors[f"{name}_executor"].container.args)[-6:] == [
            *("--webhook_file", "/secrets/notification/url"),
            *("--webhook_subject", f"feed-ranker-feed: {name}"),
            *("--web_page", "https://kubeflow.example"),
        ]


def configs(kubeflow: Kubeflow) -> dict[str, Any]:
    platform = platform_spec(kubeflow, ["Read", "Train"])
    json_format.ParseDict(platform, pb.PlatformSpec())
    assert platform is not None
    executors: dict[str, Any] = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    return executors


def test_volumes_secrets_and_nodes_reach_the_components_that_they_name() -> None:
    kubeflow = Kubeflow(
        volumes=(Volume("log", "/log", components=("Read",)), Volume("models", "/models")),
        secrets=(
            Secret("store", env={"KEY_ID": "id", "KEY": "secret"}, components=("Read",)),
            Secret("gcs", path="/secrets/gcs", components=("Train",)),
        ),
        image_pull_secrets=("registry",),
        resources={"Train": Resources(gpus=1, node_selector={"pool": "gpu"})},
    )
    assert configs(kubeflow) == {
        "Read_executor": {
            "pvcMount": [{"constant": "log", "mountPath": "/log"}, {"constant": "models", "mountPath": "/models"}],
            "secretAsEnv": [
                {
                    "secretName": "store",
                    "keyToEnv": [
                        {"secretKey": "id", "envVar": "KEY_ID"},
                        {"secretKey": "secret", "envVar": "KEY"},
                    ],
                }
            ],
            "imagePullSecret": [{"secretName": "registry"}],
        },
        "Train_executor": {
            "pvcMount": [{"constant": "models", "mountPath": "/models"}],
            "secretAsVolume": [{"secretName": "gcs", "mountPath": "/secrets/gcs"}],
            "imagePullSecret": [{"secretName": "registry"}],
            "nodeSelector": {"labels": {"pool": "gpu"}},
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        },
    }


def test_the_exit_task_sees_the_webhook_and_no_component_does() -> None:
    mounts = configs(Kubeflow(volumes=(), notification=Notification("hook")))
    assert mounts == {
        "notify_executor": {"secretAsVolume": [{"secretName": "hook", "mountPath": "/secrets/notification"}]}
    }


def test_components_that_report_why_they_fail_see_the_webhook_too() -> None:
    mounts = configs(Kubeflow(volumes=(), notification=Notification("hook", reasons=True)))
    mount = {"secretAsVolume": [{"secretName": "hook", "mountPath": "/secrets/notification"}]}
    assert mounts == {"Read_executor": mount, "Train_executor": mount, "notify_executor": mount}


def test_without_settings_there_is_no_platform_spec() -> None:
    assert platform_spec(Kubeflow(volumes=()), ["Read", "Train"]) is None


def test_a_setting_for_an_unknown_component_is_refused() -> None:
    kubeflow = Kubeflow(volumes=(), resources={"Trian": Resources(gpus=1)})
    with pytest.raises(ValueError, match=r"kubeflow: \['Trian'\] are not among the components \['Read', 'Train'\]"):
        platform_spec(kubeflow, ["Read", "Train"])
