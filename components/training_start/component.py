"""TrainingStart: the day and the pushed versions → what the day's training starts from."""

import json
from collections.abc import Mapping

from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import channel, component_spec

from components.artifacts import TrainingStartArtifact
from components.training_start.executor import Executor
from ranker.config.documents import to_json
from ranker.config.retraining import Retraining
from ranker.identity.code import code_fingerprint
from ranker.registry.start import NO_VERSION


class TrainingStartSpec(component_spec.ComponentSpec):
    """TrainingStart's parameters and its output."""

    PARAMETERS = {
        "push_destination": component_spec.ExecutionParameter(type=str),
        "day": component_spec.ExecutionParameter(type=str),
        "retraining": component_spec.ExecutionParameter(type=str),
        "parts": component_spec.ExecutionParameter(type=str),
        "version": component_spec.ExecutionParameter(type=str),
        "config_name": component_spec.ExecutionParameter(type=str),
        "push": component_spec.ExecutionParameter(type=str),
        "replaces": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: dict[str, component_spec.ChannelParameter] = {}
    OUTPUTS = {"training_start": component_spec.ChannelParameter(type=TrainingStartArtifact)}


class TrainingStart(base_component.BaseComponent):
    """Decides at run time whether the training starts cold or continues from a pushed model, and imports its state.

    FeedLogGen reads the days that the decision requires. Transform and ForestTrainer reuse the parent's graph and
    forest or fit new ones, and TowerTrainer starts from the parent's weights or from new ones. The only input is the
    push destination: every pushed model contains its training state.

    Where it looks for the parent at run time, it fails if the run would replace the serving model of another config, so
    that nothing is trained in vain.

    Args:
        push_destination: path or URI of the folder of versions.
        day: the held-out day, YYYY-MM-DD or another form that `ranker.feed_log.day` reads.
        retraining: when to start cold.
        parts: digests of the config and code that must not change under a warm start, by name.
        version: the version to continue from; "none" for a cold start, "" to look for one at run time. The cache key
            contains only what is passed here. So with the cache enabled, look for it before with
            `ranker.registry.start.make_plan`. With "none", the other parameters are ignored: all requested cold starts
            have the same cache key.
        config_name: the name of the config.
        push: "false" if the run publishes nothing.
        replaces: as Pusher's. These three are ignored unless `version` is "": whoever decides before the run, checks
            before it too (`ranker.registry.replacement`), and they would change the cache key.
    """

    SPEC_CLASS = TrainingStartSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
    READS_BEYOND_INPUTS = True

    def __init__(
        self,
        push_destination: str | RuntimeParameter,
        day: str | RuntimeParameter,
        retraining: Retraining,
        parts: Mapping[str, str],
        version: str | RuntimeParameter = "",
        config_name: str = "",
        push: str | RuntimeParameter = "true",
        replaces: str | RuntimeParameter = "",
    ) -> None:
        cold, at_run_time = version == NO_VERSION, version == ""
        super().__init__(
            TrainingStartSpec(
                push_destination="" if cold else push_destination,
                day="" if cold else day,
                retraining="" if cold else to_json(retraining),
                parts="" if cold else json.dumps(dict(parts), sort_keys=True),
                version=version,
                config_name=config_name if at_run_time else "",
                push=push if at_run_time else "",
                replaces=replaces if at_run_time else "",
                code_fingerprint=code_fingerprint("components.training_start.executor"),
                training_start=channel.Channel(type=TrainingStartArtifact),
            )
        )
