"""Pusher's executor: TFX's own, with an atomic push, an increasing version number, and withdrawn models held back."""

from typing import Any

from absl import logging
from tfx import types
from tfx.components.pusher import executor as stock
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as specs
from tfx.utils import io_utils, proto_utils

from components.artifacts import NOT_PUSHED
from ranker.registry.manifest import Manifest
from ranker.registry.publishing import find_published, publish
from ranker.registry.replacement import find_later, find_replaced
from ranker.registry.retention import remove_old_versions
from ranker.registry.same_model import StoredModel
from ranker.registry.withdrawal import published_after, read_withdrawals, reinstate, serving_before
from ranker.storage import join

PUBLISH_WITHDRAWN = "publish_withdrawn"
PUSH = "push"
REPLACES = "replaces"
DESTINATION_STATE = "destination_state"


class Executor(stock.Executor):
    """Pushes a blessed model to a folder of numbered versions, and removes old versions."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes the model unless something holds it back, and records it as TFX's does.

        Held back is a model that is not blessed, or withdrawn, or that would replace another config's, or that of a
        later day which was pushed while the run trained.

        Raises:
            DocumentError: the record of a withdrawal is damaged.
            FileNotFoundError: the Model artifact contains no SavedModel.
            ValueError: `publish_withdrawn` or `push` is neither "true" nor "false".
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        requested = _flag(exec_properties, PUBLISH_WITHDRAWN)
        push = _flag(exec_properties, PUSH)
        pushed = artifact_utils.get_single_instance(output_dict[specs.PUSHED_MODEL_KEY])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        if not push:
            pushed.set_string_custom_property(NOT_PUSHED, "nothing was published, as --no-push requests")
            self._MarkNotPushed(pushed)
            return
        push_destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties[specs.PUSH_DESTINATION_KEY], push_destination)
        destination = push_destination.filesystem.base_directory
        model_path = self.GetModelPath(input_dict)
        model = StoredModel(model_path)
        withdrawal = read_withdrawals(destination).of(model)
        version = find_published(model_path, destination)
        if withdrawal is not None and not requested and not published_after(withdrawal, version):
            logging.warning("%s: %s", destination, withdrawal.text)
            pushed.set_string_custom_property(NOT_PUSHED, withdrawal.text)
            self._MarkNotPushed(pushed)
            return
        why = _would_replace(destination, model.manifest, exec_properties) if version is None else None
        if why is not None:
            logging.warning("%s", why)
            pushed.set_string_custom_property(NOT_PUSHED, why)
            self._MarkNotPushed(pushed)
            return

        io_utils.copy_dir(model_path, pushed.uri)
        version = version or publish(model_path, destination)
        if withdrawal is not None:
            # Not before: if the push fails, the model stays withdrawn, and a later run does not publish it unasked. A
            # later run does this if the push is killed in between.
            reinstate(destination, model)
        self._MarkPushed(pushed, pushed_destination=join(destination, version), pushed_version=version)
        try:
            remove_old_versions(destination, exec_properties["keep_models"])
        except OSError as error:
            # The model is pushed; the next push removes the old versions.
            logging.warning("%s: old versions could not be removed: %s", destination, error)


def _would_replace(destination: str, manifest: Manifest, exec_properties: dict[str, Any]) -> str | None:
    """Why a model must not replace the one that serves, or None if it may."""
    own, requested = manifest.config_name, exec_properties[REPLACES]
    replaced = find_replaced(destination, own, requested)
    if replaced is not None:
        return f"{replaced}, so nothing was published; --replaces {replaced.config} publishes it"
    # The version that served when a local run was planned is one that its user was told of.
    later = find_later(destination, manifest.eval_day, serving_before(exec_properties[DESTINATION_STATE]))
    if later is not None and requested != own and not _flag(exec_properties, PUBLISH_WITHDRAWN):
        return f"{later}, so nothing was published; --replaces {own} publishes it"
    return None


def _flag(exec_properties: dict[str, Any], name: str) -> bool:
    """A parameter that is a text, as a runtime parameter of Kubeflow has to be."""
    text = exec_properties[name]
    if text not in ("true", "false"):
        raise ValueError(f'{name}: it is "true" or "false", got {text!r}')
    return bool(text == "true")
