"""TrainingStart's executor: makes the plan, and copies the parent's training state."""

import json
from typing import Any

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from ranker.config.documents import from_json
from ranker.config.retraining import Retraining
from ranker.feed_log.day import resolve_day
from ranker.registry.layout import STATE
from ranker.registry.plan import STATE_FOLDER, write_plan
from ranker.registry.replacement import ReplacementError, find_replaced
from ranker.registry.start import NO_VERSION, REQUESTED_COLD_START, make_plan
from ranker.storage import copy_folder, exists, join


class Executor(base_executor.BaseExecutor):
    """Writes the plan and, unless the start is cold, the parent's training state."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the artifact.

        Raises:
            ReplacementError: the run would replace the serving model of another config.
            FileNotFoundError: the parent's training state is incomplete or missing.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        artifact = artifact_utils.get_single_instance(output_dict["training_start"])
        destination, version = exec_properties["push_destination"], exec_properties["version"]
        if version == "" and exec_properties["push"] == "true":
            replaced = find_replaced(destination, exec_properties["config_name"], exec_properties["replaces"])
            if replaced is not None:
                raise ReplacementError(
                    f"{replaced}; name another push destination, or submit with --no-push, or with --replaces "
                    f"{replaced.config} to replace it"
                )
        if version == NO_VERSION:
            plan = REQUESTED_COLD_START
        else:
            plan = make_plan(
                destination,
                resolve_day(exec_properties["day"]),
                from_json(Retraining, exec_properties["retraining"]),
                json.loads(exec_properties["parts"]),
                version,
            )
        logging.info("%s start: %s", plan.start, plan.reason)
        fileio.makedirs(artifact.uri)
        if not plan.is_cold:
            state = join(destination, plan.parent, STATE)
            if not exists(state):
                raise FileNotFoundError(
                    f"{state}: missing, but the training continues from version {plan.parent}; a run with --refit "
                    "starts cold"
                )
            copy_folder(state, join(artifact.uri, STATE_FOLDER))
        write_plan(artifact.uri, plan)
        artifact.set_string_custom_property("start", plan.start)
        artifact.set_string_custom_property("parent", plan.parent)
