"""Transform: Examples and schema → the Transform graph and transformed Examples."""

from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import channel, component_spec, standard_artifacts
from tfx.utils import json_utils

from components.artifacts import TrainingStartArtifact
from components.transform.executor import Executor
from ranker.identity.code import code_fingerprint


class TransformSpec(component_spec.ComponentSpec):
    """The part of TFX's Transform that the pipeline uses, the start of the training, and a fingerprint of the code."""

    PARAMETERS = {
        "preprocessing_fn": component_spec.ExecutionParameter(type=str),
        "custom_config": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "schema": component_spec.ChannelParameter(type=standard_artifacts.Schema),
        "training_start": component_spec.ChannelParameter(type=TrainingStartArtifact, optional=True),
    }
    OUTPUTS = {
        "transform_graph": component_spec.ChannelParameter(type=standard_artifacts.TransformGraph),
        "transformed_examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
    }


class Transform(base_beam_component.BaseBeamComponent):
    """Analyses the split train and transforms all splits, as TFX's Transform does.

    If the training continues from an earlier one, nothing is analysed: the rows are transformed with the earlier graph,
    so every feature has the same meaning for the earlier forest and towers. TFX's own component cannot do that.

    Two outputs of TFX's own component are omitted: the statistics of the transformed data, which no component reads,
    and the analyzers' cache, which pays off only over many spans.

    Args:
        examples: FeedLogGen's examples.
        schema: the feed log's schema.
        preprocessing_fn: the function's dotted name.
        custom_config: passed to the function; contains a fingerprint of its code, for the cache key.
        training_start: TrainingStart's channel; without it the split train is analysed.
    """

    SPEC_CLASS = TransformSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        examples: channel.BaseChannel,
        schema: channel.BaseChannel,
        preprocessing_fn: str,
        custom_config: Mapping[str, Any],
        training_start: channel.BaseChannel | None = None,
    ) -> None:
        super().__init__(
            TransformSpec(
                examples=examples,
                schema=schema,
                training_start=training_start,
                preprocessing_fn=preprocessing_fn,
                custom_config=json_utils.dumps(dict(custom_config)),
                code_fingerprint=code_fingerprint("components.transform.executor"),
                transform_graph=channel.Channel(type=standard_artifacts.TransformGraph),
                transformed_examples=channel.Channel(type=standard_artifacts.Examples),
            )
        )
