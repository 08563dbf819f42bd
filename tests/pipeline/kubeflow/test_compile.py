"""What the real pipeline compiles to."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types.artifact import Artifact
from tfx.utils import import_utils

from components.effects_trainer.executor import Executor
from pipeline.beam import beam_args
from pipeline.kubeflow.compile import (
    ENTRYPOINT,
    NO_CONFIG,
    Compiled,
    compile_effects,
    compile_pipeline,
    compile_scoring,
    pipeline_name,
    with_overrides,
)
from pipeline.kubeflow.package import default_pipeline_root
from pipeline.pipeline import create_pipeline
from pipeline_config import CONFIGS, FEED
from ranker.config.documents import from_json
from ranker.config.effects import EffectLevel, Effects
from ranker.config.kubeflow import Notification, Resources
from ranker.config.pipeline import PipelineConfig
from tests.pipeline.kubeflow.launcher import ROOT, read_package

IMAGE = "registry.example/team/feed@sha256:" + "0123456789abcdef" * 4
SETTINGS = replace(FEED.kubeflow, notification=Notification("hook"), pipeline_root="s3://bucket/feed")


def compiled(config: PipelineConfig = FEED, day: date | None = None, cache: bool = True) -> Compiled:
    return compile_pipeline(config, IMAGE, "/feed_log", day, cache)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compiled") / "feed.yaml"
    compiled().write(path)
    return path


@pytest.fixture(scope="module")
def spec(package: Path) -> pb.PipelineSpec:
    return read_package(package)[0]


@pytest.fixture(scope="module")
def executors(package: Path) -> pb.PipelineDeploymentConfig:
    spec = next(yaml.safe_load_all(package.read_text()))
    return json_format.ParseDict(spec["deploymentSpec"], pb.PipelineDeploymentConfig())


@pytest.fixture(scope="module")
def components() -> list[str]:
    pipeline = create_pipeline(
        FEED, feed_log="", day=date(2026, 3, 9), pipeline_root="", push_destination="/models", verdict=True
    )
    return [component.id for component in pipeline.components]


def test_the_backend_s_schema_version_and_every_component(spec: pb.PipelineSpec, components: list[str]) -> None:
    assert spec.schema_version == "2.1.0"
    assert spec.pipeline_info.name == "feed-ranker-feed"
    assert sorted(spec.root.dag.tasks) == sorted(components)


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_pods_can_be_named_after_the_pipeline(name: str) -> None:
    config = CONFIGS[name]
    assert pipeline_name(config) == (config.name if name == "feed-first-pass" else f"feed-ranker-{config.name}")
    assert len(f"{pipeline_name(config)}-8bzv4-system-container-driver-4040758857") <= 63


def test_every_executor_is_a_container_with_our_command(executors: pb.PipelineDeploymentConfig) -> None:
    for executor in executors.executors.values():
        assert executor.WhichOneof("spec") == "container"  # resolvers and importers do not run everywhere
        assert executor.container.image == IMAGE
        assert tuple(executor.container.command) == ENTRYPOINT
        assert not executor.container.HasField("lifecycle")  # hooks are not run


def test_the_day_is_required_and_the_other_parameters_have_defaults(spec: pb.PipelineSpec) -> None:
    parameters = spec.root.input_definitions.parameters
    assert set(parameters) == {"day", "feed_log", "publish_withdrawn", "push", "replaces"}
    assert not parameters["day"].HasField("default_value")
    assert parameters["feed_log"].default_value.string_value == "/feed_log"
    assert parameters["publish_withdrawn"].default_value.string_value == "false"
    assert parameters["push"].default_value.string_value == "true"
    assert parameters["replaces"].default_value.string_value == NO_CONFIG
    with pytest.raises(ValueError, match="name"):
        replace(FEED, name=NO_CONFIG)
    for name in ("publish_withdrawn", "push", "replaces"):
        assert spec.root.dag.tasks["Pusher"].inputs.parameters[name].component_input_parameter == name
    start = spec.root.dag.tasks["TrainingStart"].inputs.parameters
    assert [start[name].component_input_parameter for name in ("push", "replaces")] == ["push", "replaces"]
    days = {
        (name, parameter)
        for name, task in spec.root.dag.tasks.items()
        for parameter, source in task.inputs.parameters.items()
        if source.component_input_parameter == "day"
    }
    expected = {"TrainingStart": "day", "FeedLogGen": "eval_day", "TowerTrainer": "eval_day", "ServingModel": "day"}
    assert days == set(expected.items())


@pytest.mark.parametrize("config", [FEED, replace(FEED, kubeflow=SETTINGS)], ids=["plain", "with-an-exit-task"])
def test_components_that_take_the_day_learn_the_scheduled_time(config: PipelineConfig) -> None:
    parsed = json_format.ParseDict(compiled(config).pipeline_spec, pb.PipelineSpec())
    dag = parsed.components["feed-ranker"].dag if config.kubeflow.notification else parsed.root.dag
    companions = {
        (name, parameter): source.runtime_value.constant.string_value
        for name, task in dag.tasks.items()
        for parameter, source in task.inputs.parameters.items()
        if parameter.endswith("_scheduled_at")
    }
    # The backend replaces a constant that equals the placeholder, and no part of a text.
    assert companions == {
        (name, f"{day}_scheduled_at"): "{{$.pipeline_job_schedule_time_utc}}"
        for name, day in (
            ("TrainingStart", "day"),
            ("FeedLogGen", "eval_day"),
            ("TowerTrainer", "eval_day"),
            ("ServingModel", "day"),
        )
    }


def test_a_day_can_be_the_default() -> None:
    parameters = compiled(day=date(2026, 3, 9)).pipeline_spec["root"]["inputDefinitions"]["parameters"]
    assert parameters["day"]["defaultValue"] == "2026-03-09"


def test_caching_is_off_where_the_key_cannot_see_the_data(spec: pb.PipelineSpec) -> None:
    uncached = {name for name, task in spec.root.dag.tasks.items() if not task.caching_options.enable_cache}
    assert uncached == {"FeedLogGen", "Pusher", "SchemaImporter", "ServingModel", "TrainingStart"}


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_no_task_without_input_artifacts_is_cached(name: str) -> None:
    """Its cache key is the same under another pipeline root, and the cached output stays at the old one."""
    tasks = json_format.ParseDict(compiled(CONFIGS[name]).pipeline_spec, pb.PipelineSpec()).root.dag.tasks
    sources = {task for task, spec in tasks.items() if not spec.inputs.artifacts}
    assert "SchemaImporter" in sources
    assert [task for task in sorted(sources) if tasks[task].caching_options.enable_cache] == []


def test_caching_can_be_off_altogether() -> None:
    tasks = compiled(cache=False).pipeline_spec["root"]["dag"]["tasks"]
    assert not any(task.get("cachingOptions", {}).get("enableCache") for task in tasks.values())


def test_artifact_types_lead_to_their_classes(spec: pb.PipelineSpec) -> None:
    own = set()
    for component in spec.components.values():
        for artifact in component.output_definitions.artifacts.values():
            title = yaml.safe_load(artifact.artifact_type.instance_schema)["title"]
            if not title.startswith("tfx."):
                own.add(import_utils.import_class_by_path(title))
    assert own
    assert all(issubclass(artifact, Artifact) for artifact in own)


def test_executors_name_the_types_that_components_declare(
    spec: pb.PipelineSpec, executors: pb.PipelineDeploymentConfig
) -> None:
    for component in spec.components.values():
        arguments = list(executors.executors[component.executor_label].container.args)
        inputs = json.loads(arguments[arguments.index("--json_serialized_inputs_spec_args") + 1])
        assert inputs == json_format.MessageToDict(component.input_definitions)


def test_nothing_of_this_machine_is_compiled_in(package: Path) -> None:
    assert str(ROOT) not in package.read_text()


def test_compiling_again_gives_the_same_file(package: Path, tmp_path: Path) -> None:
    compiled().write(tmp_path / "again.yaml")
    assert (tmp_path / "again.yaml").read_bytes() == package.read_bytes()


def test_models_go_to_the_mounted_volume(spec: pb.PipelineSpec, package: Path) -> None:
    constants = {
        name: task.inputs.parameters["push_destination"].runtime_value.constant.string_value
        for name, task in spec.root.dag.tasks.items()
        if "push_destination" in task.inputs.parameters
    }
    assert constants["ServingModel"] == constants["TrainingStart"] == "/models/feed"
    assert json.loads(constants["Pusher"]) == {"filesystem": {"base_directory": "/models/feed"}}
    platform = json_format.MessageToDict(read_package(package)[1])
    mounted = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert mounted == {
        f"{name}_executor": {"pvcMount": [{"constant": "feed-ranker-models", "mountPath": "/models"}]}
        for name in constants
    }


def test_a_notification_and_a_pipeline_root_of_one_s_own(components: list[str], tmp_path: Path) -> None:
    document = compiled(replace(FEED, kubeflow=SETTINGS))
    document.write(tmp_path / "feed.yaml")
    assert default_pipeline_root(tmp_path / "feed.yaml") == "s3://bucket/feed"
    parsed = json_format.ParseDict(document.pipeline_spec, pb.PipelineSpec())
    assert set(parsed.root.dag.tasks) == {"feed-ranker", "notify"}
    assert sorted(parsed.components["feed-ranker"].dag.tasks) == sorted(components)
    assert parsed.default_pipeline_root == "s3://bucket/feed"


def test_the_command_line_goes_before_the_config() -> None:
    config = with_overrides(replace(FEED, kubeflow=SETTINGS), "gs://bucket/models", None)
    assert config.kubeflow.push_destination == "gs://bucket/models"
    assert config.kubeflow.pipeline_root == "s3://bucket/feed"
    assert with_overrides(FEED, None, None) == FEED


def test_beam_components_get_the_config_s_arguments() -> None:
    effects = Effects((EffectLevel("viewer_id"),), beam=True)
    config = replace(FEED, beam_pipeline_args=("--direct_num_workers=2",), effects=effects)
    executors = compiled(config).pipeline_spec["deploymentSpec"]["executors"]
    for component in ("LeafEncoder", "EffectsTrainer"):
        arguments = executors[f"{component}_executor"]["container"]["args"]
        assert tuple(arguments[-3:]) == beam_args(config.beam_pipeline_args)
    assert effects_executor(config) == "BeamExecutor"


def effects_executor(config: PipelineConfig) -> str:
    """The name of the class that EffectsTrainer's container runs."""
    executors = compiled(config).pipeline_spec["deploymentSpec"]["executors"]
    arguments = executors["EffectsTrainer_executor"]["container"]["args"]
    path = arguments[arguments.index("--executor_class_path") + 1]
    assert isinstance(path, str)
    return path.rpartition(".")[2]


def test_effects_that_are_fitted_in_the_pod_need_no_beam() -> None:
    effects = Effects((EffectLevel("viewer_id"),))
    assert effects_executor(replace(FEED, effects=effects)) == "Executor"
    assert not issubclass(Executor, BaseBeamExecutor)


def test_a_config_with_effects_compiles_and_chooses_the_models_to_read_at_run_time() -> None:
    effects = Effects((EffectLevel("viewer_id"), EffectLevel("author_id")))
    spec = compiled(replace(FEED, effects=effects)).pipeline_spec
    task = spec["root"]["dag"]["tasks"]["EffectsTrainer"]
    assert {"TowerTrainer", "FeedLogGen", "SchemaImporter"} <= set(task["dependentTasks"])
    assert task["inputs"]["parameters"]["plan"]["runtimeValue"]["constant"] == ""
    assert "EffectsTrainer" in spec["root"]["dag"]["tasks"]["Pusher"]["dependentTasks"]


def test_an_update_of_effects_is_a_pipeline_of_its_own() -> None:
    config = replace(FEED, effects=Effects((EffectLevel("viewer_id"),)), kubeflow=SETTINGS)
    document = compile_effects(config, IMAGE, "/feed_log")
    spec = json_format.ParseDict(document.pipeline_spec, pb.PipelineSpec())
    assert spec.pipeline_info.name == "feed-effects"
    assert set(spec.components["feed-ranker"].dag.tasks) == {"EffectsUpdater"}
    task = spec.components["feed-ranker"].dag.tasks["EffectsUpdater"]
    assert not task.caching_options.enable_cache
    assert set(spec.root.input_definitions.parameters) == {"feed_log"}
    assert from_json(PipelineConfig, task.inputs.parameters["config"].runtime_value.constant.string_value) == config
    with pytest.raises(ValueError, match="has no effects"):
        compile_effects(FEED, IMAGE, "/feed_log")


def test_components_of_effects_mount_the_models() -> None:
    def executors(compiled: Compiled) -> Any:
        assert compiled.platform_spec is not None
        return compiled.platform_spec["platforms"]["kubernetes"]["deploymentSpec"]["executors"]

    config = replace(FEED, effects=Effects((EffectLevel("viewer_id"),)))
    mounts = executors(compiled(config))
    assert mounts["EffectsTrainer_executor"] == mounts["Pusher_executor"]
    updating = executors(compile_effects(config, IMAGE, "/feed_log"))
    assert updating == {"EffectsUpdater_executor": mounts["Pusher_executor"]}


def test_scoring_is_a_pipeline_of_one_component_that_is_never_cached() -> None:
    resources = {"BatchScorer": Resources(memory_limit="4Gi"), "TowerTrainer": Resources(gpus=1)}
    kubeflow = replace(FEED.kubeflow, resources=resources, push_destination="gs://b/models")
    config = replace(FEED, kubeflow=kubeflow, beam_pipeline_args=("--direct_num_workers=2",))
    spec = compile_scoring(config, IMAGE, "/feed_log", "gs://b/scores").pipeline_spec
    assert list(spec["root"]["dag"]["tasks"]) == ["BatchScorer"]
    assert spec["pipelineInfo"]["name"] == "feed-scores"
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    assert set(parameters) == {"day", "feed_log", "scores"}
    assert parameters["scores"]["defaultValue"] == "gs://b/scores"
    task = spec["root"]["dag"]["tasks"]["BatchScorer"]
    assert not task.get("cachingOptions", {}).get("enableCache", False)
    places = task["inputs"]["parameters"]
    assert places["push_destination"]["runtimeValue"]["constant"] == "gs://b/models"
    assert {name: places[name]["componentInputParameter"] for name in parameters} == {name: name for name in parameters}
    [executor] = spec["deploymentSpec"]["executors"].values()
    assert "components.batch_scorer.executor.Executor" in executor["container"]["args"]
    assert "--direct_num_workers=2" in executor["container"]["args"]
    assert executor["container"]["resources"]["memoryLimit"] == pytest.approx(4 * 2**30 / 1e9)
    # The settings of the scorer do not disturb the training, which has no such component.
    assert compiled(config).pipeline_spec["pipelineInfo"]["name"] == "feed-ranker-feed"
