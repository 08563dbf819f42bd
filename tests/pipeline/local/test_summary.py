"""The run summary, from what the components left behind."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipeline.local.dag_runner import ComponentRun, OutputArtifact, State
from pipeline.local.summary import copy_report, rows_read, summarise, write_summary
from pipeline_config import CONFIGS

VERDICTS = [
    dict(objective="click", slice="", metric="auc", passed=True, blocking=True, outcome="passed"),
    dict(objective="like", slice="tv", metric="o_over_e", passed=False, blocking=True, outcome="failed"),
    dict(objective="click", slice="tv", metric="o_over_e", passed=False, blocking=False, outcome="failed"),
    dict(objective="reply", slice="", metric="auc", passed=False, blocking=False, outcome="not evaluated"),
]


@pytest.fixture
def runs(tmp_path: Path) -> list[ComponentRun]:
    """Three components that ran, one of them from the cache, and a model that was not pushed."""
    evaluation = {
        "blessed": False,
        "baseline": {"version": "1", "dropped": None},
        "objectives": {"click": {"auc": 0.7}, "like": {"auc": 0.8}, "reply": {"auc": None}},
        "verdicts": VERDICTS,
        "slice_verdicts": {"passed": 3, "failed": 2},
        "slices_dropped": [["author"]],
    }
    (tmp_path / "gates.json").write_text(json.dumps(evaluation))
    examples = OutputArtifact(
        "examples",
        {
            "train_rows": 70,
            "eval_rows": 10,
            "rows_per_day": '{"2026-01-05": 70}',
            "missing_days": "2026-01-06,2026-01-07",
        },
    )
    return [
        ComponentRun("FeedLogGen", State.CACHED, 0.1234567, {"examples": [examples]}),
        ComponentRun("Evaluator", State.RAN, 2.0, {"evaluation": [OutputArtifact(str(tmp_path))]}),
        ComponentRun("Pusher", State.RAN, 0.5, {"pushed_model": [OutputArtifact("push", {"pushed": 0})]}),
    ]


def summary(runs: list[ComponentRun]) -> dict[str, Any]:
    return summarise("run", CONFIGS["feed"], date(2026, 1, 12), Path("log"), runs)


def test_gates_are_told_per_objective_and_only_where_they_block(runs: list[ComponentRun]) -> None:
    result = summary(runs)
    assert result["objectives"] == {
        "click": {"auc": 0.7, "gate": "passed"},
        "like": {"auc": 0.8, "gate": "o_over_e tv"},
        "reply": {"auc": None, "gate": "auc not evaluated"},
    }
    assert result["gates"] == VERDICTS
    assert result["slice_gates"] == {"passed": 3, "failed": 2}
    assert result["slices_dropped"] == [["author"]]
    assert result["report"] is None
    assert result["blessed"] is False
    assert result["pushed_model"] is None


def test_rows_days_and_cache_are_told(runs: list[ComponentRun]) -> None:
    result = summary(runs)
    assert result["status"] == "complete"
    assert result["rows"] == {"train": 70, "eval": 10}
    assert result["missing_days"] == ["2026-01-06", "2026-01-07"]
    assert result["components"][0] == {
        "component": "FeedLogGen",
        "state": "cached",
        "cached": True,
        "seconds": 0.123,
        "rows": 80,
    }
    assert [c["rows"] for c in result["components"]] == [80, 10, None]


def test_replayed_rows_are_told_where_there_are_any(runs: list[ComponentRun]) -> None:
    examples = runs[0].outputs["examples"][0]
    replayed = OutputArtifact("examples", {**examples.properties, "replay_rows": 30})
    result = summary([ComponentRun("FeedLogGen", State.RAN, 0.1, {"examples": [replayed]})])
    assert result["rows"] == {"replay": 30, "train": 70, "eval": 10}


def test_a_pushed_model_is_named(runs: list[ComponentRun]) -> None:
    pushed = OutputArtifact("push", {"pushed": 1, "pushed_destination": "serving/7", "pushed_version": "7"})
    result = summary([*runs[:2], ComponentRun("Pusher", State.RAN, 0.5, {"pushed_model": [pushed]})])
    assert result["pushed_model"] == "serving/7"


def test_the_report_is_copied_to_the_runs_folder(tmp_path: Path, runs: list[ComponentRun]) -> None:
    (tmp_path / "report.html").write_text("<h1>")
    report = ComponentRun("CalibrationReport", State.CACHED, 0.1, {"report": [OutputArtifact(str(tmp_path))]})
    folder = tmp_path / "runs" / "run"
    path = copy_report(folder, [*runs, report])
    assert path == folder / "report.html"
    assert path.read_text() == "<h1>"
    assert [file.name for file in folder.iterdir()] == ["report.html"]
    assert copy_report(folder, runs) is None
    assert summarise("run", CONFIGS["feed"], date(2026, 1, 12), Path("log"), runs, path)["report"] == str(path)


def test_a_failure_is_told_and_nothing_is_made_up(runs: list[ComponentRun]) -> None:
    result = summary([ComponentRun("FeedLogGen", State.FAILED, 1.0, error="no such day")])
    assert result["status"] == "failed"
    assert result["failure"] == {"component": "FeedLogGen", "error": "no such day"}
    assert (result["rows"], result["objectives"], result["blessed"], result["pushed_model"]) == ({}, {}, None, None)


def test_the_file_appears_whole(tmp_path: Path, runs: list[ComponentRun]) -> None:
    path = write_summary(tmp_path / "runs" / "run", summary(runs))
    assert json.loads(path.read_text()) == summary(runs)
    assert [file.name for file in path.parent.iterdir()] == ["summary.json"]


def test_rows_are_those_of_the_splits_that_a_component_reads() -> None:
    rows = {"train": 70, "eval": 10}
    assert rows_read("Transform", rows) == 80
    assert rows_read("TowerTrainer", rows) == 70
    assert rows_read("Evaluator", rows) == 10
    assert rows_read("Pusher", rows) is None
    rows["replay"] = 100
    components = ("Transform", "StatisticsGen", "ForestTrainer", "TowerTrainer", "Evaluator")
    assert [rows_read(component, rows) for component in components] == [180, 80, 70, 170, 10]
    assert rows_read("Transform", {}) is None
