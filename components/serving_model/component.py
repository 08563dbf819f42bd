"""ServingModel: a pushed model → a Model artifact, the baseline of the evaluation."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import channel, component_spec, standard_artifacts

from components.artifacts import TrainingStartArtifact
from components.serving_model.executor import Executor
from ranker.identity.code import code_fingerprint


class ServingModelSpec(component_spec.ComponentSpec):
    """ServingModel's parameters and its output."""

    PARAMETERS = {
        "push_destination": component_spec.ExecutionParameter(type=str),
        "version": component_spec.ExecutionParameter(type=str),
        "reason": component_spec.ExecutionParameter(type=str),
        "day": component_spec.ExecutionParameter(type=str),
        "recipe": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "training_start": component_spec.ChannelParameter(type=TrainingStartArtifact, optional=True),
    }
    OUTPUTS = {"model": component_spec.ChannelParameter(type=standard_artifacts.Model)}


class ServingModel(base_component.BaseComponent):
    """Replaces a Resolver of the latest blessed model, on orchestrators without Resolvers.

    The Model artifact is a copy, so it remains when the version is removed from the push destination. Its custom
    property `present` is 1, or 0 if there is none. Then the artifact's folder is empty: not every orchestrator supports
    an output without an artifact. The property `version` is the version number, or "none", and `baseline_reason` says
    why it is not the version that serves; see `ranker.registry.baseline`.

    Args:
        push_destination: path or URI of the folder of versions.
        version: the version to emit; "none" for no model, "" to choose one at run time. The cache key contains only
            what is passed here. So with the cache enabled, choose it before with
            `ranker.registry.baseline.choose_baseline`.
        reason: why it is not the version that serves; ignored if `version` is "".
        examples: FeedLogGen's examples; only the fingerprint of their data is read.
        day: the held-out day. Day, recipe, data and start identify the training of this run. A choice at run time
            skips the model of this training. They are not needed if `version` names a version.
        recipe: fingerprint of config, schema and code.
        training_start: TrainingStart's channel; without it the training starts cold.
    """

    SPEC_CLASS = ServingModelSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
    READS_BEYOND_INPUTS = True

    def __init__(
        self,
        push_destination: str | RuntimeParameter,
        examples: channel.BaseChannel,
        version: str | RuntimeParameter = "",
        reason: str = "",
        day: str | RuntimeParameter = "",
        recipe: str = "",
        training_start: channel.BaseChannel | None = None,
    ) -> None:
        super().__init__(
            ServingModelSpec(
                push_destination=push_destination,
                version=version,
                reason=reason,
                day=day,
                recipe=recipe,
                examples=examples,
                training_start=training_start,
                code_fingerprint=code_fingerprint("components.serving_model.executor"),
                model=channel.Channel(type=standard_artifacts.Model),
            )
        )
