from dataclasses import replace
from pathlib import Path

import pytest

from components.artifacts import TrainingStartArtifact, start_of
from components.training_start.component import TrainingStart
from components.training_start.executor import Executor
from ranker.config.retraining import Retraining
from ranker.registry.manifest import Manifest
from ranker.registry.replacement import ReplacementError
from tests.ranker.registry.test_start import LINEAGE, PARTS, push_model
from tests.ranker.registry.test_versions import push


def component(serving: Path, version: str = "", retraining: Retraining = Retraining()) -> TrainingStart:  # noqa: B008
    return TrainingStart(str(serving), "2026-03-09T04:00:00Z[UTC]", retraining, PARTS, version)


def run(tmp_path: Path, version: str = "", **properties_given: str) -> TrainingStartArtifact:
    artifact = TrainingStartArtifact()
    artifact.uri = str(tmp_path / "start")
    properties = {**component(tmp_path / "serving", version).exec_properties, **properties_given}
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


def test_a_run_that_would_replace_another_configs_model_fails_before_anything_is_trained(tmp_path: Path) -> None:
    manifest = Manifest(eval_day="2026-03-08", config_name="feed", lineage=LINEAGE)
    push(tmp_path / "serving", "7", manifest.to_json())
    with_state(tmp_path, "7")
    own = dict(TrainingStart("serving", "2026-03-09", Retraining(), PARTS, "", "feed", "true", "shop").exec_properties)
    assert (own["config_name"], own["push"], own["replaces"]) == ("feed", "true", "shop")
    with pytest.raises(ReplacementError, match=r"7 at .* config 'feed', which .* 'shop' would .* --replaces feed to"):
        run(tmp_path, config_name="shop")
    assert not (tmp_path / "start" / "plan.json").exists()
    run(tmp_path, config_name="shop", push="false")
    run(tmp_path, config_name="shop", replaces="feed")
    run(tmp_path, config_name="feed")
    # Whoever names the parent has checked before, and the cache key is that of every run with this parent.
    named = TrainingStart("serving", "2026-03-09", Retraining(), PARTS, "7", "shop", "true", "feed")
    assert dict(named.exec_properties) == dict(
        TrainingStart("serving", "2026-03-09", Retraining(), PARTS, "7").exec_properties
    )
    run(tmp_path, "7", config_name="shop")


def test_without_a_training_start_a_component_starts_cold() -> None:
    plan, state = start_of({})
    assert (plan.is_cold, plan.train_days, state) == (True, None, "")
