"""CalibrationReport: outputs of the other components → one HTML page."""

import json

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel, component_spec, standard_artifacts

from components.artifacts import CalibrationReportArtifact, ForestArtifact
from components.calibration_report.executor import Executor
from ranker.config.documents import to_json
from ranker.config.pipeline import PipelineConfig
from ranker.identity.code import code_fingerprint


class CalibrationReportSpec(component_spec.ComponentSpec):
    """CalibrationReport's parameters, inputs and output."""

    PARAMETERS = {
        "features": component_spec.ExecutionParameter(type=str),
        "gates": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "statistics": component_spec.ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "anomalies": component_spec.ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        "forest": component_spec.ChannelParameter(type=ForestArtifact),
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_run": component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "pushed_model": component_spec.ChannelParameter(type=standard_artifacts.PushedModel, optional=True),
    }
    OUTPUTS = {"report": component_spec.ChannelParameter(type=CalibrationReportArtifact)}


class CalibrationReport(base_component.BaseComponent):
    """Renders the page, whether or not the model was blessed.

    No component depends on it. Its input `pushed_model` makes it run after the Pusher, so an error in the page cannot
    prevent the push.

    Args:
        examples: FeedLogGen's examples; only their properties are read.
        statistics: of the splits train and eval.
        anomalies: ExampleValidator's anomalies.
        forest: with its training curve.
        model: with its manifest.
        model_run: the towers' training history.
        evaluation: the Evaluator's document.
        config: features and gates are used.
        pushed_model: the Pusher's output, with the pushed version.
    """

    SPEC_CLASS = CalibrationReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        examples: channel.BaseChannel,
        statistics: channel.BaseChannel,
        anomalies: channel.BaseChannel,
        forest: channel.BaseChannel,
        model: channel.BaseChannel,
        model_run: channel.BaseChannel,
        evaluation: channel.BaseChannel,
        config: PipelineConfig,
        pushed_model: channel.BaseChannel | None = None,
    ) -> None:
        super().__init__(
            CalibrationReportSpec(
                examples=examples,
                statistics=statistics,
                anomalies=anomalies,
                forest=forest,
                model=model,
                model_run=model_run,
                evaluation=evaluation,
                pushed_model=pushed_model,
                features=json.dumps(config.features.names),
                gates=to_json(config.gates),
                code_fingerprint=code_fingerprint("components.calibration_report.executor"),
                report=channel.Channel(type=CalibrationReportArtifact),
            )
        )
