"""The run summary, from the components' outputs."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from pipeline.local.dag_runner import ComponentRun, OutputArtifact, State
from pipeline.local.metrics_summary import GateSummary
from pipeline.local.run_summary import (
    ComponentSummary,
    Failure,
    MonitoringSummary,
    RunSummary,
    TrainingLength,
    write_summary,
)
from pipeline.local.summary import copy_report, copy_tensorboard, rows_read, summarise
from pipeline_config import CONFIGS
from ranker.documents import DocumentError
from ranker.evaluation.baseline import Baseline
from ranker.evaluation.evaluated_slice import ObjectiveEvaluation
from ranker.evaluation.evaluation import Evaluation
from ranker.forest.curve import LimitedOutput, TrainingCurve
from ranker.identity.training import TrainingIdentity
from ranker.registry.plan import StartPlan
from ranker.towers.history import TrainingHistory
from tests.ranker.evaluation.handmade import (
    COMPARED_UTILITY,
    COMPARISON,
    CURVES,
    MEASURED,
    NEVER,
    ONE_VIEWER,
    SESSIONS,
    verdict,
)

EVALUATION = Evaluation(
    blessed=False,
    confidence=0.95,
    baseline=Baseline("1"),
    objectives={
        "click": ObjectiveEvaluation(MEASURED, ONE_VIEWER, COMPARISON),
        "like": ObjectiveEvaluation(ONE_VIEWER),
        "reply": ObjectiveEvaluation(NEVER),
    },
    curves={"click": CURVES, "like": CURVES, "reply": CURVES},
    utility=COMPARED_UTILITY,
    sessions=SESSIONS,
    slices_dropped=(("author",),),
    verdicts=(
        verdict("click", "auc"),
        verdict("like", "o_over_e", "failed", "tv"),
        verdict("click", "o_over_e", "failed", "tv", blocking=False),
        verdict("reply", "auc", "too few", blocking=False),
    ),
    slice_verdicts={"passed": 3, "failed": 2},
)


@pytest.fixture
def runs(tmp_path: Path) -> list[ComponentRun]:
    """Three components that ran, one of them from the cache, and a model that was not pushed."""
    (tmp_path / "gates.json").write_text(EVALUATION.to_json())
    examples = OutputArtifact(
        "examples",
        {
            "train_rows": 70,
            "eval_rows": 10,
            "rows_per_day": '{"2026-01-05": 70}',
            "missing_days": "2026-01-06,2026-01-07",
            "feed_log_warnings": "a.parquet: 2 rows\nb.parquet: 3 rows",
        },
    )
    return [
        ComponentRun(
            "FeedLogGen", State.CACHED, 0.1234567, {"examples": [examples]}, cpu_seconds=0.0567, peak_memory=7
        ),
        ComponentRun("Evaluator", State.RAN, 2.0, {"evaluation": [OutputArtifact(str(tmp_path))]}, peak_memory=9),
        ComponentRun("Pusher", State.RAN, 0.5, {"pushed_model": [OutputArtifact("push", {"pushed": 0})]}),
    ]


TRAINING = TrainingIdentity("2026-01-12", "c0de", "da7a", "cold")


def summary(runs: list[ComponentRun]) -> RunSummary:
    return summarise("run", CONFIGS["feed"], date(2026, 1, 12), Path("log"), runs)


def test_gates_are_reported_per_objective_and_only_if_they_block(runs: list[ComponentRun]) -> None:
    result = summary(runs)
    gates = {name: metrics.gate for name, metrics in result.objectives.items()}
    assert gates == {"click": "passed", "like": "refused: o_over_e on tv", "reply": "too few positives to judge: auc"}
    states = [metrics.state for metrics in result.objectives.values()]
    assert states == ["passed", "refused", "too few"]
    assert [(gate.objective, gate.slice, gate.outcome) for gate in result.gates] == [
        ("click", "", "passed"),
        ("like", "tv", "failed"),
        ("click", "tv", "failed"),
        ("reply", "", "too few"),
    ]
    assert result.gates[1] == GateSummary(
        objective="like",
        slice="tv",
        metric="o_over_e",
        value=1.0,
        lower=0.5,
        upper=None,
        limit=(0.8, 1.25),
        outcome="failed",
        passed=False,
        blocking=True,
        text="like on tv: o_over_e failed",
    )
    assert result.baseline == Baseline("1")
    assert result.slice_gates == {"passed": 3, "failed": 2}
    assert result.slices_dropped == (("author",),)
    assert result.report is None
    assert result.blessed is False
    assert result.pushed_model is None


def test_metrics_have_their_intervals_and_undefined_values_are_none(runs: list[ComponentRun]) -> None:
    click, like, reply = summary(runs).objectives.values()
    assert (click.auc, click.auc_lower, click.auc_upper) == (0.7512, 0.74, 0.7625)
    assert (click.positives, click.normalized_entropy) == (2_000, 0.9)
    assert (click.normalized_entropy_lower, click.normalized_entropy_upper) == (0.85, 0.95)
    assert (click.normalized_entropy_growth, click.normalized_entropy_growth_lower) == (0.02, -0.01)
    assert click.baseline is not None
    assert click.baseline.o_over_e == 2.0
    assert (click.auc_drop, click.auc_drop_lower, click.calibration_worsening) == (0.01, None, None)
    assert (like.o_over_e, like.o_over_e_upper, like.o_over_e_variance) == (2.0, None, None)
    assert (reply.auc, reply.auc_lower, reply.normalized_entropy) == (None, None, None)
    assert (like.baseline, like.auc_drop) == (None, None)


def test_session_metrics_are_reported_by_objective_and_for_the_utility(runs: list[ComponentRun]) -> None:
    result = summary(runs)
    click, _, reply = result.objectives.values()
    assert (click.gauc, click.gauc_lower, click.gauc_upper, click.gauc_sessions) == (0.651, 0.63, 0.67, 480)
    assert (click.ndcg, click.ndcg_sessions, click.gauc_drop, click.ndcg_drop) == (0.52, 490, 0.002, -0.003)
    assert click.baseline is not None
    assert (click.baseline.gauc, click.baseline.gauc_sessions) == (0.75, 1)
    assert (reply.gauc, reply.gauc_sessions, reply.gauc_drop) == (None, 0, None)
    utility = result.utility
    assert utility is not None
    assert (utility.k, utility.weights) == (10, {"click": 0.5, "reply": 2.0})
    assert (utility.session_share, utility.impressions_without_session) == (1.0, 0)
    assert (utility.sessions, utility.top_utility, utility.top_utility_lower) == (500, 1.234, 1.2)
    assert (utility.ndcg, utility.ndcg_sessions) == (0.55, 495)
    assert utility.baseline is not None
    assert (utility.baseline.top_utility, utility.baseline.top_utility_lower) == (1.0, None)
    assert (utility.baseline.ndcg, utility.ndcg_drop) == (None, None)
    assert (utility.utility_drop, utility.utility_drop_lower, utility.utility_drop_upper) == (-0.234, -0.3, -0.168)
    assert RunSummary.from_json(result.to_json()) == result


def test_the_length_of_the_training_is_that_of_its_history(tmp_path: Path, runs: list[ComponentRun]) -> None:
    assert summary(runs).training_length is None
    history = TrainingHistory(["click"], 0.7, step=[10, 18], epochs=2, batch_size=512)
    (tmp_path / "history.json").write_text(history.to_json())
    run = OutputArtifact(str(tmp_path))
    trained = [*runs, ComponentRun("TowerTrainer", State.RAN, 1.0, {"model_run": [run]})]
    assert summary(trained).training_length == TrainingLength(steps=18, epochs=2, batch_size=512)


def test_the_forests_training_is_noted_where_a_forest_was_trained(tmp_path: Path, runs: list[ComponentRun]) -> None:
    assert summary(runs).training_notes == ()
    limited = TrainingCurve((0.5,), (0.5,), 20, {"reply": 20}, {"reply": LimitedOutput(2, 20)})
    (tmp_path / "training_curve.json").write_text(limited.to_json())
    forest = OutputArtifact(str(tmp_path))
    trained = [*runs, ComponentRun("ForestTrainer", State.RAN, 1.0, {"forest": [forest]})]
    assert summary(trained).training_notes == limited.notes() != ()
    (tmp_path / "training_curve.json").unlink()  # a warm start keeps the forest, and has no curve
    assert summary(trained).training_notes == ()


def test_a_damaged_evaluation_is_named(tmp_path: Path, runs: list[ComponentRun]) -> None:
    (tmp_path / "gates.json").write_text(EVALUATION.to_json().replace('"blessed": false', '"blessed": "perhaps"'))
    with pytest.raises(DocumentError, match=r"gates\.json: blessed: Input should be a valid boolean"):
        summary(runs)


def test_rows_days_and_cache_are_reported(runs: list[ComponentRun]) -> None:
    result = summary(runs)
    assert result.status == "complete"
    assert result.rows == {"train": 70, "eval": 10}
    assert result.missing_days == ("2026-01-06", "2026-01-07")
    assert result.feed_log_warnings == ("a.parquet: 2 rows", "b.parquet: 3 rows")
    assert result.components[0] == ComponentSummary(
        "FeedLogGen", "cached", cached=True, seconds=0.123, rows=80, cpu_seconds=0.057
    )
    assert [component.rows for component in result.components] == [80, 10, None]
    assert [component.peak_memory for component in result.components] == [None, 9, None]


def test_replayed_rows_are_reported_if_there_are_any(runs: list[ComponentRun]) -> None:
    examples = runs[0].outputs["examples"][0]
    replayed = OutputArtifact("examples", {**examples.properties, "replay_rows": 30})
    result = summary([ComponentRun("FeedLogGen", State.RAN, 0.1, {"examples": [replayed]})])
    assert result.rows == {"replay": 30, "train": 70, "eval": 10}


def test_a_pushed_model_is_named(runs: list[ComponentRun]) -> None:
    pushed = OutputArtifact("push", {"pushed": 1, "pushed_destination": "serving/7", "pushed_version": "7"})
    result = summary([*runs[:2], ComponentRun("Pusher", State.RAN, 0.5, {"pushed_model": [pushed]})])
    assert result.pushed_model == "serving/7"


def test_the_report_is_copied_to_the_runs_folder(tmp_path: Path, runs: list[ComponentRun]) -> None:
    (tmp_path / "report.html").write_text("<h1>")
    report = ComponentRun("CalibrationReport", State.CACHED, 0.1, {"report": [OutputArtifact(str(tmp_path))]})
    folder = tmp_path / "runs" / "run"
    path = copy_report(folder, [*runs, report])
    assert path == folder / "report.html"
    assert path.read_text() == "<h1>"
    assert [file.name for file in folder.iterdir()] == ["report.html"]
    assert copy_report(folder, runs) is None
    assert summarise("run", CONFIGS["feed"], date(2026, 1, 12), Path("log"), runs, path).report == str(path)


def test_the_event_files_are_copied_to_the_runs_folder(tmp_path: Path, runs: list[ComponentRun]) -> None:
    artifact = tmp_path / "artifacts" / "model_run"
    (artifact / "tensorboard").mkdir(parents=True)
    (artifact / "tensorboard" / "events.out.tfevents.1").write_bytes(b"losses")
    towers = ComponentRun("TowerTrainer", State.RAN, 1.0, {"model_run": [OutputArtifact(str(artifact), {})]})
    folder = tmp_path / "runs" / "first"
    for _ in range(2):  # a run that continues after a kill copies again
        assert copy_tensorboard(folder, [*runs, towers]) == folder / "tensorboard"
    assert (folder / "tensorboard" / "events.out.tfevents.1").read_bytes() == b"losses"
    assert copy_tensorboard(folder, []) is None


def test_a_failure_is_reported_without_other_results(runs: list[ComponentRun]) -> None:
    result = summary([ComponentRun("FeedLogGen", State.FAILED, 1.0, error="no such day")])
    assert result.status == "failed"
    assert result.failure == Failure("FeedLogGen", "no such day")
    assert (result.rows, result.objectives, result.blessed, result.pushed_model) == ({}, {}, None, None)


def test_the_file_is_written_atomically(tmp_path: Path, runs: list[ComponentRun]) -> None:
    path = write_summary(tmp_path / "runs" / "run", summary(runs))
    assert RunSummary.from_json(path.read_text()) == summary(runs)
    assert [file.name for file in path.parent.iterdir()] == ["summary.json"]


def test_the_training_is_named(runs: list[ComponentRun]) -> None:
    start = StartPlan("cold", "first")
    result = summarise("run", CONFIGS["feed"], date(2026, 1, 12), Path("log"), runs, None, start, TRAINING)
    assert (result.start, result.training, result.training_fingerprint) == (start, TRAINING, TRAINING.fingerprint)


def test_the_file_has_flat_keys_for_scripts(tmp_path: Path, runs: list[ComponentRun]) -> None:
    content = json.loads(write_summary(tmp_path, summary(runs)).read_text())
    assert content["objectives"]["click"]["auc_lower"] == 0.74
    assert content["objectives"]["click"]["gate"] == "passed"
    assert content["gates"][1]["limit"] == [0.8, 1.25]
    assert content["components"][0]["cached"] is True
    assert content["slices_dropped"] == [["author"]]


def test_a_finished_run_is_equal_after_a_round_trip_through_its_file(runs: list[ComponentRun]) -> None:
    finished = replace(
        summarise(
            "run", CONFIGS["feed"], date(2026, 1, 12), Path("log"), runs, None, StartPlan("cold", "first"), TRAINING
        ),
        monitoring=MonitoringSummary("monitor.html", ("click: O/E",)),
    )
    assert RunSummary.from_json(finished.to_json()) == finished
    with pytest.raises(DocumentError, match=r"summary\.json: status: "):
        RunSummary.from_json(finished.to_json().replace('"complete"', '"half"'))


def test_rows_are_those_of_the_splits_that_a_component_reads() -> None:
    rows = {"train": 70, "eval": 10}
    assert rows_read("Transform", rows) == 80
    assert rows_read("TowerTrainer", rows) == 70
    assert rows_read("Evaluator", rows) == 10
    assert rows_read("Pusher", rows) is None
    rows["replay"] = 100
    components = ("Transform", "StatisticsGen", "ForestTrainer", "TowerTrainer", "Evaluator")
    assert [rows_read(component, rows) for component in components] == [180, 80, 170, 170, 10]
    assert rows_read("Transform", {}) is None
