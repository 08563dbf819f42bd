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
    """Trains the forest on the split train, with some viewers held out for early stopping.

    If the training continues from an earlier one, it reuses the earlier forest, because the earlier towers cannot use
    the leaves of another forest. It refreshes the leaf values with the split train (`ranker.forest.refresh`), and adds
    trees grown on the splits train and replay (`ranker.forest.added`).

    Args:
        transformed_examples: Transform's materialised examples.
        config: the forest's config.
        feature_names: the columns of the tensor `forest_features`, in order.
        objective_names: the columns of the tensor `labels`, in order.
        training_start: TrainingStart's channel; without it a new forest is trained.
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
