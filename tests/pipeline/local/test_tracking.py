"""Runs in MLflow's tracking: what is recorded, and that nothing that fails there harms a run."""

import importlib.util
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.local import tracking
from pipeline.local.run_summary import ComponentSummary, Failure, RunSummary, write_summary
from pipeline.local.summarising import summarise_objectives, summarise_utility
from pipeline.local.tracking import MISSING, metrics_of, parameters_of, record_in_mlflow
from pipeline_config import FEED
from tests.pipeline.local.test_summary import EVALUATION


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a finished run, with a pushed model beside it."""
    run, model = tmp_path / "runs" / "first", tmp_path / "serving_model" / "17"
    for file, text in (
        (run / "report.html", "<h1>blessed</h1>"),
        (run / "tensorboard" / "events.1", "losses"),
        (model / "saved_model.pb", "graph"),
        (model / "assets.extra" / "feed_ranker.json", "{}"),
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return run


@pytest.fixture
def summary(folder: Path) -> RunSummary:
    made = RunSummary(
        run_id="first",
        config="feed",
        day="2026-03-09",
        feed_log="feed_log",
        status="complete",
        training_fingerprint="0123",
        rows={"train": 100, "eval": 20},
        objectives=summarise_objectives(EVALUATION),
        utility=summarise_utility(EVALUATION),
        report=str(folder / "report.html"),
        tensorboard=str(folder / "tensorboard"),
        blessed=True,
        pushed_model=str(folder.parents[1] / "serving_model" / "17"),
        components=(
            ComponentSummary("Pusher", "ran", False, 1.5, None),
            ComponentSummary("A", "ran", False, 2.0, None),
        ),
    )
    write_summary(folder, made)
    return made


def client(store: Path) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=store.as_uri())


@pytest.mark.slow
def test_a_run_is_recorded_with_parameters_metrics_report_and_model(
    tmp_path: Path, folder: Path, summary: RunSummary, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "mlruns"
    said = [record_in_mlflow(store, FEED, summary, folder) for _ in range(2)]
    assert tracking._FILE_STORE not in os.environ
    assert all(f"of experiment feed: {store}" in line for line in said)
    monkeypatch.setenv(tracking._FILE_STORE, "true")
    mlflow = client(store)
    runs = mlflow.search_runs([mlflow.get_experiment_by_name("feed").experiment_id])
    assert [run.info.run_name for run in runs] == ["first", "first"]
    run = runs[0]
    assert run.info.status == "FINISHED"
    assert run.data.params["day"] == "2026-03-09"
    assert run.data.params["forest.trees"] == str(FEED.forest.trees)
    assert run.data.metrics["click.auc"] == pytest.approx(EVALUATION.objectives["click"].candidate.auc.value)
    assert run.data.metrics["rows.train"] == 100
    assert run.data.metrics["seconds"] == 3.5
    assert run.data.tags["blessed"] == "True"
    assert run.data.tags["pushed_model"] == summary.pushed_model
    artifacts = {file.path for file in mlflow.list_artifacts(run.info.run_id)}
    assert artifacts == {"report.html", "summary.json", "tensorboard", "model"}
    assert {file.path for file in mlflow.list_artifacts(run.info.run_id, "model")} == {
        *("model/saved_model.pb", "model/assets.extra")
    }


@pytest.mark.slow
def test_a_run_that_failed_is_recorded_as_one(
    tmp_path: Path, folder: Path, summary: RunSummary, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = Failure("Transform", "no disk")
    failed = replace(summary, status="failed", failure=failure, pushed_model=None, report=None)
    record_in_mlflow(tmp_path / "mlruns", FEED, failed, folder)
    monkeypatch.setenv(tracking._FILE_STORE, "true")
    mlflow = client(tmp_path / "mlruns")
    [run] = mlflow.search_runs([mlflow.get_experiment_by_name("feed").experiment_id])
    assert run.info.status == "FAILED"
    assert run.data.tags["failure"] == "no disk"


def test_every_parameter_and_metric_can_be_recorded(summary: RunSummary) -> None:
    parameters = parameters_of(FEED, summary)
    assert all(isinstance(value, str) and len(value) <= 6_000 for value in parameters.values())
    metrics = metrics_of(replace(summary, objectives={"größe (m)": summary.objectives["reply"]}))
    assert metrics["größe _m_.positives"] == 0
    assert "größe _m_.auc" not in metrics  # it is not defined


def test_what_cannot_be_recorded_is_one_line(tmp_path: Path, folder: Path, summary: RunSummary) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "below", "ftp://nowhere/mlflow"):
        line = record_in_mlflow(place, FEED, summary, folder)
        assert line.startswith("the run could not be recorded in MLflow: ")
        assert "\n" not in line


def test_without_the_extra_one_line_says_how_to_install_it(
    tmp_path: Path, folder: Path, summary: RunSummary, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "mlflow" else found(name))
    assert record_in_mlflow(tmp_path / "mlruns", FEED, summary, folder) == MISSING
    assert not (tmp_path / "mlruns").exists()
