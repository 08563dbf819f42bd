"""Compiles the pipeline to a file that open-source Kubeflow Pipelines 2.x runs."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig
from tfx.orchestration.pipeline import Pipeline
from tfx.utils import name_utils

from components.batch_scorer.component import BatchScorer
from pipeline.beam import beam_args
from pipeline.effects import create_effects_pipeline
from pipeline.kubeflow.image import check_image
from pipeline.kubeflow.platform import platform_spec
from pipeline.kubeflow.spec import (
    Parameter,
    describe_parameters,
    name_artifact_classes,
    notify_at_exit,
    pass_scheduled_time,
    report_reasons,
    set_resources,
    switch_caching_off,
)
from pipeline.pipeline import create_pipeline, local_name
from ranker.config.kubeflow import MAX_PIPELINE_NAME, Kubeflow
from ranker.config.pipeline import PipelineConfig
from ranker.files import write_text

ENTRYPOINT = ("python", "-m", "pipeline.kubeflow.entrypoint")
DAY = "day"
FEED_LOG = "feed_log"
PUBLISH_WITHDRAWN = "publish_withdrawn"
PUSH = "push"
REPLACES = "replaces"
SCORES = "scores"

# No config can have this name. An empty default would be a missing value on KFP's web page (kubeflow/pipelines#11515).
NO_CONFIG = "(none)"

# Components that only a config with effects has, and those of the pipelines that update effects and that score.
_OTHER_COMPONENTS = ("EffectsTrainer", "EffectsUpdater", "BatchScorer")


@dataclass(frozen=True)
class Compiled:
    """A compiled pipeline.

    Attributes:
        pipeline_spec: `ml_pipelines.PipelineSpec` in its JSON form.
        platform_spec: `ml_pipelines.PlatformSpec` in its JSON form, or None.
    """

    pipeline_spec: dict[str, Any]
    platform_spec: dict[str, Any] | None

    def write(self, path: Path) -> None:
        """Writes one YAML document, or two, atomically."""
        documents = [document for document in (self.pipeline_spec, self.platform_spec) if document]
        # Folded lines would move with every change of a value.
        write_text(path, yaml.safe_dump_all(documents, sort_keys=True, width=float("inf")))


def compile_pipeline(
    config: PipelineConfig, image: str, feed_log: str, day: date | None = None, cache: bool = True
) -> Compiled:
    """Compiles what `create_pipeline` returns.

    A run's parameters are day, feed log, `publish_withdrawn`, `push` and `replaces`.

    Args:
        config: what to learn, and what to ask of the cluster.
        image: the container image that every component runs in; see `pipeline.kubeflow.image.check_image`.
        feed_log: the default of the parameter `feed_log`, a path in the containers or a URI.
        day: the default of the parameter `day`; None makes it a required one.
        cache: reuse what components wrote before, where the cluster's cache can see all that they read.

    Raises:
        ValueError: an image that can change under its name, settings for a component that is not there, or Beam
            arguments that cannot work.
    """
    kubeflow = config.kubeflow
    pipeline = create_pipeline(
        config,
        feed_log=RuntimeParameter(FEED_LOG, str),
        day=RuntimeParameter(DAY, str),
        pipeline_root=kubeflow.pipeline_root or "",
        push_destination=push_destination(config),
        publish_withdrawn=RuntimeParameter(PUBLISH_WITHDRAWN, str),
        push=RuntimeParameter(PUSH, str),
        replaces=RuntimeParameter(REPLACES, str),
        verdict=True,
        beam_pipeline_args=beam_args(config.beam_pipeline_args),
        enable_cache=cache,
    )
    parameters = {
        DAY: _day("The day to evaluate on", day),
        FEED_LOG: _feed_log(feed_log),
        PUBLISH_WITHDRAWN: Parameter('"true" publishes the model even if a rollback withdrew it.', "false"),
        PUSH: Parameter('"false" publishes nothing; the run then fails if the model is not blessed.', "true"),
        REPLACES: Parameter("The config whose model may be replaced, if another's or of a later day.", NO_CONFIG),
    }
    return _compiled(pipeline, kubeflow, image, pipeline_name(config), parameters, _OTHER_COMPONENTS)


def compile_effects(config: PipelineConfig, image: str, feed_log: str) -> Compiled:
    """Compiles what `create_effects_pipeline` returns; a run's only parameter is its feed log.

    Args:
        config: the config of the model that serves.
        image, feed_log: as for `compile_pipeline`.

    Raises:
        ValueError: the config has no effects, or the image can change under its name.
    """
    pipeline = create_effects_pipeline(
        config,
        feed_log=RuntimeParameter(FEED_LOG, str),
        pipeline_root=config.kubeflow.pipeline_root or "",
        push_destination=push_destination(config),
    )
    return _compiled_alone(pipeline, config, image, {FEED_LOG: _feed_log(feed_log)})


def compile_scoring(
    config: PipelineConfig, image: str, feed_log: str, scores: str, day: date | None = None
) -> Compiled:
    """Compiles a pipeline that scores a day with the newest pushed model: BatchScorer, and nothing else.

    Args:
        config: says where the pushed models are, how Beam runs, and what to ask of the cluster.
        image: as for `compile_pipeline`.
        feed_log: the default of the parameter `feed_log`.
        scores: the default of the parameter `scores`, the folder that gets a folder of scores per day.
        day: the default of the parameter `day`; None makes it a required one.

    Raises:
        ValueError: as for `compile_pipeline`.
    """
    scorer = BatchScorer(
        push_destination=push_destination(config),
        feed_log=RuntimeParameter(FEED_LOG, str),
        day=RuntimeParameter(DAY, str),
        scores=RuntimeParameter(SCORES, str),
    )
    pipeline = Pipeline(
        pipeline_name=f"{config.name}-scores",
        pipeline_root=config.kubeflow.pipeline_root or "",
        components=[scorer],
        beam_pipeline_args=list(beam_args(config.beam_pipeline_args)),
    )
    parameters = {
        DAY: _day("The day to score", day),
        FEED_LOG: _feed_log(feed_log),
        SCORES: Parameter("The folder that gets a folder of scores per day, a path or a URI.", scores),
    }
    return _compiled_alone(pipeline, config, image, parameters)


def _compiled_alone(
    pipeline: Pipeline, config: PipelineConfig, image: str, parameters: Mapping[str, Parameter]
) -> Compiled:
    """Compiles a pipeline of one component, which is named after the config and what it does."""
    name = pipeline.pipeline_info.pipeline_name
    if len(name) > MAX_PIPELINE_NAME:
        name = f"{config.name}-{name.rpartition('-')[2]}"[-MAX_PIPELINE_NAME:].lstrip("-")
    # The settings may name any component of the complete pipeline, which checks them.
    return _compiled(pipeline, config.kubeflow, image, name, parameters, config.kubeflow.named_components())


def _day(what: str, day: date | None) -> Parameter:
    return Parameter(f"{what}, YYYY-MM-DD.", day.isoformat() if day else None)


def _feed_log(feed_log: str) -> Parameter:
    return Parameter("The folder of day folders, a path in the containers or a URI.", feed_log)


def _compiled(
    pipeline: Pipeline,
    kubeflow: Kubeflow,
    image: str,
    name: str,
    parameters: Mapping[str, Parameter],
    other_components: Collection[str],
) -> Compiled:
    """Compiles a pipeline.

    Args:
        pipeline: what to compile.
        kubeflow: what to ask of the cluster.
        image: of every component.
        name: the pipeline's on the cluster.
        parameters: of a run.
        other_components: names that the settings may have although the pipeline does not have such a component.
    """
    runner_config = KubeflowV2DagRunnerConfig(
        default_image=check_image(image), default_commands=list(ENTRYPOINT), use_pipeline_spec_2_1=True
    )
    spec = KubeflowV2DagRunner(runner_config).run(pipeline, write_out=False)["pipelineSpec"]
    spec["pipelineInfo"]["name"] = name
    describe_parameters(spec, parameters)
    name_artifact_classes(spec, _artifact_classes(pipeline))
    switch_caching_off(spec, _not_cacheable(pipeline))
    pass_scheduled_time(spec, DAY)
    set_resources(spec, kubeflow)
    if kubeflow.notification and kubeflow.notification.reasons:
        report_reasons(spec, kubeflow.notification)
    if kubeflow.notification:
        notify_at_exit(spec, kubeflow.notification, image)
    if kubeflow.pipeline_root:
        # The backend does not read it; `submit` and `schedule` send it with every run.
        spec["defaultPipelineRoot"] = kubeflow.pipeline_root
    components = [component.id for component in pipeline.components]
    return Compiled(spec, platform_spec(kubeflow, components, other_components))


def push_destination(config: PipelineConfig) -> str:
    """Where a pipeline on the cluster pushes blessed models."""
    return config.kubeflow.push_destination or f"/models/{config.name}"


def pipeline_name(config: PipelineConfig) -> str:
    """The pipeline's name on the cluster: the local one, or the config's alone if that would be too long for pods."""
    name = local_name(config)
    return name if len(name) <= MAX_PIPELINE_NAME else config.name


def with_overrides(config: PipelineConfig, push_destination: str | None, pipeline_root: str | None) -> PipelineConfig:
    """The config with these settings for Kubeflow, where they are named, in place of its own."""
    kubeflow = config.kubeflow
    named = replace(
        kubeflow,
        push_destination=push_destination or kubeflow.push_destination,
        pipeline_root=pipeline_root or kubeflow.pipeline_root,
    )
    return replace(config, kubeflow=named)


def _not_cacheable(pipeline: Pipeline) -> list[str]:
    """Components that the cluster's cache must not skip.

    These are the ones that read what is neither an input artifact nor a parameter, as their class says, and the ones
    without input artifacts. Nothing in the cache key of the latter changes with the pipeline root: after a move of the
    root, a cached output would still be at the old one, where later components do not find it.
    """
    return [
        component.id
        for component in pipeline.components
        if getattr(component, "READS_BEYOND_INPUTS", False) or not component.inputs
    ]


def _artifact_classes(pipeline: Pipeline) -> dict[str, str]:
    """Name → import path of the artifact types that are not TFX's own."""
    types = {channel.type for component in pipeline.components for channel in component.outputs.values()}
    return {
        artifact.TYPE_NAME: name_utils.get_full_name(artifact)
        for artifact in types
        if not artifact.__module__.startswith("tfx.")
    }
