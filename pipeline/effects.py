"""The DAG that updates the random effects of the serving model: one component, with a schedule of its own."""

from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.pipeline import Pipeline

from components.effects_updater.component import EffectsUpdater
from pipeline.pipeline import local_name
from ranker.config.pipeline import PipelineConfig


def create_effects_pipeline(
    config: PipelineConfig, *, feed_log: str | RuntimeParameter, pipeline_root: str, push_destination: str
) -> Pipeline:
    """The pipeline from the newest impressions to a version with newer effects.

    Args:
        config: the config of the model that serves.
        feed_log: the folder of day folders.
        pipeline_root: folder for artifacts.
        push_destination: the folder of versions.

    Raises:
        ValueError: the config has no effects.
    """
    updater = EffectsUpdater(config, feed_log, push_destination)
    return Pipeline(
        pipeline_name=effects_name(config),
        pipeline_root=pipeline_root,
        components=[updater],
        # It reads the newest hours, whatever the last run has read.
        enable_cache=False,
    )


def effects_name(config: PipelineConfig) -> str:
    """The pipeline's name on a cluster."""
    return f"{local_name(config)}-effects"
