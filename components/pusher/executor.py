"""Pusher's executor: TFX's own, with an atomic push and an increasing version number."""

from typing import Any

from absl import logging
from tfx import types
from tfx.components.pusher import executor as stock
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as specs
from tfx.utils import io_utils, json_utils, proto_utils

from ranker.registry.publishing import find_published, publish
from ranker.registry.retention import remove_old_versions
from ranker.storage import join

KEEP_MODELS = "keep_models"


class Executor(stock.Executor):
    """Pushes a blessed model to a folder of numbered versions, and removes old versions."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes the model if it is blessed, and records the push on the artifact, as TFX's Pusher does.

        Raises:
            FileNotFoundError: the Model artifact contains no SavedModel.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(output_dict[specs.PUSHED_MODEL_KEY])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        push_destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties[specs.PUSH_DESTINATION_KEY], push_destination)
        destination = push_destination.filesystem.base_directory
        model_path = self.GetModelPath(input_dict)

        io_utils.copy_dir(model_path, pushed.uri)
        version = find_published(model_path, destination) or publish(model_path, destination)
        self._MarkPushed(pushed, pushed_destination=join(destination, version), pushed_version=version)
        keep = json_utils.loads(exec_properties[specs.CUSTOM_CONFIG_KEY])[KEEP_MODELS]
        try:
            remove_old_versions(destination, keep)
        except OSError as error:
            # The model is pushed; the next push removes the old versions.
            logging.warning("%s: old versions could not be removed: %s", destination, error)
