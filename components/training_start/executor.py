"""TrainingStart's executor: decides, and copies what the parent carries."""

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
from ranker.registry.start import NO_VERSION, STATE_FOLDER, StartPlan, make_plan, write_plan
from ranker.storage import copy_folder, exists, join


class Executor(base_executor.BaseExecutor):
    """Writes the plan and, for a warm start, what it starts from."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the artifact.

        Raises:
            FileNotFoundError: the parent is not whole, or is gone.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        artifact = artifact_utils.get_single_instance(output_dict["training_start"])
        destination, version = exec_properties["push_destination"], exec_properties["version"]
        if version == NO_VERSION:
            plan = StartPlan("cold", "a cold start was asked for")
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
                raise FileNotFoundError(f"{state}: version {plan.parent} was to be continued from, and it is not there")
            copy_folder(state, join(artifact.uri, STATE_FOLDER))
        write_plan(artifact.uri, plan)
        artifact.set_string_custom_property("start", plan.start)
        artifact.set_string_custom_property("parent", plan.parent)
