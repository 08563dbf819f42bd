import re
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.kubeflow.image import check_image
from pipeline_config import FEED
from ranker.config.documents import from_json, to_json
from ranker.config.kubeflow import EVERY_COMPONENT, Kubeflow, Notification, Resources, Secret, Volume
from ranker.config.pipeline import PipelineConfig

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "image", [f"registry.example/team/feed@{DIGEST}", f"feed:1.0@{DIGEST}", "localhost:5000/feed:2026-03-09.abc123"]
)
def test_an_image_of_one_build_is_accepted(image: str) -> None:
    assert check_image(image) == image


@pytest.mark.parametrize(
    "image", ["feed", "feed:latest", "localhost:5000/feed", "feed@sha256:0123", f"feed@{DIGEST} --rm", ""]
)
def test_an_image_whose_content_can_change_is_refused(image: str) -> None:
    with pytest.raises(ValueError, match=f"image: the content of {re.escape(repr(image))} can change"):
        check_image(image)


def test_a_named_component_has_its_own_resources() -> None:
    kubeflow = Kubeflow(resources={EVERY_COMPONENT: Resources(cpu_request=1), "ForestTrainer": Resources(gpus=1)})
    assert kubeflow.resources_of("ForestTrainer") == Resources(gpus=1)
    assert kubeflow.resources_of("Pusher") == Resources(cpu_request=1)
    assert Kubeflow(resources={}).resources_of("Pusher") == Resources()


def test_the_components_that_settings_name() -> None:
    kubeflow = Kubeflow(
        volumes=(Volume("models", "/models"), Volume("log", "/log", components=("FeedLogGen",))),
        secrets=(Secret("gcs", path="/secrets/gcs", components=("TowerTrainer",)),),
        resources={EVERY_COMPONENT: Resources(), "Transform": Resources()},
    )
    assert kubeflow.named_components() == {"FeedLogGen", "TowerTrainer", "Transform"}


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (Volume, {"claim": "Models", "path": "/models"}, "claim"),
        (Volume, {"claim": "models", "path": "models"}, "path"),
        (Volume, {"claim": "models", "path": "/models/"}, "path"),
        (Secret, {"name": "gcs"}, "secret gcs: name environment variables in env, a folder in path, or both"),
        (Secret, {"name": "gcs", "env": {"A-B": "key"}}, "env"),
        (Resources, {"memory_limit": "8 GB"}, "memory_limit"),
        (Resources, {"cpu_request": 0}, "cpu_request"),
        (Resources, {"gpus": -1}, "gpus"),
        (Notification, {"secret": "hook", "on": "never"}, "on"),
        (Notification, {"secret": "hook", "web_page": "kubeflow.example"}, "web_page"),
        (Notification, {"secret": "hook", "web_page": "https://kubeflow.example/#/runs"}, "web_page"),
        (Kubeflow, {"retries": -1}, "retries"),
        (Kubeflow, {"image": "feed"}, "image"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(kind: type, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        kind(**fields)


def test_the_settings_are_part_of_a_config() -> None:
    kubeflow = Kubeflow(
        secrets=(Secret("gcs", env={"TOKEN": "token"}),), notification=Notification("hook"), image_pull_secrets=("r",)
    )
    config = replace(FEED, kubeflow=kubeflow, beam_pipeline_args=("--direct_num_workers=2",))
    assert from_json(PipelineConfig, to_json(config)) == config


@pytest.mark.parametrize("memory", ["0", "0Gi", "0.0Gi", "00.5Gi", "9999999999999Ti", "-1Gi", "infGi"])
def test_an_impossible_amount_of_memory_is_refused(memory: str) -> None:
    with pytest.raises(ValidationError, match="memory_limit"):
        Resources(memory_limit=memory)


def test_a_limit_is_not_below_the_request() -> None:
    with pytest.raises(ValidationError, match="cpu_limit: 1 is below cpu_request, 2"):
        Resources(cpu_request=2, cpu_limit=1)
    with pytest.raises(ValidationError, match="memory_limit: 8G is below memory_request, 8Gi"):
        Resources(memory_request="8Gi", memory_limit="8G")
    assert Resources(cpu_request=2, cpu_limit=2, memory_request="0.5Gi", memory_limit="512Mi").cpu_limit == 2
