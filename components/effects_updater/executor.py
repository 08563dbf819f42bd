"""EffectsUpdater's executor: runs the update and keeps its summary."""

from pathlib import Path
from typing import Any

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from components.artifacts import NOT_PUSHED
from ranker.config.documents import from_json
from ranker.config.pipeline import PipelineConfig
from ranker.documents import write_json
from ranker.effects_update.update import SUMMARY_FILE, update_serving_effects
from ranker.files import write_text


class Executor(base_executor.BaseExecutor):
    """Publishes a version with newer effects, unless a gate refuses it."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Updates the effects, and writes the summary into the artifact `effects_update`.

        Raises:
            EffectsUpdateError: no model serves, or it was exported with other effects.
            FeedLogError: a new day of the feed log is invalid.
            NotConvergedError: the regression of an entity did not converge.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = from_json(PipelineConfig, exec_properties["config"])
        summary = update_serving_effects(config, exec_properties["feed_log"], exec_properties["push_destination"])
        artifact = artifact_utils.get_single_instance(output_dict["effects_update"])
        write_text(Path(artifact.uri, SUMMARY_FILE), write_json(summary, indent=2) + "\n")
        for verdict in summary.verdicts:
            logging.info("%s", verdict.text)
        if summary.not_pushed is not None:
            logging.warning("nothing was published: %s", summary.not_pushed)
            artifact.set_string_custom_property(NOT_PUSHED, summary.not_pushed)
        else:
            logging.info("effects of version %s updated, pushed to %s", summary.serving, summary.pushed_model)
