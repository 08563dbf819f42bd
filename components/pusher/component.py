"""Pusher: model and blessing → a numbered version, if blessed, not withdrawn, and of the config that serves."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.proto import pusher_pb2
from tfx.types import channel, component_spec, standard_artifacts
from tfx.types import standard_component_specs as specs

from components.pusher.executor import DESTINATION_STATE, PUBLISH_WITHDRAWN, PUSH, REPLACES, Executor
from ranker.identity.code import code_fingerprint


class PusherSpec(component_spec.ComponentSpec):
    """Pusher's parameters, inputs and outputs."""

    PARAMETERS = {
        specs.PUSH_DESTINATION_KEY: component_spec.ExecutionParameter(type=pusher_pb2.PushDestination),
        "keep_models": component_spec.ExecutionParameter(type=int),
        PUBLISH_WITHDRAWN: component_spec.ExecutionParameter(type=str),
        PUSH: component_spec.ExecutionParameter(type=str),
        REPLACES: component_spec.ExecutionParameter(type=str),
        DESTINATION_STATE: component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        specs.MODEL_KEY: component_spec.ChannelParameter(type=standard_artifacts.Model),
        specs.MODEL_BLESSING_KEY: component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }
    OUTPUTS = {specs.PUSHED_MODEL_KEY: component_spec.ChannelParameter(type=standard_artifacts.PushedModel)}


class Pusher(base_component.BaseComponent):
    """Pushes a model to a folder of versions, as TFX's Pusher does; a partly copied model is never visible there.

    A model that a rollback withdrew is not pushed again unless `publish_withdrawn` requests it. A model of another
    config, or of a later day, is not replaced unless `replaces` names its config. The pushed model's string custom
    property `not_pushed` then says why nothing was pushed.

    Args:
        model: a Model channel.
        model_blessing: a ModelBlessing channel; without the blessing nothing is pushed.
        push_destination: the folder of versions, as `filesystem.base_directory`.
        keep_models: number of newest versions that are kept after a push.
        publish_withdrawn: "true" also pushes a withdrawn model, which is then not withdrawn any more.
        push: "false" pushes nothing, blessed or not.
        replaces: the name of a config whose serving model may be replaced; "" for none. See
            `ranker.registry.replacement`.
        destination_state: what the push depends on at the destination, for the cache key; see
            `ranker.registry.withdrawal.destination_state`. The version that it names is replaced even if it is of a
            later day. With the cache disabled it is not needed.

    Raises:
        ValueError: the destination is of another kind.
    """

    SPEC_CLASS = PusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
    READS_BEYOND_INPUTS = True

    def __init__(
        self,
        model: channel.BaseChannel,
        model_blessing: channel.BaseChannel,
        push_destination: pusher_pb2.PushDestination,
        keep_models: int,
        publish_withdrawn: str | RuntimeParameter = "false",
        push: str | RuntimeParameter = "true",
        replaces: str | RuntimeParameter = "",
        destination_state: str = "",
    ) -> None:
        if not push_destination.filesystem.base_directory:
            raise ValueError(f"push_destination: filesystem.base_directory is needed, got {push_destination}")
        super().__init__(
            PusherSpec(
                model=model,
                model_blessing=model_blessing,
                push_destination=push_destination,
                keep_models=keep_models,
                publish_withdrawn=publish_withdrawn,
                push=push,
                replaces=replaces,
                destination_state=destination_state,
                code_fingerprint=code_fingerprint("components.pusher.executor"),
                pushed_model=channel.Channel(type=standard_artifacts.PushedModel),
            )
        )
