from pathlib import Path

import pytest
from tfx import types
from tfx.types import channel_utils, standard_artifacts
from tfx.utils import path_utils

from components.artifacts import SOURCE_FINGERPRINT, TrainingStartArtifact
from components.serving_model.component import ServingModel
from components.serving_model.executor import Executor
from ranker.identity.training import TrainingIdentity
from ranker.registry.manifest import Manifest
from ranker.registry.plan import StartPlan, write_plan
from tests.ranker.registry.test_versions import of_training, push

DAY, RECIPE, DATA = "2026-03-09", "c0de", "da7a"
COLD = TrainingIdentity(DAY, RECIPE, DATA, "cold")
WARM = TrainingIdentity(DAY, RECIPE, DATA, "warm", "beef")


def run(tmp_path: Path, version: str, plan: StartPlan | None = None) -> standard_artifacts.Model:
    model, examples = standard_artifacts.Model(), standard_artifacts.Examples()
    model.uri = str(tmp_path / "artifact")
    examples.set_string_custom_property(SOURCE_FINGERPRINT, DATA)
    inputs: dict[str, list[types.Artifact]] = {"examples": [examples]}
    if plan is not None:
        start = TrainingStartArtifact()
        start.uri = str(tmp_path)
        write_plan(start.uri, plan)
        inputs["training_start"] = [start]
    channels = {name: channel_utils.as_channel(artifacts) for name, artifacts in inputs.items()}
    component = ServingModel(str(tmp_path / "serving"), version=version, day=DAY, recipe=RECIPE, **channels)
    Executor().Do(inputs, {"model": [model]}, dict(component.exec_properties))
    return model


def described(model: standard_artifacts.Model) -> tuple[int, str]:
    return model.get_int_custom_property("present"), model.get_string_custom_property("version")


@pytest.mark.parametrize("version", ["", "none"])
def test_without_a_model_the_artifact_is_marked_empty(tmp_path: Path, version: str) -> None:
    model = run(tmp_path, version)
    assert described(model) == (0, "none")
    assert list(Path(model.uri).iterdir()) == []


def test_version_none_emits_no_model_even_if_one_serves(tmp_path: Path) -> None:
    push(tmp_path / "serving", "7")
    assert described(run(tmp_path, "none")) == (0, "none")


def test_a_retry_replaces_what_the_first_attempt_wrote(tmp_path: Path) -> None:
    for version in ("7", "8"):
        push(tmp_path / "serving", version)
        model = run(tmp_path, version)
    assert Path(path_utils.serving_model_path(model.uri), "saved_model.pb").read_text() == "model 8"
    assert [path.name for path in Path(model.uri).iterdir()] == ["Format-Serving"]


def test_the_requested_version_is_copied_completely(tmp_path: Path) -> None:
    push(tmp_path / "serving", "7", of_training("monday"))
    push(tmp_path / "serving", "8")
    model = run(tmp_path, "7")
    assert described(model) == (1, "7")
    copy = Path(path_utils.serving_model_path(model.uri))
    assert copy.name == "Format-Serving"
    files = {str(path.relative_to(copy)): path.read_text() for path in copy.rglob("*") if path.is_file()}
    assert files == {
        "saved_model.pb": f"model {of_training('monday')}",
        "assets.extra/feed_ranker.json": of_training("monday"),
    }
    assert [path.name for path in Path(model.uri).iterdir()] == ["Format-Serving"]


def test_a_repeated_run_skips_the_model_that_it_pushed_before(tmp_path: Path) -> None:
    push(tmp_path / "serving", "7", of_training("monday"))
    push(tmp_path / "serving", "8", of_training(COLD.fingerprint))
    assert described(run(tmp_path, "")) == (1, "7")


def test_a_refit_is_compared_with_the_warm_model_of_the_same_day(tmp_path: Path) -> None:
    """The two trainings differ in their start, so the serving one is not skipped."""
    push(tmp_path / "serving", "7", of_training("monday"))
    push(tmp_path / "serving", "8", of_training(WARM.fingerprint))
    warm = StartPlan("warm", "", "7", 1, "2026-03-08", parent_training="beef")
    assert described(run(tmp_path, "", StartPlan("cold", "a refit was requested"))) == (1, "8")
    (tmp_path / "again").mkdir()
    push(tmp_path / "again" / "serving", "7", of_training("monday"))
    push(tmp_path / "again" / "serving", "8", of_training(WARM.fingerprint))
    assert described(run(tmp_path / "again", "", warm)) == (1, "7")


def trained(eval_day: str, training: str) -> str:
    return Manifest(eval_day=eval_day, training_fingerprint=training).to_json()


def test_a_day_that_the_serving_model_was_trained_on_has_an_older_baseline(tmp_path: Path) -> None:
    push(tmp_path / "serving", "6", trained("2026-03-08", "sunday"))
    push(tmp_path / "serving", "7", trained("2026-03-10", "tuesday"))
    push(tmp_path / "serving", "8", trained("2026-03-11", "wednesday"))
    model = run(tmp_path, "")
    assert described(model) == (1, "6")
    assert model.get_string_custom_property("baseline_reason") == (
        "version 8, which is newer, was trained on 2026-03-09"
    )


def test_without_a_model_that_has_not_seen_the_day_there_is_no_baseline(tmp_path: Path) -> None:
    push(tmp_path / "serving", "7", trained("2026-03-10", "tuesday"))
    model = run(tmp_path, "")
    assert described(model) == (0, "none")
    assert model.get_string_custom_property("baseline_reason") == (
        "version 7 was trained on 2026-03-09, and there is no earlier version that was not"
    )


def test_a_missing_version_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"serving/7: version 7 has no saved_model\.pb to compare with"):
        run(tmp_path, "7")
