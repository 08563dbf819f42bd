"""What the Kubeflow launcher hands to a container, and what it takes back, beside what TFX 1.21 expects.

The functions work on `ml_pipelines.ExecutorInput` and `ExecutorOutput` in their JSON form. Each closes one gap between
TFX 1.21 and open-source Kubeflow Pipelines 2.x, and says when it can go.
"""

import copy
import os
from collections.abc import Iterator, Mapping
from typing import Any

Message = dict[str, Any]

# Where the launcher keeps its local copies (`LocalPathForURI` in the backend's launcher).
LOCAL_FOLDERS = {"minio://": "minio", "s3://": "s3", "gs://": "gcs"}


def without_launcher_artifacts(given: Message) -> Message:
    """Drops output artifacts that the component does not declare.

    The backend adds one for the container's log, whose type TFX takes for a Python class. Needed until TFX looks at
    the outputs that the component declares and at no others; TFX 1.21 parses every one.
    """
    given = copy.deepcopy(given)
    outputs = given.get("outputs", {}).get("artifacts", {})
    for name in [name for name, listed in outputs.items() if _of_system_type(listed)]:
        del outputs[name]
    return given


def with_input_types(given: Message, inputs_spec: Message) -> Message:
    """Fills in the type of every input artifact from what the component declares.

    The backend takes input artifacts from its metadata store, and hands them on without their type. Needed until it
    hands on the type, or TFX goes by the declared one.

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
    """URI → local path of every artifact that the launcher copies in or out.

    Args:
        given: an ExecutorInput.
        root: where the launcher's folders start; `/` in a cluster.
    """
    uris = [artifact["uri"] for artifact in _artifacts(given)]
    paths = {}
    for uri in uris:
        for scheme, folder in LOCAL_FOLDERS.items():
            if uri.startswith(scheme):
                paths[uri] = os.path.join(root, folder, uri.removeprefix(scheme))
    return paths


def with_local_paths(given: Message, paths: Mapping[str, str]) -> Message:
    """Replaces the artifacts' URIs by the launcher's local copies.

    TensorFlow and Beam cannot open `minio://`, nor `s3://` without more packages and credentials. Needed as long as the
    launcher copies artifacts instead of mounting them; where it leaves a URI alone, so does this.
    """
    given = copy.deepcopy(given)
    for artifact in _artifacts(given):
        artifact["uri"] = paths.get(artifact["uri"], artifact["uri"])
    return given


def with_uris(produced: Message, paths: Mapping[str, str]) -> Message:
    """Undoes `with_local_paths` in an ExecutorOutput: in URIs, and in properties that hold a path of an artifact."""

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

    TFX's other runners make them beforehand and its executors rely on it; the launcher makes only what is above them.
    Needed until the launcher makes the folders themselves, or TFX's container does.
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
