"""EffectsUpdater: the newest impressions of the feed log → a version with newer random effects."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import channel, component_spec

from components.artifacts import EffectsUpdateArtifact
from components.effects_updater.executor import Executor
from ranker.config.documents import to_json
from ranker.config.pipeline import PipelineConfig
from ranker.identity.code import code_fingerprint


class EffectsUpdaterSpec(component_spec.ComponentSpec):
    """EffectsUpdater's parameters and output."""

    PARAMETERS = {
        "config": component_spec.ExecutionParameter(type=str),
        "feed_log": component_spec.ExecutionParameter(type=str),
        "push_destination": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: dict[str, component_spec.ChannelParameter] = {}
    OUTPUTS = {"effects_update": component_spec.ChannelParameter(type=EffectsUpdateArtifact)}


class EffectsUpdater(base_component.BaseComponent):
    """Updates the random effects of the serving model, as `local_runner.py --effects` does.

    An update that a gate refuses is not published, and neither is one without new impressions; the artifact says so.

    Args:
        config: the config of the model that serves.
        feed_log: path or URI of the feed log.
        push_destination: path or URI of the folder of versions.

    Raises:
        ValueError: the config has no effects.
    """

    SPEC_CLASS = EffectsUpdaterSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
    READS_BEYOND_INPUTS = True

    def __init__(self, config: PipelineConfig, feed_log: str | RuntimeParameter, push_destination: str) -> None:
        if config.effects is None:
            raise ValueError(f"config {config.name!r}: it has no effects; set PipelineConfig.effects")
        super().__init__(
            EffectsUpdaterSpec(
                config=to_json(config),
                feed_log=feed_log,
                push_destination=push_destination,
                code_fingerprint=code_fingerprint("components.effects_updater.executor"),
                effects_update=channel.Channel(type=EffectsUpdateArtifact),
            )
        )
