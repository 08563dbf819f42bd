"""The PlatformSpec: volumes, Secrets and nodes of the containers, in a YAML document after the pipeline spec.

All fields are supported by backends since 2.0. Some have newer equivalents, which older backends refuse.
"""

from collections.abc import Collection, Sequence
from typing import Any

from pipeline.kubeflow.spec import NOTIFICATION_FOLDER, NOTIFICATION_TASK, executor_of
from ranker.config.kubeflow import Kubeflow, Notification


def platform_spec(
    kubeflow: Kubeflow, components: Sequence[str], other_components: Collection[str] = ()
) -> dict[str, Any] | None:
    """The PlatformSpec in its JSON form, or None if the settings need none.

    Args:
        kubeflow: the settings.
        components: the ids of all components.
        other_components: further names that the settings may have, of components that only other pipelines have.

    Raises:
        ValueError: a setting names a component that the pipeline does not have.
    """
    if unknown := sorted(kubeflow.named_components() - {*components, *other_components}):
        raise ValueError(f"kubeflow: {unknown} are not among the components {sorted(components)}")
    configs = {executor_of(name): _executor_config(kubeflow, name) for name in components}
    if kubeflow.notification:
        configs[executor_of(NOTIFICATION_TASK)] = {
            "secretAsVolume": [_webhook(kubeflow.notification)],
            **_image_pull_secrets(kubeflow),
        }
    executors = {executor: config for executor, config in configs.items() if config}
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}} if executors else None


def _executor_config(kubeflow: Kubeflow, component: str) -> dict[str, Any]:
    volumes = [volume for volume in kubeflow.volumes if component in (volume.components or (component,))]
    secrets = [secret for secret in kubeflow.secrets if component in (secret.components or (component,))]
    webhook = [_webhook(kubeflow.notification)] if kubeflow.notification and kubeflow.notification.reasons else []
    config: dict[str, Any] = {
        "pvcMount": [{"constant": volume.claim, "mountPath": volume.path} for volume in volumes],
        "secretAsEnv": [
            {
                "secretName": secret.name,
                "keyToEnv": [{"secretKey": key, "envVar": variable} for variable, key in secret.env.items()],
            }
            for secret in secrets
            if secret.env
        ],
        "secretAsVolume": [
            *({"secretName": secret.name, "mountPath": secret.path} for secret in secrets if secret.path is not None),
            *webhook,
        ],
        **_image_pull_secrets(kubeflow),
    }
    resources = kubeflow.resources_of(component)
    if resources.node_selector:
        config["nodeSelector"] = {"labels": resources.node_selector}
    if resources.gpus:
        config["tolerations"] = [{"key": resources.gpu_resource, "operator": "Exists", "effect": "NoSchedule"}]
    return {field: value for field, value in config.items() if value}


def _webhook(notification: Notification) -> dict[str, Any]:
    return {"secretName": notification.secret, "mountPath": NOTIFICATION_FOLDER}


def _image_pull_secrets(kubeflow: Kubeflow) -> dict[str, Any]:
    listed = [{"secretName": name} for name in kubeflow.image_pull_secrets]
    return {"imagePullSecret": listed} if listed else {}
