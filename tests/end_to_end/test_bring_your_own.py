"""The tutorial's log, with its own column names: only pipeline_config.py is edited, and models are pushed.

Every command of `docs/own_log.md` is executed as printed.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end import tutorial
from tests.end_to_end.conftest import ROOT, run_locally

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs" / "own_log.md"
PACKAGES = ("components", "datasets", "pipeline", "ranker", "schemas", "serving")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this project with the tutorial's files, before any of its commands."""
    copy = tmp_path_factory.mktemp("project")
    for folder in PACKAGES:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("local_runner.py", "pipeline_config.py"):
        shutil.copy(ROOT / file, copy)
    tutorial.write_files(PAGE, copy)
    return copy


@pytest.fixture(scope="module")
def outputs(project: Path) -> dict[str, str]:
    """What each command of the tutorial printed, in its order."""
    return {command: tutorial.execute(command, project) for command, _ in tutorial.commands(PAGE)}


@pytest.fixture(scope="module")
def summaries(project: Path, outputs: dict[str, str]) -> list[dict[str, Any]]:
    """The run summaries that the tutorial left, oldest first."""
    return [json.loads(file.read_text()) for file in sorted(project.glob("workdir/recipes/runs/*/summary.json"))]


def test_every_command_prints_what_the_page_shows(outputs: dict[str, str]) -> None:
    shown = dict(tutorial.commands(PAGE))
    assert len(outputs) == 9
    [draft] = [command for command in outputs if "pipeline.draft" in command]
    for command in ("head -3 recipes.csv", "uv run python to_feed_log.py", draft, "cat recipes_draft.py"):
        assert shown[command]
        assert shown[command] in outputs[command]
    first, second = (output for command, output in outputs.items() if "local_runner" in command)
    assert "cold start: no model has been pushed for a day before 2026-05-04\n" in first
    assert "warm start: " in second
    # A score's second digit may differ between machines.
    assert "best first: [0, 2, 1]" in outputs["uv run python ask.py"]


def test_both_days_end_in_a_pushed_model(summaries: list[dict[str, Any]]) -> None:
    for summary, day, rows in zip(summaries, ("2026-05-04", "2026-05-05"), (9_000, 3_000), strict=True):
        assert (Path(summary["pushed_model"]) / "saved_model.pb").is_file()
        assert summary["rows"]["train"] == rows
        assert summary["rows"]["eval"] == 3_000
        assert summary["day"] == day
        assert set(summary["objectives"]) == {"opened", "saved"}
        assert summary["objectives"]["opened"]["auc"] > 0.7
        assert summary["objectives"]["saved"]["auc"] > 0.7


def test_a_model_that_no_gate_lets_through_is_reported_and_not_pushed(
    project: Path, summaries: list[dict[str, Any]]
) -> None:
    settings = project / "pipeline_config.py"
    right = settings.read_text()
    drafted, strict = "    train_days=7,", "    gates=Gates(objective=Gate(min_auc=0.999)),\n    train_days=7,"
    assert right.count(drafted) == 1
    settings.write_text(right.replace(drafted, strict))
    workdir = project / "workdir" / "recipes"
    refused = run_locally(workdir, "--config", "recipes", "--feed-log", "recipes_log", root=project)
    settings.write_text(right)
    assert refused.status == 3, refused.output
    assert refused.summary["blessed"] is False
    assert refused.summary["pushed_model"] is None
    [said] = [v["text"] for v in refused.summary["gates"] if v["objective"] == "opened" and v["metric"] == "auc"]
    assert f"gate: {said}" in refused.output
    report = Path(refused.summary["report"]).read_text()
    assert "Not blessed: 2 gates failed" in report
    assert said in report
    pushed = {Path(summary["pushed_model"]).name for summary in summaries}
    assert {path.name for path in (workdir / "serving_model").iterdir()} == pushed


def test_a_column_that_the_log_lacks_is_named(project: Path, outputs: dict[str, str], tmp_path: Path) -> None:
    settings = project / "pipeline_config.py"
    right = settings.read_text()
    settings.write_text(right.replace('"minutes"', '"minuts"'))
    failed = run_locally(tmp_path / "w", "--config", "recipes", "--feed-log", "recipes_log", root=project)
    settings.write_text(right)
    assert failed.status == 1
    [line] = [line for line in failed.output.splitlines() if "failed:" in line]
    assert "minuts" in line
    assert "minutes" in line
    assert failed.summary["failure"]["component"] == "FeedLogGen"
    assert failed.summary["pushed_model"] is None
