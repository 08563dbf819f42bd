"""ServingModel's executor: chooses the baseline and copies it into a Model artifact."""

from datetime import date
from typing import Any

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.artifacts import BASELINE_REASON, PRESENT, VERSION, training_of
from ranker.files import atomic_folder
from ranker.registry.baseline import choose_baseline
from ranker.registry.layout import SAVED_MODEL
from ranker.registry.start import NO_VERSION
from ranker.storage import copy_folder, exists, join


class Executor(base_executor.BaseExecutor):
    """Emits the baseline, or an empty artifact if there is none."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the artifact.

        Raises:
            FileNotFoundError: the requested version is not at the push destination.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        model = artifact_utils.get_single_instance(output_dict["model"])
        fileio.makedirs(model.uri)
        destination, version = exec_properties["push_destination"], exec_properties["version"]
        reason = exec_properties["reason"]
        if not version:
            # A repeated run must not compare its model with the version that it pushed before.
            own = training_of(input_dict, exec_properties["day"], exec_properties["recipe"])
            choice = choose_baseline(destination, date.fromisoformat(own.day), own.fingerprint)
            version, reason = choice.version or NO_VERSION, choice.reason
        model.set_int_custom_property(PRESENT, int(version != NO_VERSION))
        model.set_string_custom_property(VERSION, version)
        model.set_string_custom_property(BASELINE_REASON, reason)
        if version == NO_VERSION:
            logging.info("There is no baseline at %s: %s", destination, reason or "nothing has been pushed")
            return
        pushed = join(destination, version)
        if not exists(join(pushed, SAVED_MODEL)):
            raise FileNotFoundError(f"{pushed}: version {version} has no saved_model.pb to compare with")
        target = path_utils.serving_model_dir(model.uri)
        # A cluster retries a component with the same artifact.
        with atomic_folder(target, replace=True, last=SAVED_MODEL, durable=False) as folder:
            copy_folder(pushed, folder)
