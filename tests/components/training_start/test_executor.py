from dataclasses import replace
from pathlib import Path

import pytest

from components.artifacts import TrainingStartArtifact, start_of
from components.training_start.component import TrainingStart
from components.training_start.executor import Executor
from ranker.config.retraining import Retraining
from tests.ranker.registry.test_start import LINEAGE, PARTS, push_model


def component(serving: Path, version: str = "", retraining: Retraining = Retraining()) -> TrainingStart:  # noqa: B008
    return TrainingStart(str(serving), "2026-03-09T04:00:00Z[UTC]", retraining, PARTS, version)


def run(tmp_path: Path, version: str = "") -> TrainingStartArtifact:
    artifact = TrainingStartArtifact()
    artifact.uri = str(tmp_path / "start")
    properties = dict(component(tmp_path / "serving", version).exec_properties)
    Executor().Do({}, {"training_start": [artifact]}, properties)
    return artifact


def with_state(tmp_path: Path, version: str) -> None:
    folder = tmp_path / "serving" / version / "assets.extra" / "training_state"
    (folder / "forest").mkdir(parents=True)
    (folder / "forest" / "forest.json").write_text(f"forest of {version}")


def test_the_parents_training_state_is_copied(tmp_path: Path) -> None:
    push_model(tmp_path / "serving", "7", "2026-03-08")
    with_state(tmp_path, "7")
    artifact = run(tmp_path)
    plan, state = start_of({"training_start": [artifact]})
    assert (plan.start, plan.parent, plan.train_days) == ("warm", "7", 1)
    assert (Path(state) / "forest" / "forest.json").read_text() == "forest of 7"
    assert artifact.get_string_custom_property("start") == "warm"
    assert artifact.get_string_custom_property("parent") == "7"


@pytest.mark.parametrize("version", ["", "none"])
def test_a_cold_start_copies_no_state(tmp_path: Path, version: str) -> None:
    artifact = run(tmp_path, version)
    plan, state = start_of({"training_start": [artifact]})
    assert plan.is_cold
    assert not Path(state).exists()
    assert artifact.get_string_custom_property("start") == "cold"


def test_a_parent_that_lost_its_state_is_an_error(tmp_path: Path) -> None:
    push_model(tmp_path / "serving", "7", "2026-03-08", replace(LINEAGE, forest_day="2026-03-08"))
    with pytest.raises(FileNotFoundError, match=r"7/assets\.extra/training_state: missing, but .* from version 7"):
        run(tmp_path)
    assert not (tmp_path / "start" / "plan.json").exists()


def test_all_requested_cold_starts_have_the_same_cache_key(tmp_path: Path) -> None:
    monday = component(tmp_path, "none").exec_properties
    tuesday = TrainingStart(str(tmp_path), "2026-03-10", Retraining(start="cold"), {}, "none").exec_properties
    assert dict(monday) == dict(tuesday)
    assert dict(component(tmp_path, "7").exec_properties) != dict(component(tmp_path, "8").exec_properties)


def test_without_a_training_start_a_component_starts_cold() -> None:
    plan, state = start_of({})
    assert (plan.is_cold, plan.train_days, state) == (True, None, "")
