"""What is compared with which baseline, before anything is evaluated."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import tensorflow as tf
from tfx.types import standard_artifacts
from tfx.utils import path_utils

from components.evaluator.baseline import (
    baseline_problem,
    reason_for_the_baseline,
    served_model,
    with_baseline,
    without_baseline,
)
from components.evaluator.eval_config import EvaluationSpec
from ranker.config.columns import Features
from ranker.config.documents import to_json
from ranker.evaluation.baseline import Baseline
from ranker.registry.layout import MANIFEST
from ranker.registry.manifest import Manifest
from tests.components.evaluator.conftest import FEATURES, GATES, model_artifact
from tests.ranker.evaluation.logit_model import save_model
from tests.ranker.evaluation.simulated import OBJECTIVES, SLICES, UTILITY

SETTINGS = EvaluationSpec(UTILITY, "viewer_id", "session_id", tuple(map(tuple, SLICES)), GATES)

Choose = Callable[[], EvaluationSpec]


def _path(folder: Path) -> str:
    return path_utils.serving_model_dir(str(folder))


@pytest.fixture
def choose(examples: standard_artifacts.Examples, tmp_path: Path) -> Choose:
    """The settings with the model of the test's folder, which is the serving version 7."""

    def with_served(features: Features = FEATURES) -> EvaluationSpec:
        served = model_artifact(tmp_path, "7")
        return with_baseline(SETTINGS, served, _path(tmp_path), [f"{examples.uri}/Split-eval/*"], features)

    return with_served


@pytest.mark.parametrize(
    ("there", "compared", "lacks"),
    [
        (OBJECTIVES, OBJECTIVES, ()),
        (("click", "follow"), ("click",), ("share",)),
        (("click",), ("click",), ("share",)),
        (("share", "follow", "comment"), ("share",), ("click",)),
    ],
)
def test_objectives_that_both_models_predict_are_compared(
    choose: Choose, tmp_path: Path, there: tuple[str, ...], compared: tuple[str, ...], lacks: tuple[str, ...]
) -> None:
    save_model(tmp_path, objectives=there)
    settings = choose()
    assert settings.compared == compared
    assert settings.baseline == Baseline("7", lacks=lacks)


def test_a_model_with_other_objectives_is_dropped(choose: Choose, tmp_path: Path) -> None:
    save_model(tmp_path, objectives=("comment", "follow"))
    settings = choose()
    assert not settings.compare
    assert settings.baseline == Baseline(
        "7", dropped="it predicts ['comment', 'follow'] and none of ['click', 'share']"
    )


def test_a_model_with_another_history_of_the_same_name_is_dropped(choose: Choose, tmp_path: Path) -> None:
    save_model(tmp_path)
    [history] = FEATURES.history
    theirs = replace(FEATURES, history=(replace(history, actions=("share",)),))
    manifest = Manifest(config={"features": json.loads(to_json(theirs))})
    file = Path(_path(tmp_path)) / MANIFEST
    file.parent.mkdir()
    file.write_text(manifest.to_json())
    assert choose().baseline.dropped == "its history authors has another definition"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("graph", "saved_model.pb cannot be read"),
        ("variables", "it cannot be loaded"),
        ("signature", "it has no signature serving_default"),
        ("input", "retired_feature"),
    ],
)
def test_a_broken_model_is_dropped(choose: Choose, tmp_path: Path, damage: str, reason: str) -> None:
    save_model(
        tmp_path,
        needs="retired_feature" if damage == "input" else None,
        signature="score" if damage == "signature" else "serving_default",
    )
    if damage == "graph":
        Path(_path(tmp_path), "saved_model.pb").write_bytes(b"\xff\xff not a model")
    if damage == "variables":
        shutil.rmtree(Path(_path(tmp_path), "variables"))
    settings = choose()
    assert not settings.compare
    assert settings.baseline.version == "7"
    assert reason in (settings.baseline.dropped or "")


def test_a_dropped_baseline_keeps_its_version_and_lacks_nothing() -> None:
    before = replace(SETTINGS, baseline=Baseline("7", lacks=("click",), reason="of another day"), compared=("share",))
    after = without_baseline(before, "it cannot be loaded")
    assert after.baseline == Baseline("7", dropped="it cannot be loaded", reason="of another day")
    assert after.compared == ()


@pytest.mark.parametrize("reason", ["", "version 7 was trained on 2026-03-09"])
def test_nothing_served_is_no_baseline(reason: str) -> None:
    absent = standard_artifacts.Model()
    absent.set_int_custom_property("present", 0)
    absent.set_string_custom_property("baseline_reason", reason)
    assert served_model({"baseline_model": [absent]}) is None
    assert served_model({}) is None
    assert reason_for_the_baseline({"baseline_model": [absent]}) == (reason or None)
    assert reason_for_the_baseline({}) is None


@pytest.mark.parametrize(
    "error",
    [MemoryError("out of memory"), tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")],
    ids=lambda error: type(error).__name__,
)
def test_memory_that_is_used_up_is_not_the_baselines_fault(error: Exception, tmp_path: Path) -> None:
    """The model is not even there."""
    assert baseline_problem(str(tmp_path), [], error, 100) is None


def test_a_baseline_that_scores_every_example_is_not_the_cause(
    examples: standard_artifacts.Examples, tmp_path: Path
) -> None:
    save_model(tmp_path)
    killed = RuntimeError("worker process was killed")
    assert baseline_problem(_path(tmp_path), [f"{examples.uri}/Split-eval/*"], killed, 1000) is None
    save_model(tmp_path / "other", needs="retired_feature")
    problem = baseline_problem(_path(tmp_path / "other"), [f"{examples.uri}/Split-eval/*"], killed, 1000)
    assert "retired_feature" in (problem or "")
