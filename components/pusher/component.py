"""Pusher: model and blessing → a numbered version, only when blessed."""

from tfx.components import Pusher as StockPusher
from tfx.dsl.components.base import executor_spec
from tfx.proto import pusher_pb2
from tfx.types import BaseChannel

from components.pusher.executor import KEEP_MODELS, Executor
from ranker.identity.code import code_fingerprint


class Pusher(StockPusher):
    """TFX's Pusher to a folder of versions; a partly copied model is never visible there.

    Args:
        model: a Model channel.
        model_blessing: a ModelBlessing channel; without the blessing nothing is pushed.
        push_destination: the folder of versions, as `filesystem.base_directory`.
        keep_models: number of newest versions that are kept after a push.

    Raises:
        ValueError: the destination is of another kind.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: BaseChannel,
        model_blessing: BaseChannel,
        push_destination: pusher_pb2.PushDestination,
        keep_models: int,
    ) -> None:
        if not push_destination.filesystem.base_directory:
            raise ValueError(f"push_destination: filesystem.base_directory is needed, got {push_destination}")
        super().__init__(
            model=model,
            model_blessing=model_blessing,
            push_destination=push_destination,
            custom_config={
                KEEP_MODELS: keep_models,
                "code_fingerprint": code_fingerprint("components.pusher.executor"),
            },
        )
