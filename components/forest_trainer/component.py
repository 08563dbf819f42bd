"""ForestTrainer: transformed examples → an XGBoost forest with numbered leaves."""

import json
from collections.abc import Sequence

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel, component_spec, standard_artifacts

from components.artifacts import ForestArtifact, TrainingStartArtifact
from components.forest_trainer.executor import Executor
from ranker.config.documents import to_json
from ranker.config.forest import Forest
from ranker.identity.code import code_fingerprint


class ForestTrainerSpec(component_spec.ComponentSpec):
    """ForestTrainer's parameters, input and output."""

    PARAMETERS = {
        "config": component_spec.ExecutionParameter(type=str),
        "feature_names": component_spec.ExecutionParameter(type=str),
        "objective_names": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "transformed_examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "training_start": component_spec.ChannelParameter(type=TrainingStartArtifact, optional=True),
    }
    OUTPUTS = {"forest": component_spec.ChannelParameter(type=ForestArtifact)}


class ForestTrainer(base_component.BaseComponent):
    """Fits the forest to the split train, some of its viewers held out to stop early.

    Where the training goes on from an earlier one, it takes over that one's forest instead, since leaves of another
    would mean nothing to its towers, and counts the split train into the leaves' values (`ranker.forest.refresh`).

    Args:
        transformed_examples: Transform's materialised examples.
        config: the forest's settings.
        feature_names: the columns of the tensor `forest_features`, in order.
        objective_names: the columns of the tensor `labels`, in order.
        training_start: TrainingStart's channel; without it the forest is fitted.
    """

    SPEC_CLASS = ForestTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        transformed_examples: channel.BaseChannel,
        config: Forest,
        feature_names: Sequence[str],
        objective_names: Sequence[str],
        training_start: channel.BaseChannel | None = None,
    ) -> None:
        super().__init__(
            ForestTrainerSpec(
                transformed_examples=transformed_examples,
                training_start=training_start,
                config=to_json(config),
                feature_names=json.dumps(list(feature_names)),
                objective_names=json.dumps(list(objective_names)),
                code_fingerprint=code_fingerprint("components.forest_trainer.executor"),
                forest=channel.Channel(type=ForestArtifact),
            )
        )
