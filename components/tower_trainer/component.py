"""TowerTrainer: leaf examples, the forest and the Transform graph → a SavedModel."""

import json
from collections.abc import Mapping
from types import MappingProxyType

from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import channel, component_spec, standard_artifacts

from components.artifacts import ForestArtifact, TrainingStartArtifact
from components.tower_trainer.executor import Executor
from ranker.config.documents import to_json
from ranker.config.pipeline import PipelineConfig
from ranker.identity.code import code_fingerprint


class TowerTrainerSpec(component_spec.ComponentSpec):
    """TowerTrainer's parameters, inputs and outputs."""

    PARAMETERS = {
        "config_name": component_spec.ExecutionParameter(type=str),
        "objectives": component_spec.ExecutionParameter(type=str),
        "features": component_spec.ExecutionParameter(type=str),
        "keys": component_spec.ExecutionParameter(type=str),
        "timestamps": component_spec.ExecutionParameter(type=str),
        "rows": component_spec.ExecutionParameter(type=str),
        "towers": component_spec.ExecutionParameter(type=str),
        "training": component_spec.ExecutionParameter(type=str),
        "retraining": component_spec.ExecutionParameter(type=str),
        "examination": component_spec.ExecutionParameter(type=str),
        "effects": component_spec.ExecutionParameter(type=str),
        "utility": component_spec.ExecutionParameter(type=str),
        "serving": component_spec.ExecutionParameter(type=str),
        "parts": component_spec.ExecutionParameter(type=str),
        "eval_day": component_spec.ExecutionParameter(type=str),
        "recipe": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "leaf_examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "forest": component_spec.ChannelParameter(type=ForestArtifact),
        "transform_graph": component_spec.ChannelParameter(type=standard_artifacts.TransformGraph),
        "schema": component_spec.ChannelParameter(type=standard_artifacts.Schema),
        "training_start": component_spec.ChannelParameter(type=TrainingStartArtifact, optional=True),
    }
    OUTPUTS = {
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_run": component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
    }


class TowerTrainer(base_component.BaseComponent):
    """Trains the two-tower network on the split train, and exports it with everything that serving needs.

    If the training continues from an earlier one, it starts from the earlier weights, and also reads the split replay.
    An incremental update is regularised towards the earlier weights. The model contains the state that a later training
    continues from (`ranker.export.training_state`).

    `model` contains a SavedModel on raw features: Transform graph, forest and towers in one graph of plain TensorFlow
    ops, with the signatures of `ranker.export.module.FeedRanker` and the manifest `assets.extra/feed_ranker.json`.
    `model_run` contains `history.json` (see `ranker.towers.history`) and event files in the folder `tensorboard`.

    Args:
        examples: FeedLogGen's examples; only the fingerprint and the days of their data are read.
        leaf_examples: LeafEncoder's examples.
        forest: the forest that encoded them.
        transform_graph: Transform's graph.
        schema: the feed log's schema.
        config: name, objectives, features, keys, timestamps, rows, towers, training, retraining, examination, effects,
            utility and serving are used. With effects, the model has room for them and none yet: EffectsTrainer fits
            them.
        eval_day: the held-out day, YYYY-MM-DD or another form that `ranker.feed_log.day` reads; written into the
            manifest.
        recipe: fingerprint of the config, schema and code of the training (`ranker.identity.recipe`). Together with the
            day, the data and the start it is the identity of the training, which is written into the manifest.
        parts: digests of the config and code that must not change under a warm start, by name; written into the
            manifest.
        training_start: TrainingStart's channel; without it the towers start cold.
    """

    SPEC_CLASS = TowerTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        examples: channel.BaseChannel,
        leaf_examples: channel.BaseChannel,
        forest: channel.BaseChannel,
        transform_graph: channel.BaseChannel,
        schema: channel.BaseChannel,
        config: PipelineConfig,
        eval_day: str | RuntimeParameter,
        recipe: str = "",
        parts: Mapping[str, str] = MappingProxyType({}),
        training_start: channel.BaseChannel | None = None,
    ) -> None:
        super().__init__(
            TowerTrainerSpec(
                examples=examples,
                leaf_examples=leaf_examples,
                forest=forest,
                transform_graph=transform_graph,
                schema=schema,
                training_start=training_start,
                config_name=config.name,
                objectives=to_json(config.objectives),
                features=to_json(config.features),
                keys=to_json(config.keys),
                timestamps=to_json(config.timestamps),
                rows=to_json(config.rows),
                towers=to_json(config.towers),
                training=to_json(config.training),
                retraining=to_json(config.retraining),
                examination=to_json(config.examination) if config.examination else "",
                effects=to_json(config.effects.in_one_process) if config.effects else "",
                utility=to_json(config.utility),
                serving=to_json(config.serving),
                parts=json.dumps(dict(parts), sort_keys=True),
                eval_day=eval_day,
                recipe=recipe,
                code_fingerprint=code_fingerprint("components.tower_trainer.executor"),
                model=channel.Channel(type=standard_artifacts.Model),
                model_run=channel.Channel(type=standard_artifacts.ModelRun),
            )
        )
