"""`--monitor` on the built-in feed with injected faults: it names the faulty feature or slice, and no other."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from datasets.synthetic import generate
from pipeline.local.day_reading import ModelError, score_day
from pipeline.local.monitor import ALARM, DONE, monitor_day, record_run
from pipeline.local.run_summary import RunSummary
from pipeline.local.workdir import Workdir
from pipeline_config import CONFIGS
from ranker.config.columns import Categorical, DenseEmbedding, Features, MultiValued
from ranker.config.rows import Rows
from ranker.evaluation.baseline import Baseline
from ranker.evaluation.evaluated_slice import ObjectiveEvaluation
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.intervals import Estimate
from ranker.feed_log.layout import FeedLogError
from ranker.monitoring.history import HealthHistory
from ranker.monitoring.record import DayRecord
from tests.pipeline.local.pushed_model import push

# A part of the built-in config with every kind of feature; the other features would only take time.
CONFIG = replace(
    CONFIGS["feed"],
    objectives=tuple(o for o in CONFIGS["feed"].objectives if o.name in ("click", "like")),
    features=Features(
        numeric=("viewer_ctr_30d", "viewer_topic_match", "item_quality_score", "item_age_hours"),
        categorical=tuple(Categorical(name) for name in ("device", "content_type", "connection_degree", "day_of_week")),
        multi_valued=(MultiValued("item_topics"),),
        dense=(DenseEmbedding("content_embedding", size=32),),
    ),
    slices=(("device",), ("content_type",)),
    tradeoff=None,
    train_days=3,
)
START = date(2026, 3, 2)
DAYS = [START + timedelta(days=i) for i in range(6)]
EVAL_DAY, FIRST_FAULT = DAYS[3], DAYS[4]

Fault = Callable[[pa.Table], pa.Table]


RUN = RunSummary("run", CONFIG.name, EVAL_DAY.isoformat(), "log", "complete")


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six days: three training days, one eval day and two later days."""
    root = tmp_path_factory.mktemp("feed")
    generate(root, days=len(DAYS), impressions_per_day=3_000, seed=4, start=START)
    return root


@pytest.fixture(scope="module")
def serving(feed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A push destination with one model."""
    destination = tmp_path_factory.mktemp("serving")
    push(feed, DAYS[:3], EVAL_DAY, CONFIG.objective_names, destination)
    return destination


@pytest.fixture
def workdir(serving: Path, tmp_path: Path) -> Workdir:
    """A working folder in which that model is pushed."""
    found = Workdir(tmp_path / "workdir")
    found.root.mkdir()
    found.serving_model.symlink_to(serving)
    return found


def with_fault(feed: Path, root: Path, fault: Fault) -> Path:
    """A copy of the feed with a fault from its fifth day on."""
    for day in DAYS:
        folder = root / f"day-{day}"
        folder.mkdir(parents=True)
        for file in sorted((feed / folder.name).iterdir()):
            table = pq.read_table(file)
            pq.write_table(fault(table) if day >= FIRST_FAULT else table, folder / file.name)
    return root


def replaced(table: pa.Table, name: str, values: Any) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)


def monitor(workdir: Workdir, feed: Path, day: date) -> tuple[int, str]:
    """The exit status of monitoring a day, and its terminal output."""
    file = io.StringIO()
    return monitor_day(CONFIG, workdir, feed, day, Console(file=file, width=200)), file.getvalue()


def recorded(workdir: Workdir) -> dict[str, DayRecord]:
    return {record.day: record for record in HealthHistory(workdir.monitoring).days()}


@pytest.mark.slow
def test_a_clean_feed_raises_no_alarm_on_any_day(feed: Path, workdir: Workdir) -> None:
    for day in DAYS[3:]:
        status, shown = monitor(workdir, feed, day)
        assert (status, "alarm" in shown) == (DONE, False), shown
    days = recorded(workdir)
    assert list(days) == [day.isoformat() for day in DAYS[3:]]
    assert all(record.alarms == () and record.source == "monitor" for record in days.values())
    assert (workdir.monitoring / "monitor.html").is_file()
    assert f"monitor: {workdir.monitoring / 'monitor.html'}" in shown


@pytest.mark.slow
@pytest.mark.parametrize(
    ("feature", "default", "said"),
    [
        ("viewer_topic_match", pa.scalar(0.0, pa.float32()), "frozen: 0 in all 3,"),
        ("item_quality_score", pa.scalar(None, pa.float32()), "frozen: missing in all 3,"),
        ("connection_degree", pa.scalar("first"), "frozen: 'first' in all 3,"),
    ],
)
def test_a_feature_frozen_to_its_default_is_named(
    feed: Path, workdir: Workdir, tmp_path: Path, feature: str, default: pa.Scalar, said: str
) -> None:
    def freeze(table: pa.Table) -> pa.Table:
        return replaced(table, feature, pa.array([default.as_py()] * len(table), default.type))

    log = with_fault(feed, tmp_path / "log", freeze)
    assert monitor(workdir, log, EVAL_DAY)[0] == DONE
    status, shown = monitor(workdir, log, FIRST_FAULT)
    assert status == ALARM
    assert f"alarm: {FIRST_FAULT}: feature {feature}: {said}" in shown
    assert shown.startswith("alarm: ")
    assert shown.count(": feature ") == 1


@pytest.mark.slow
def test_a_label_that_one_device_does_not_log_is_named_with_the_device(
    feed: Path, workdir: Workdir, tmp_path: Path
) -> None:
    def silence(table: pa.Table) -> pa.Table:
        likes = table["like"].to_numpy().copy()
        likes[np.array(table["device"].to_pylist()) == "ios"] = 0
        return replaced(table, "like", pa.array(likes))

    log = with_fault(feed, tmp_path / "log", silence)
    assert monitor(workdir, log, EVAL_DAY)[0] == DONE
    for day in DAYS[4:]:
        status, shown = monitor(workdir, log, day)
        assert status == ALARM
        alarms = [line for line in shown.splitlines() if line.startswith("alarm:")]
        assert len(alarms) == 1, shown
        assert alarms[0].startswith(f"alarm: {day}: like on device=ios: O/E is 0.000 [0.000, 0.")
        assert "below the range of 0.67 to 1.5: 0 observed" in alarms[0]
    assert [bool(record.alarms) for record in recorded(workdir).values()] == [False, True, True]


@pytest.mark.slow
def test_the_record_matches_the_log(feed: Path, workdir: Workdir) -> None:
    monitor(workdir, feed, FIRST_FAULT)
    table = pq.read_table(feed / f"day-{FIRST_FAULT}")
    record = recorded(workdir)[FIRST_FAULT.isoformat()]
    assert record.rows == len(table)
    found = {(o.objective, o.slice): o for o in record.outcomes}
    on_ios = np.array(table["device"].to_pylist()) == "ios"
    assert found["like", ""].observed == table["like"].to_numpy().sum()
    assert found["like", "device=ios"].observed == table["like"].to_numpy()[on_ios].sum()
    assert found["like", "device=ios"].impressions == on_ios.sum()
    quality = next(f for f in record.features if f.feature == "viewer_topic_match")
    assert quality.typical == pytest.approx(np.nanmean(table["viewer_topic_match"].to_numpy()), rel=1e-5)


@pytest.mark.slow
def test_the_same_day_again_replaces_it_and_reads_no_training_day_again(
    feed: Path, workdir: Workdir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor(workdir, feed, EVAL_DAY)
    before = recorded(workdir)

    def refuse(*arguments: Any) -> None:
        raise AssertionError("a training day was read again")

    monkeypatch.setattr("pipeline.local.monitor.profile_day", refuse)
    monitor(workdir, feed, EVAL_DAY)
    assert recorded(workdir) == before


@pytest.mark.slow
def test_other_conditions_on_rows_make_other_profiles(feed: Path, workdir: Workdir) -> None:
    monitor(workdir, feed, EVAL_DAY)
    history, on_ios = HealthHistory(workdir.monitoring), replace(CONFIG, rows=Rows(where=[("device", "==", "ios")]))
    monitor_day(on_ios, workdir, feed, EVAL_DAY, Console(file=io.StringIO()))
    for day in (EVAL_DAY, DAYS[0]):
        profile = history.profile(day, CONFIG.features)
        assert profile is not None
        assert profile.rows == pq.read_table(feed / f"day-{day}")["device"].to_pylist().count("ios")
    record = recorded(workdir)[EVAL_DAY.isoformat()]
    assert (record.rows, record.outcomes[0].impressions) == (history.profile(EVAL_DAY, CONFIG.features).rows,) * 2  # type: ignore[union-attr]
    assert any(note.startswith("rows.where leaves out ") for note in record.notes)


@pytest.mark.slow
def test_the_profile_of_a_removed_training_day_is_read_from_the_record(
    feed: Path, workdir: Workdir, tmp_path: Path
) -> None:
    monitor(workdir, feed, EVAL_DAY)
    pruned = tmp_path / "pruned"
    pruned.mkdir()
    (pruned / f"day-{FIRST_FAULT}").symlink_to(feed / f"day-{FIRST_FAULT}")
    monitor(workdir, pruned, FIRST_FAULT)
    record = recorded(workdir)[FIRST_FAULT.isoformat()]
    assert all(f.limit is not None for f in record.features)


@pytest.mark.slow
def test_rows_of_another_day_are_a_note_or_an_error(feed: Path, workdir: Workdir, tmp_path: Path) -> None:
    table = pq.read_table(feed / f"day-{EVAL_DAY}")
    times = table["timestamp"].to_numpy().copy()
    times[5] += 3 * 86_400_000
    index = table.schema.get_field_index("timestamp")
    path = tmp_path / "log" / f"day-{EVAL_DAY}" / "part-0.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(table.set_column(index, "timestamp", pa.array(times)), path)
    said = f"{path}: timestamp column 'timestamp': 1 of the 3,000 rows of the day is outside of {EVAL_DAY}"
    _, shown = monitor(workdir, path.parent.parent, EVAL_DAY)
    assert f"warning: {said}, the first in row 5" in shown
    assert any(note.startswith(said) for note in recorded(workdir)[EVAL_DAY.isoformat()].notes)

    pq.write_table(table.set_column(index, "timestamp", pa.array(times // 1000)), path)
    with pytest.raises(FeedLogError, match="looks like seconds since 1970"):
        monitor(workdir, path.parent.parent, EVAL_DAY)


@pytest.mark.slow
def test_a_day_that_the_model_may_have_seen_has_a_note(feed: Path, workdir: Workdir) -> None:
    said = f"the model was evaluated on {EVAL_DAY}, so it may have seen {DAYS[1]}"
    _, shown = monitor(workdir, feed, DAYS[1])
    assert f"warning: {said}\n" in shown
    assert recorded(workdir)[DAYS[1].isoformat()].notes[0] == said
    _, shown = monitor(workdir, feed, EVAL_DAY)
    assert "warning" not in shown


@pytest.mark.slow
def test_scores_are_compared_with_those_of_the_run_that_pushed_the_model(feed: Path, workdir: Workdir) -> None:
    """A run records its model's scores; if the model later predicts differently on the same log, there is an alarm."""
    evaluation = evaluated(feed, workdir)
    version = next(iter(workdir.serving_model.iterdir())).name
    summary = replace(
        RUN,
        blessed=True,
        training_fingerprint="f",
        pushed_model=str(workdir.serving_model / version),
        baseline=Baseline(),
    )
    record = record_run(CONFIG, workdir, feed, EVAL_DAY, summary, evaluation)
    assert (record.source, record.version, record.alarms) == ("run", version, ())
    assert monitor(workdir, feed, FIRST_FAULT)[0] == DONE
    scores = recorded(workdir)[FIRST_FAULT.isoformat()].scores
    assert all(s.divergence is not None and s.limit is not None and s.divergence < s.limit for s in scores)

    stored = workdir.monitoring / "scores" / "f.json"
    usual = json.loads(stored.read_text())
    usual["click"]["first_bucket"] -= 12
    stored.write_text(json.dumps(usual))
    status, shown = monitor(workdir, feed, FIRST_FAULT)
    assert status == ALARM
    assert f"alarm: {FIRST_FAULT}: click: scores diverge by 0." in shown


@pytest.mark.slow
@pytest.mark.parametrize("is_new", [True, False])
def test_a_run_records_the_model_that_served_on_the_day_also_if_it_pushes_another(
    feed: Path, workdir: Workdir, is_new: bool
) -> None:
    evaluation = with_baseline(evaluated(feed, workdir))
    version = next(iter(workdir.serving_model.iterdir())).name
    # The recorded scores of the serving model, far from the predictions of both models now.
    usual = {name: curves.candidate.scores for name, curves in evaluation.curves.items()}
    usual["click"] = replace(usual["click"], first_bucket=usual["click"].first_bucket - 12)
    HealthHistory(workdir.monitoring).write_scores("f", usual)
    summary = replace(
        RUN,
        blessed=is_new,
        training_fingerprint="another",
        pushed_model=str(workdir.serving_model / "1700000001") if is_new else None,
        baseline=Baseline(version),
    )
    record = record_run(CONFIG, workdir, feed, EVAL_DAY, summary, evaluation)
    scores = {found.objective: found for found in record.scores}
    assert record.version == version
    assert [alarm.split(": ")[0] for alarm in record.alarms] == ["click"]
    assert scores["like"].divergence == 0.0
    assert "not compared" not in " ".join(record.notes)
    # The next day is compared with the day of the model that this run pushed.
    assert (HealthHistory(workdir.monitoring).scores("another") is not None) == is_new


@pytest.mark.slow
def test_a_run_without_a_push_records_the_model_that_continues_to_serve(feed: Path, workdir: Workdir) -> None:
    evaluation = with_baseline(evaluated(feed, workdir))
    click = evaluation.objectives["click"]
    low = replace(click.candidate, mean_prediction=0.01, o_over_e=Estimate(21.0, 20.0, 22.0))
    objectives = {**evaluation.objectives, "click": replace(click, candidate=low)}
    evaluation = replace(evaluation, objectives=objectives)
    summary = replace(RUN, blessed=False, baseline=Baseline("1699999999"))
    record = record_run(CONFIG, workdir, feed, EVAL_DAY, summary, evaluation)
    assert record.version == "1699999999"
    assert record.alarms == ()
    by_utility, by_click, by_like = record.rankings
    assert (by_utility.objective, by_click.objective, by_like.objective) == ("", "click", "like")
    assert by_utility.top_utility == evaluation.utility.of("baseline").top_utility
    assert by_click.gauc == evaluation.objectives["click"].of("baseline").ranking.gauc
    assert by_click.gauc.value > 0.5
    assert not (workdir.monitoring / "scores").exists()


@pytest.mark.slow
def test_a_baseline_that_does_not_serve_is_not_recorded_as_the_serving_model(feed: Path, workdir: Workdir) -> None:
    evaluation = with_baseline(evaluated(feed, workdir))
    older = Baseline("1699999999", reason="version 1700000000, which is newer, was trained on the day")
    summary = replace(RUN, blessed=False, baseline=older)
    assert record_run(CONFIG, workdir, feed, EVAL_DAY, summary, evaluation).version == ""


@pytest.mark.slow
def test_objectives_that_the_serving_model_lacks_are_left_out(feed: Path, workdir: Workdir) -> None:
    evaluation = with_baseline(evaluated(feed, workdir))

    def without_like(objectives: dict[str, ObjectiveEvaluation]) -> dict[str, ObjectiveEvaluation]:
        return {name: replace(found, baseline=None) if name == "like" else found for name, found in objectives.items()}

    evaluation = replace(
        evaluation,
        objectives=without_like(evaluation.objectives),
        slices=tuple(replace(entry, objectives=without_like(entry.objectives)) for entry in evaluation.slices),
    )
    summary = replace(RUN, blessed=False, baseline=Baseline("1699999999", lacks=("like",)))
    record = record_run(CONFIG, workdir, feed, EVAL_DAY, summary, evaluation)
    assert record.version == "1699999999"
    assert {outcome.objective for outcome in record.outcomes} == {"click"}
    assert {score.objective for score in record.scores} == {"click"}


def evaluated(feed: Path, workdir: Workdir) -> Evaluation:
    """An evaluation of the day that the model was evaluated on."""
    version = next(iter(workdir.serving_model.iterdir()))
    return score_day(CONFIG, feed, EVAL_DAY, version)[1]


def with_baseline(evaluation: Evaluation) -> Evaluation:
    """The same, with a serving model with the candidate's predictions."""

    def twice(objectives: dict[str, ObjectiveEvaluation]) -> dict[str, ObjectiveEvaluation]:
        return {name: replace(found, baseline=found.candidate) for name, found in objectives.items()}

    return replace(
        evaluation,
        objectives=twice(evaluation.objectives),
        utility=replace(evaluation.utility, baseline=evaluation.utility.candidate),
        slices=tuple(replace(entry, objectives=twice(entry.objectives)) for entry in evaluation.slices),
        curves={name: replace(curves, baseline=curves.candidate) for name, curves in evaluation.curves.items()},
    )


def test_what_cannot_be_monitored_is_one_clear_error(feed: Path, workdir: Workdir, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model is serving yet; run without --monitor"):
        monitor(Workdir(tmp_path / "empty"), feed, EVAL_DAY)
    with pytest.raises(FeedLogError, match=r"no folder day-2027-01-01; days there: 2026-03-02"):
        monitor(workdir, feed, date(2027, 1, 1))
    fewer = replace(CONFIG, objectives=CONFIG.objectives[:1])
    with pytest.raises(ModelError, match=r"it predicts \['click', 'like'\] and not \['click'\]"):
        monitor_day(fewer, workdir, feed, EVAL_DAY, Console(file=io.StringIO()))
    assert recorded(workdir) == {}
