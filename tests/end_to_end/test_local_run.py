"""From a feed log to a pushed model, by the command that a user types."""

import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import anomalies_pb2

from pipeline.local import cli
from pipeline_config import CONFIGS
from ranker.monitoring.history import HealthHistory
from ranker.registry.versions import read_manifest
from ranker.reports.text import number
from tests.end_to_end.conftest import DAYS, IMPRESSIONS_PER_DAY, FinishedRun, run_locally
from tests.ranker.reports.browser import WIDTHS, assert_sound, browser, show

pytestmark = pytest.mark.slow

COMPONENTS = [
    "TrainingStart",
    "FeedLogGen",
    "SchemaImporter",
    "StatisticsGen",
    "ExampleValidator",
    "Transform",
    "ForestTrainer",
    "LeafEncoder",
    "TowerTrainer",
    "ServingModel",
    "Evaluator",
    "Pusher",
    "CalibrationReport",
]


def test_the_run_ends_in_a_pushed_model(first_run: FinishedRun, workdir: Path) -> None:
    assert first_run.status == 0, first_run.output
    assert first_run.summary["status"] == "complete"
    assert first_run.summary["blessed"] is True
    pushed = Path(first_run.summary["pushed_model"])
    assert pushed.parent == workdir / "serving_model"
    assert (pushed / "saved_model.pb").is_file()
    manifest = read_manifest(str(pushed.parent), pushed.name)
    assert manifest is not None
    assert manifest.config_name == "feed"


def test_another_config_does_not_replace_it(
    first_run: FinishedRun, workdir: Path, small_feed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(workdir.rglob("*"))
    arguments = ["--config", "feed-first-pass", "--workdir", str(workdir), "--feed-log", str(small_feed)]
    assert cli.main(arguments) == cli.USAGE
    version = Path(first_run.summary["pushed_model"]).name
    assert (
        f"version {version} at {workdir / 'serving_model'} is a model of the config 'feed'" in capsys.readouterr().err
    )
    assert sorted(workdir.rglob("*")) == before


def test_the_summary_tells_what_was_trained_on_what(first_run: FinishedRun) -> None:
    summary = first_run.summary
    assert sorted(c["component"] for c in summary["components"]) == sorted(COMPONENTS)
    assert summary["day"] == "2026-03-09"
    assert summary["missing_days"] == []
    assert summary["rows"]["train"] == sum(summary["rows_per_day"].values()) - summary["rows_per_day"]["2026-03-09"]
    assert len(summary["rows_per_day"]) == DAYS
    assert summary["rows"]["eval"] == pytest.approx(IMPRESSIONS_PER_DAY, rel=0.2)
    for name in CONFIGS["feed"].objective_names:
        metrics = summary["objectives"][name]
        assert metrics["auc_lower"] <= metrics["auc"] <= metrics["auc_upper"]
        assert metrics["o_over_e_lower"] <= metrics["o_over_e"] <= metrics["o_over_e_upper"]
        assert 0 < metrics["positives"] < metrics["impressions"] == summary["rows"]["eval"]


def test_no_honest_column_tells_an_outcome_and_every_metric_has_its_references(first_run: FinishedRun) -> None:
    summary = first_run.summary
    assert summary["leaks"] == []
    assert summary["held_out_day"]["usual"] == pytest.approx(IMPRESSIONS_PER_DAY, rel=0.2)
    for metrics in summary["objectives"].values():
        forest, base_rate = metrics["forest"], metrics["base_rate"]
        assert forest["impressions"] == base_rate["impressions"] == metrics["impressions"]
        assert forest["positives"] == metrics["positives"]
        assert base_rate["auc"] == 0.5
        assert 0.999 < base_rate["normalized_entropy"] < 1.3
    click = summary["objectives"]["click"]
    assert click["forest"]["auc"] == pytest.approx(click["auc"], abs=0.1)
    page = Path(summary["report"]).read_text()
    for table in ("groups", "gains"):
        assert f'id="table-{table}"' in page


def test_the_model_has_learnt_the_frequent_objectives(first_run: FinishedRun) -> None:
    objectives = first_run.summary["objectives"]
    assert objectives["click"]["auc"] > 0.65
    assert objectives["like"]["auc"] > 0.65
    assert objectives["click"]["normalized_entropy"] < 1.0


def test_sessions_are_ranked_better_than_by_guessing(first_run: FinishedRun, workdir: Path) -> None:
    objectives, utility = first_run.summary["objectives"], first_run.summary["utility"]
    assert objectives["click"]["gauc_lower"] > 0.5
    assert 0.0 < objectives["click"]["ndcg_lower"] < objectives["click"]["ndcg"] < 1.0
    assert utility["weights"]["click"] == 0.5
    assert (utility["k"], utility["session_share"], utility["impressions_without_session"]) == (10, 1.0, 0)
    assert utility["top_utility_lower"] > 0.0
    assert 100 < objectives["click"]["gauc_sessions"] <= utility["sessions"] <= first_run.summary["rows"]["eval"]
    assert "utility of the top 10" in first_run.output
    [recorded] = HealthHistory(workdir / "monitoring").days()
    assert [ranking.objective for ranking in recorded.rankings] == ["", *CONFIGS["feed"].objective_names]
    assert recorded.rankings[0].top_utility.value == utility["top_utility"]


def test_a_killed_run_goes_on_from_the_last_finished_component(killed_run: str, first_run: FinishedRun) -> None:
    assert "Evaluator" not in killed_run
    states = {c["component"]: c["state"] for c in first_run.summary["components"]}
    finished = [name for name in COMPONENTS if f"✓ {name}" in killed_run]
    assert "ForestTrainer" in finished
    assert all(states[name] == "cached" for name in finished)
    assert states["TowerTrainer"] == "ran"


def test_a_repeated_run_is_all_cached_and_pushes_nothing_new(
    first_run: FinishedRun, second_run: FinishedRun, workdir: Path
) -> None:
    assert second_run.status == 0, second_run.output
    assert {c["state"] for c in second_run.summary["components"]} == {"cached"}
    assert second_run.summary["objectives"] == first_run.summary["objectives"]
    assert second_run.summary["pushed_model"] == first_run.summary["pushed_model"]
    assert len([p for p in (workdir / "serving_model").iterdir() if p.name.isdigit()]) == 1


def test_an_unchanged_run_has_the_outcome_of_a_cached_one_and_imports_no_tfx(
    second_run: FinishedRun, unchanged_run: FinishedRun, workdir: Path
) -> None:
    lines = unchanged_run.output.splitlines()
    log = workdir / "runs" / unchanged_run.summary["run_id"] / "run.log"
    assert lines.pop() == "imported:", [line for line in log.read_text().splitlines() if "a full run" in line]
    assert unchanged_run.status == second_run.status == 0
    assert "unchanged: all components are cached" in lines
    assert without_times(lines, unchanged_run) == without_times(second_run.output.splitlines(), second_run)
    summaries = []
    for run in (second_run, unchanged_run):
        report = Path(run.summary["report"])
        assert report.is_file()
        events = Path(run.summary["tensorboard"])
        assert events == report.parent / "tensorboard"
        assert any(file.name.startswith("events.out.tfevents") for file in events.rglob("*"))
        components = [{**component, "seconds": 0, "cpu_seconds": 0} for component in run.summary["components"]]
        own = {"run_id": "", "report": report.name, "tensorboard": events.name, "components": components}
        summaries.append({**run.summary, **own})
    assert summaries[0] == summaries[1]


def without_times(lines: list[str], run: FinishedRun) -> list[str]:
    """What a run printed, without its duration and its name."""
    return [re.sub(r"\d+\.\d s$", "", line).replace(run.summary["run_id"], "RUN") for line in lines]


def test_the_report_opens_in_a_browser(first_run: FinishedRun, workdir: Path, tmp_path: Path) -> None:
    report = Path(first_run.summary["report"])
    assert report == workdir / "runs" / first_run.summary["run_id"] / "report.html"
    assert f"report: {report}" in first_run.output
    assert report.stat().st_size < 3_000_000
    version = Path(first_run.summary["pushed_model"]).name
    assert f"Blessed and pushed as version {version}" in report.read_text()
    with browser(tmp_path / "profile") as driver:
        for width in WIDTHS:
            show(driver, report, width)
            assert_sound(driver, figures=3 * len(CONFIGS["feed"].objectives) + 6)


def test_the_terminal_shows_components_and_objectives_only(first_run: FinishedRun) -> None:
    for name in (*COMPONENTS, *CONFIGS["feed"].objective_names):
        assert name in first_run.output
    assert "blessed" in first_run.output
    assert len(first_run.output.splitlines()) < 55


def test_the_pushed_model_scores_raw_features_of_the_log(first_run: FinishedRun, small_feed: Path) -> None:
    """O/E of the newest day, computed from the Parquet files and the pushed model alone."""
    config = CONFIGS["feed"]
    table = pq.read_table(small_feed / f"day-{first_run.summary['day']}")
    features: dict[str, tf.Tensor] = {}
    for name in config.features.numeric_names:
        features[name] = tf.constant(table[name].to_numpy().astype(np.float32))
    for categorical in config.features.categorical:
        features[categorical.name] = tf.constant(table[categorical.name].fill_null("").to_pylist())
    for multi_valued in config.features.multi_valued:
        lists = [values or [] for values in table[multi_valued.name].to_pylist()]
        features[multi_valued.name] = tf.ragged.constant(lists, dtype=tf.string).to_tensor(default_value="")
    for dense in config.features.dense:
        features[dense.name] = tf.constant(np.stack(table[dense.name].to_numpy()).astype(np.float32))
    # A signature loaded in Python has no defaults, so exposure is given; any value does.
    features["position"] = tf.fill([table.num_rows], 17.0)
    model = tf.saved_model.load(first_run.summary["pushed_model"])
    scores = model.signatures["score_features"](**features)
    for name in config.objective_names:
        predicted = scores[name].numpy().astype(np.float64).sum()
        observed = table[name].to_numpy().sum()
        assert observed / predicted == pytest.approx(first_run.summary["objectives"][name]["o_over_e"], rel=1e-4)


def test_the_run_records_the_health_of_its_day(first_run: FinishedRun, workdir: Path) -> None:
    monitoring = first_run.summary["monitoring"]
    assert monitoring["error"] is None
    assert f"monitor: {monitoring['page']}" in first_run.output
    assert Path(monitoring["page"]).is_file()
    [day] = [record for record in HealthHistory(workdir.joinpath("monitoring")).days() if record.source == "run"]
    assert day.day == first_run.summary["day"]
    assert day.version == Path(first_run.summary["pushed_model"]).name
    found = {outcome.objective: outcome for outcome in day.outcomes if not outcome.slice}
    for name, metrics in first_run.summary["objectives"].items():
        assert found[name].o_over_e == metrics["o_over_e"]
        assert found[name].observed == metrics["positives"]
    assert {feature.feature for feature in day.features} == set(CONFIGS["feed"].features.names)
    assert list(day.alarms) == monitoring["alarms"]


def test_report_and_monitor_show_the_same_drift(first_run: FinishedRun, workdir: Path) -> None:
    """ExampleValidator writes what the report shows."""
    [day] = [record for record in HealthHistory(workdir.joinpath("monitoring")).days() if record.source == "run"]
    [file] = workdir.joinpath("artifacts", "ExampleValidator", "anomalies").glob("*/Split-eval/SchemaDiff.pb")
    found = {
        info.path.step[0]: measured.value
        for info in anomalies_pb2.Anomalies.FromString(file.read_bytes()).drift_skew_info
        for measured in info.drift_measurements
        if measured.type == anomalies_pb2.DriftSkewInfo.Measurement.JENSEN_SHANNON_DIVERGENCE
        and info.path.step[0] in CONFIGS["feed"].features.names
    }
    assert found == {feature.feature: feature.distance for feature in day.features}
    report = Path(first_run.summary["report"]).read_text()
    assert all(number(distance, 4) in report for distance in found.values())


def test_a_broken_day_is_found_without_training(
    first_run: FinishedRun, small_feed: Path, workdir: Path, tmp_path: Path
) -> None:
    day = first_run.summary["day"]
    log = tmp_path / "log"
    shutil.copytree(small_feed, log)
    [file] = (log / f"day-{day}").iterdir()
    table = pq.read_table(file)
    likes = table["like"].to_numpy().copy()
    likes[np.array(table["device"].to_pylist()) == "ios"] = 0
    frozen = pa.array(np.zeros(len(table), np.float32))
    for name, values in (("like", pa.array(likes)), ("viewer_topic_match", frozen)):
        table = table.set_column(table.schema.get_field_index(name), name, values)
    pq.write_table(table, file)
    found = run_locally(workdir, "--feed-log", str(log), "--monitor", day)
    assert found.status == 4, found.output
    alarms = [line for line in found.output.splitlines() if line.startswith("alarm:")]
    assert alarms[0].startswith(f"alarm: {day}: feature viewer_topic_match: frozen: 0 in all ")
    assert any(line.startswith(f"alarm: {day}: like on device=ios: O/E is 0.000") for line in alarms)
    assert found.summary == {}
    assert len([path for path in (workdir / "serving_model").iterdir() if path.name.isdigit()]) == 1
