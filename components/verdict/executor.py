"""Verdict's executor: raises where the model is not blessed."""

from typing import Any

from tfx import types
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

PUSH = "push"


class NotBlessedError(Exception):
    """The gates did not let the model pass."""


class Executor(base_executor.BaseExecutor):
    """Reads the blessing."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Does nothing if the run pushes, or the model is blessed.

        Raises:
            NotBlessedError: the run publishes nothing, and the model is not blessed.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        if exec_properties[PUSH] == "true":
            return
        if not model_utils.is_model_blessed(artifact_utils.get_single_instance(input_dict["blessing"])):
            raise NotBlessedError("the model is not blessed; the calibration report names the gates that failed")
