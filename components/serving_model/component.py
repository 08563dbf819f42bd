"""ServingModel: the model now serving → a Model artifact, for a comparison and for warm starts."""

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
    """Does what a Resolver of the latest blessed model does, on orchestrators that have no Resolvers.

    The Model artifact is a copy, so that it outlives the version's removal from the push destination. Its custom
    property `present` is 1, or 0 where nothing serves yet: not every orchestrator can pass on no artifact at all, so
    there is one, and its folder is empty. The property `version` is the number of the version, or "none".

    Args:
        push_destination: path or URI of the folder of versions.
        version: the version to emit; "none" for no model, "" to look up the newest one when the component runs. The
            cache sees only what is passed here, so where results are cached, look it up before with
            `ranker.registry.versions.find_serving_version`.
        examples: FeedLogGen's examples; only the fingerprint of their data is read.
        day: the day held out. Day, recipe, data and start identify the training of this run, whose own model a look-up
            at run time passes over; they are not needed where the version is named.
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
        day: str | RuntimeParameter = "",
        recipe: str = "",
        training_start: channel.BaseChannel | None = None,
    ) -> None:
        super().__init__(
            ServingModelSpec(
                push_destination=push_destination,
                version=version,
                day=day,
                recipe=recipe,
                examples=examples,
                training_start=training_start,
                code_fingerprint=code_fingerprint("components.serving_model.executor"),
                model=channel.Channel(type=standard_artifacts.Model),
            )
        )
