"""Converts between what the Kubeflow launcher passes to a container and what TFX 1.21 expects.

The functions work on `ml_pipelines.ExecutorInput` and `ExecutorOutput` in their JSON form. Each closes one gap between
TFX 1.21 and open-source Kubeflow Pipelines 2.x, and says when it is no longer needed.
"""

import copy
import os
from collections.abc import Iterator, Mapping
from typing import Any

Message = dict[str, Any]

# Folders of the launcher's local copies (`LocalPathForURI` in the backend's launcher).
LOCAL_FOLDERS = {"minio://": "minio", "s3://": "s3", "gs://": "gcs"}


RUN_ID = "kubeflow_run_id"
"""A component's parameter with the run's id; it is compiled in and is none of TFX's component."""

SCHEDULED = "_scheduled_at"
"""Ends the name of a parameter, compiled in as well, with the moment that a recurring run was scheduled for."""


def without_run_id(given: Message) -> tuple[Message, str]:
    """Takes out the run's id; "" where it was not compiled in."""
    given = copy.deepcopy(given)
    return given, given.get("inputs", {}).get("parameterValues", {}).pop(RUN_ID, "")


def with_scheduled_days(given: Message) -> Message:
    """Puts the moment that a run was scheduled for in front of its day, where that has placeholders for it.

    The component's parameter NAME has a companion `NAME + SCHEDULED`, which the backend fills in and which is none of
    TFX's component. `ranker.feed_log.day` takes the first moment of a day, and skips what is still a placeholder.
    """
    given = copy.deepcopy(given)
    parameters = given.get("inputs", {}).get("parameterValues", {})
    for companion in [name for name in parameters if name.endswith(SCHEDULED)]:
        moment, name = parameters.pop(companion), companion.removesuffix(SCHEDULED)
        if "|" in parameters[name]:
            parameters[name] = f"{moment}|{parameters[name]}"
    return given


def without_launcher_artifacts(given: Message) -> Message:
    """Drops output artifacts that the component does not declare.

    The backend adds one for the container's log; TFX would interpret its type as a Python class. Needed until TFX
    parses only the outputs that the component declares; TFX 1.21 parses all of them.
    """
    given = copy.deepcopy(given)
    outputs = given.get("outputs", {}).get("artifacts", {})
    for name in [name for name, listed in outputs.items() if _of_system_type(listed)]:
        del outputs[name]
    return given


def with_input_types(given: Message, inputs_spec: Message) -> Message:
    """Adds the type of every input artifact from the component's declaration.

    The backend reads input artifacts from its metadata store, and passes them on without their type. Needed until it
    passes the type on, or TFX uses the declared one.

    Args:
        given: an ExecutorInput.
        inputs_spec: the component's `ComponentInputsSpec`, which TFX's compiler puts on the command line.
    """
    given = copy.deepcopy(given)
    declared = inputs_spec.get("artifacts", {})
    for name, listed in given.get("inputs", {}).get("artifacts", {}).items():
        for artifact in listed.get("artifacts", []):
            artifact["type"] = declared[name]["artifactType"]
    return given


def local_copies(given: Message, root: str) -> dict[str, str]:
    """URI → local path of every artifact that the launcher downloads or uploads.

    Args:
        given: an ExecutorInput.
        root: parent of the launcher's folders; `/` in a cluster.
    """
    uris = [artifact["uri"] for artifact in _artifacts(given)]
    paths = {}
    for uri in uris:
        for scheme, folder in LOCAL_FOLDERS.items():
            if uri.startswith(scheme):
                paths[uri] = os.path.join(root, folder, uri.removeprefix(scheme))
    return paths


def with_local_paths(given: Message, paths: Mapping[str, str]) -> Message:
    """Replaces the artifacts' URIs by the paths of the launcher's local copies.

    TensorFlow and Beam cannot open `minio://`, nor `s3://` without more packages and credentials. Needed as long as the
    launcher copies artifacts instead of mounting them. URIs that the launcher does not copy stay unchanged.
    """
    given = copy.deepcopy(given)
    for artifact in _artifacts(given):
        artifact["uri"] = paths.get(artifact["uri"], artifact["uri"])
    return given


def with_uris(produced: Message, paths: Mapping[str, str]) -> Message:
    """Reverses `with_local_paths` in an ExecutorOutput: in URIs, and in properties with a path of an artifact."""

    def restored(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: restored(value) for key, value in node.items()}
        if isinstance(node, list):
            return [restored(value) for value in node]
        if isinstance(node, str):
            for uri, path in paths.items():
                if node == path or node.startswith(f"{path}/"):
                    return uri + node.removeprefix(path)
        return node

    return restored(produced)


def output_folders(given: Message) -> list[str]:
    """The local folders of the output artifacts.

    TFX's other runners create them beforehand, and its executors rely on that. The launcher creates only their parent
    folders. Needed until the launcher or TFX's container creates the folders themselves.
    """
    listed = given.get("outputs", {}).get("artifacts", {}).values()
    uris = [artifact["uri"] for artifacts in listed for artifact in artifacts.get("artifacts", [])]
    return [uri for uri in uris if "://" not in uri]


def _artifacts(given: Message) -> Iterator[Message]:
    for side in ("inputs", "outputs"):
        for listed in given.get(side, {}).get("artifacts", {}).values():
            yield from listed.get("artifacts", [])


def _of_system_type(listed: Message) -> bool:
    artifacts = listed.get("artifacts", [])
    return any(artifact.get("type", {}).get("schemaTitle", "").startswith("system.") for artifact in artifacts)
