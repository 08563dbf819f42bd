"""Evaluator: metrics with intervals per objective and slice, the gates, and the blessing that Pusher waits for."""

import json

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import channel, component_spec, standard_artifacts

from components.artifacts import ForestArtifact
from components.evaluator.executor import Executor
from ranker.config.documents import to_json
from ranker.config.pipeline import PipelineConfig
from ranker.evaluation.session_sums import UtilityWeights
from ranker.identity.code import code_fingerprint


class EvaluatorSpec(component_spec.ComponentSpec):
    """Evaluator's parameters, inputs and outputs."""

    PARAMETERS = {
        "viewer_key": component_spec.ExecutionParameter(type=str),
        "session_key": component_spec.ExecutionParameter(type=str),
        "utility": component_spec.ExecutionParameter(type=str),
        "slices": component_spec.ExecutionParameter(type=str),
        "gates": component_spec.ExecutionParameter(type=str),
        "features": component_spec.ExecutionParameter(type=str),
        "vouched": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "baseline_model": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
        "transformed_examples": component_spec.ChannelParameter(type=standard_artifacts.Examples, optional=True),
        "forest": component_spec.ChannelParameter(type=ForestArtifact, optional=True),
    }
    OUTPUTS = {
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class Evaluator(base_beam_component.BaseBeamComponent):
    """Scores the split eval with the candidate and the baseline, in one pass, and applies the gates.

    `evaluation` is an ordinary TFMA result: `tfma.load_metrics` and `tfma.load_eval_result` read it, with the models
    named `candidate` and `baseline`. It also contains `gates.json` with every metric, interval and verdict; see
    `ranker.evaluation.evaluation.Evaluation`. `blessing` has the format of TFX's own Evaluator.

    If the baseline itself is why it cannot be compared with (a signature or an input that it lacks, or files that
    cannot be read), it is dropped, with the reason in `gates.json`. The candidate is then judged by the absolute gates
    only, as the first model is, or blocked if `gates.baseline_required` is set. Any other failure, such as memory or
    disk that is used up, fails the component. Objectives that both models predict are compared.

    Every feature column is also looked at alone. One that almost tells an outcome is named in `gates.json`, and blocks
    the candidate if the baseline does not read it and the config does not vouch for it; see
    `ranker.evaluation.leakage`. `gates.json` also has the metrics of the forest alone and of the base rate.

    Args:
        examples: FeedLogGen's examples.
        model: the candidate, with the signature `serving_default`.
        baseline_model: ServingModel's model; its int custom property `present` is 0 if there is no baseline.
        transformed_examples: Transform's examples; without them no column is looked at.
        forest: the candidate's forest; without it no column is looked at.
        config: objectives, features, keys, slices, gates and utility are used.
    """

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        examples: channel.BaseChannel,
        model: channel.BaseChannel,
        config: PipelineConfig,
        baseline_model: channel.BaseChannel | None = None,
        transformed_examples: channel.BaseChannel | None = None,
        forest: channel.BaseChannel | None = None,
    ) -> None:
        super().__init__(
            EvaluatorSpec(
                examples=examples,
                model=model,
                baseline_model=baseline_model,
                transformed_examples=transformed_examples,
                forest=forest,
                viewer_key=config.example_keys.viewer,
                session_key=config.example_keys.session,
                utility=to_json(UtilityWeights.of(config.utility, config.objectives)),
                slices=json.dumps(config.slices),
                gates=to_json(config.gates),
                features=to_json(config.features),
                vouched=json.dumps(config.features.vouched),
                code_fingerprint=code_fingerprint("components.evaluator.executor"),
                evaluation=channel.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=channel.Channel(type=standard_artifacts.ModelBlessing),
            )
        )
