"""EffectsTrainer: a model, and impressions that pushed models have not seen → the model with random effects."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import channel, component_spec, standard_artifacts

from components.effects_trainer.executor import BeamExecutor, Executor
from ranker.config.documents import to_json
from ranker.config.pipeline import PipelineConfig
from ranker.identity.code import code_fingerprint


class EffectsTrainerSpec(component_spec.ComponentSpec):
    """EffectsTrainer's parameters, inputs and output."""

    PARAMETERS = {
        "push_destination": component_spec.ExecutionParameter(type=str),
        "plan": component_spec.ExecutionParameter(type=str),
        "eval_day": component_spec.ExecutionParameter(type=str),
        "objectives": component_spec.ExecutionParameter(type=str),
        "features": component_spec.ExecutionParameter(type=str),
        "keys": component_spec.ExecutionParameter(type=str),
        "effects": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "schema": component_spec.ChannelParameter(type=standard_artifacts.Schema),
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
    }
    OUTPUTS = {"model_with_effects": component_spec.ChannelParameter(type=standard_artifacts.Model)}


class EffectsTrainer(base_component.BaseComponent):
    """Fits the effects of viewers, authors and items on the split train, and emits the model with them.

    The log-odds that effects are added to must not have learnt from the impressions that the effects are fitted on. So
    each day's offsets come from the model that was pushed before that day, and days before any pushed model are left
    out; the very first model has no effects. Effects of an earlier model are continued: only newer impressions are
    read, and what is known of an entity is the prior of its regression.

    With `Effects.beam` all of this is a Beam job; otherwise it is done in the component's process.

    `model_with_effects` has the graph and the weights of `model`, byte for byte.

    Args:
        examples: FeedLogGen's examples; the split train is read.
        schema: the feed log's schema.
        model: TowerTrainer's model, of the same config.
        config: objectives, features, keys and effects are used.
        push_destination: path or URI of the folder of versions.
        eval_day: the held-out day, YYYY-MM-DD or another form that `ranker.feed_log.day` reads.
        plan: an `EffectsPlan` as JSON: the versions to read. The cache key contains only what is passed here. So with
            the cache enabled, make it before with `ranker.registry.effects_plan.plan_effects`; "" makes it at run time.
    """

    SPEC_CLASS = EffectsTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
    READS_BEYOND_INPUTS = True

    def __init__(
        self,
        examples: channel.BaseChannel,
        schema: channel.BaseChannel,
        model: channel.BaseChannel,
        config: PipelineConfig,
        push_destination: str | RuntimeParameter,
        eval_day: str | RuntimeParameter,
        plan: str = "",
    ) -> None:
        if config.effects is None:
            raise ValueError(f"config {config.name!r}: it has no effects to fit")
        super().__init__(
            EffectsTrainerSpec(
                examples=examples,
                schema=schema,
                model=model,
                push_destination=push_destination,
                plan=plan,
                eval_day=eval_day,
                objectives=to_json(config.objective_names),
                features=to_json(config.features),
                keys=to_json(config.example_keys),
                effects=to_json(config.effects),
                code_fingerprint=code_fingerprint("components.effects_trainer.executor"),
                model_with_effects=channel.Channel(type=standard_artifacts.Model),
            ),
            # A Beam component needs the job service and artifacts that workers can reach, and its cache key has
            # Beam's arguments.
            executor_spec.BeamExecutorSpec(BeamExecutor) if config.effects.beam else None,
        )
