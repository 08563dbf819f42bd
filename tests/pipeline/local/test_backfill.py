"""The replay of a schedule, with fake runs of the days."""

import io
import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from pipeline.local import backfill as module
from pipeline.local import day_run
from pipeline.local.backfill import Backfill, backfill, days_between
from pipeline.local.day_plan import later_model
from pipeline.local.metrics_summary import ObjectiveSummary
from pipeline.local.run_summary import (
    DONE,
    FAILED,
    NOT_BLESSED,
    ComponentSummary,
    Failure,
    MonitoringSummary,
    RunSummary,
)
from pipeline.local.workdir import Workdir
from pipeline_config import FEED
from ranker.config.pipeline import PipelineConfig
from ranker.feed_log.layout import FeedLogError
from ranker.identity.recipe import judging_fingerprint
from ranker.identity.training import identify
from ranker.registry.manifest import Manifest
from ranker.registry.plan import StartPlan
from ranker.registry.rollback import roll_back
from ranker.registry.same_model import StoredModel
from ranker.registry.start import find_parent
from ranker.registry.versions import complete_versions, find_serving_version, read_manifest
from ranker.registry.withdrawal import read_withdrawals, reinstate, serves_again
from tests.ranker.registry.test_versions import push

MONDAY, FRIDAY = date(2026, 3, 9), date(2026, 3, 13)


class Days:
    """Fakes the runs of single days, and records their arguments and outcomes."""

    def __init__(self, root: Path) -> None:
        self.workdir = Workdir(root / "workdir")
        self.feed_log = root / "log"
        self.ran: list[date] = []
        self.held_back: set[date] = set()
        self.failing: set[date] = set()
        self.alarms: dict[date, list[str]] = {}
        self.problems: dict[date, tuple[str, ...]] = {}
        self.killed = False  # before the end of a withdrawal
        self.another_serves = False
        self.recipe = "recipe"

    def plan_day(
        self,
        config: Any,
        workdir: Workdir,
        feed_log: Path,
        day: date,
        refit: bool = False,
        publish_withdrawn: bool = False,
        replaces: str = "",
    ) -> SimpleNamespace:
        start = self.start(day, refit)
        training = identify(day, self.recipe, "data", start.start, start.parent_training)
        return SimpleNamespace(
            config=config, day=day, training=training, start=start, publish_withdrawn=publish_withdrawn
        )

    def start(self, day: date, refit: bool) -> StartPlan:
        """Warm from the newest model of an earlier day at the push destination."""
        parent = find_parent(str(self.workdir.serving_model), day)
        if refit or parent is None:
            return StartPlan("cold", "a refit was requested" if refit else "it is Monday")
        manifest = read_manifest(str(self.workdir.serving_model), parent)
        assert manifest is not None
        return StartPlan("warm", "", parent, 1, "2026-03-08", parent_training=manifest.training_fingerprint)

    def run_day(self, plan: Any, run_id: str, on_start: Any, on_end: Any) -> RunSummary:
        day = plan.day
        on_start("Pusher")
        self.ran.append(day)
        failed, blessed = day in self.failing, day not in self.held_back
        destination = str(self.workdir.serving_model)
        training = plan.training.fingerprint
        withdrawal = read_withdrawals(destination).of_training(training)
        there = serves_again(destination, training)
        not_pushed = withdrawal.text if withdrawal is not None and not (plan.publish_withdrawn or there) else None
        not_pushed = "another config serves" if self.another_serves else not_pushed
        summary = RunSummary(
            run_id=run_id,
            config="feed",
            day=day.isoformat(),
            feed_log="log",
            status="failed" if failed or self.killed else "complete",
            failure=Failure("Transform", "no [column]") if failed else None,
            training_fingerprint=plan.training.fingerprint,
            start=plan.start,
            rows={} if failed else {"train": 3_000} | ({"replay": 6_000} if day > MONDAY else {}),
            monitoring=None if failed else MonitoringSummary("monitor.html", tuple(self.alarms.get(day, []))),
            objectives={}
            if failed
            else {"click": ObjectiveSummary(10, 1, normalized_entropy=0.875), "like": ObjectiveSummary(10, 0)},
            blessed=None if failed else blessed,
            not_pushed=not_pushed,
            judging=judging_fingerprint(plan.config),
            problems=self.problems.get(day, ()),
            components=tuple(ComponentSummary("Pusher", "ran", False, seconds, None) for seconds in (30.0, 12.0)),
        )
        pushes = blessed and not failed and not_pushed is None
        version = max([0, *map(int, complete_versions(destination))]) + (not there)
        if pushes:
            summary = replace(summary, pushed_model=f"{destination}/{version}")
        folder = self.workdir.run(run_id)
        folder.mkdir(parents=True)
        (folder / "summary.json").write_text(summary.to_json())
        if pushes:
            manifest = Manifest(eval_day=day.isoformat(), training_fingerprint=plan.training.fingerprint)
            if not there:
                push(self.workdir.serving_model, str(version), manifest.to_json())
            if self.killed:
                raise KeyboardInterrupt
            reinstate(destination, StoredModel(f"{destination}/{version}"))
        return summary


@pytest.fixture
def days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Days:
    made = Days(tmp_path)
    monkeypatch.setattr(module, "plan_day", made.plan_day)
    monkeypatch.setattr(day_run, "prepare", lambda plan: plan)
    monkeypatch.setattr(day_run, "run_day", made.run_day)
    for day in days_between(MONDAY, FRIDAY):
        (made.feed_log / f"day-{day}").mkdir(parents=True)
    return made


def replay(
    days: Days,
    start: date = MONDAY,
    end: date = FRIDAY,
    run_id: str = "first",
    publish_withdrawn: bool = False,
    config: PipelineConfig = FEED,
) -> tuple[int, str]:
    out = io.StringIO()
    task = Backfill(config, days.workdir, days.feed_log, days_between(start, end), run_id, publish_withdrawn)
    return backfill(task, Console(file=out, width=100)), out.getvalue()


def summary_of(days: Days, run_id: str) -> RunSummary:
    """The summary of Friday."""
    return RunSummary.from_json((days.workdir.run(f"{run_id}_{FRIDAY}") / "summary.json").read_text())


def march(*numbers: int) -> list[date]:
    return [date(2026, 3, number) for number in numbers]


def test_every_day_runs_in_order_with_a_line_and_a_row_each(days: Days) -> None:
    status, text = replay(days)
    assert status == DONE
    assert days.ran == march(9, 10, 11, 12, 13)
    lines = text.splitlines()
    assert lines[0] == "2026-03-09  blessed  42 s, cold: it is Monday"
    assert lines[1] == "2026-03-10  blessed  42 s, warm"
    assert lines[5].split() == ["day", "start", "rows", "click", "like"]
    assert lines[6].split() == ["2026-03-09", "cold", "3,000", "0.875", "–", "blessed"]
    assert lines[7].split() == ["2026-03-10", "warm", "3,000", "+", "6,000", "0.875", "–", "blessed"]
    assert [line[:10] for line in lines[6:11]] == [line[:10] for line in lines[:5]]


def test_a_days_alarms_follow_its_line(days: Days) -> None:
    days.alarms = {march(10)[0]: ["feature age: frozen: 0 in all 9 impressions", "like: O/E is 0.000 [0.000, 0.084]"]}
    status, text = replay(days)
    assert status == DONE
    assert text.splitlines()[2:4] == [f"alarm: 2026-03-10: {alarm}" for alarm in days.alarms[march(10)[0]]]
    assert text.count("alarm:") == 2


def test_what_failed_after_the_components_of_a_day_is_shown(days: Days) -> None:
    failing, complete = march(11)[0], march(10)[0]
    days.failing = {failing}
    days.problems = {complete: ("the [report] could not be copied",), failing: ("no space",)}
    status, text = replay(days)
    assert status == FAILED
    lines = text.splitlines()
    assert lines[1].startswith("2026-03-10  blessed")
    assert lines[2].strip() == "warning: the [report] could not be copied"
    assert lines[4].strip() == "Transform: no [column]"
    assert lines[5].strip() == "warning: no space"
    assert text.count("warning:") == 2


def test_it_continues_where_it_stopped(days: Days) -> None:
    days.failing = {march(11)[0]}
    status, text = replay(days)
    assert status == FAILED
    assert days.ran == march(9, 10, 11)
    assert "2026-03-11  failed" in text
    assert "Transform: no [column]" in text

    days.failing, days.ran = set(), []
    status, text = replay(days, run_id="second")
    assert status == DONE
    assert days.ran == march(11, 12, 13)
    assert "2026-03-09  blessed  by first_2026-03-09" in text
    assert text.count("0.875") == 5


def test_a_model_that_is_not_blessed_does_not_stop_the_days_after_it(days: Days) -> None:
    days.held_back = {march(10)[0]}
    status, text = replay(days)
    assert status == NOT_BLESSED
    assert days.ran == march(9, 10, 11, 12, 13)
    assert "2026-03-10  not blessed" in text


def test_a_day_that_was_refused_is_judged_again_by_other_gates(days: Days) -> None:
    days.held_back = {FRIDAY}
    replay(days)
    days.held_back, days.ran = set(), []
    assert replay(days, run_id="second")[0] == NOT_BLESSED
    assert days.ran == []
    loosened = replace(FEED, gates=replace(FEED.gates, slice=None))
    assert replay(days, run_id="third", config=loosened)[0] == DONE
    assert days.ran == [FRIDAY]


def test_a_blessed_day_that_was_never_pushed_here_runs(days: Days) -> None:
    days.another_serves = True
    assert replay(days, end=MONDAY)[0] == NOT_BLESSED
    days.another_serves, days.ran = False, []
    assert replay(days, end=march(10)[0], run_id="second")[0] == DONE
    assert days.ran == march(9, 10)

    # The models are lost, or the destination is another one.
    shutil.rmtree(days.workdir.serving_model)
    days.ran = []
    assert replay(days, end=march(10)[0], run_id="third")[0] == DONE
    assert days.ran == march(9, 10)
    assert sorted(map(int, complete_versions(str(days.workdir.serving_model)))) == [1, 2]


def test_a_day_that_the_log_lacks_is_skipped(days: Days) -> None:
    (days.feed_log / "day-2026-03-11").rmdir()
    status, text = replay(days)
    assert status == DONE
    assert days.ran == march(9, 10, 12, 13)
    assert "2026-03-11  skipped  the feed log has no such day" in text


def test_a_range_without_any_day_is_refused(days: Days) -> None:
    with pytest.raises(FeedLogError, match=r"none of the days 2026-04-01 to .*-02 .* has 2026-03-09 to 2026-03-13"):
        replay(days, date(2026, 4, 1), date(2026, 4, 2))


def test_an_earlier_day_never_replaces_a_later_days_model(days: Days) -> None:
    """For example, after a change of the config every day of a finished replay would be a different training."""
    replay(days)
    days.recipe = "another recipe"
    with pytest.raises(FeedLogError, match=r"trained for 2026-03-13, and a model for 2026-03-09 would replace it\. If"):
        replay(days, run_id="second")
    assert len(days.ran) == 5
    status, _ = replay(days, start=FRIDAY, run_id="third")
    assert (status, days.ran[5:]) == (DONE, [FRIDAY])


def test_a_refit_of_a_day_is_not_its_scheduled_training(days: Days) -> None:
    replay(days, end=march(9)[0])
    refit = days.plan_day(FEED, days.workdir, days.feed_log, march(10)[0], refit=True)
    days.run_day(refit, "refit", lambda component: None, None)
    days.ran = []
    status, text = replay(days, end=march(11)[0], run_id="second")
    assert status == DONE
    assert days.ran == march(10, 11)
    assert "2026-03-09  blessed  by first_2026-03-09" in text


def test_days_whose_parents_were_removed_are_finished_all_the_same(days: Days) -> None:
    replay(days)
    days.ran = []
    kept = sorted(days.workdir.serving_model.iterdir(), key=lambda folder: int(folder.name))[-2:]
    for folder in days.workdir.serving_model.iterdir():
        if folder not in kept:
            shutil.rmtree(folder)
    status, text = replay(days, run_id="second")
    assert status == DONE
    assert days.ran == []
    assert text.count("by first_") == 5


def test_a_withdrawn_day_is_not_published_again_unless_requested(days: Days) -> None:
    replay(days)
    done = roll_back(str(days.workdir.serving_model))
    days.ran = []
    status, text = replay(days, run_id="second")
    assert status == NOT_BLESSED
    assert days.ran == []
    assert "2026-03-13  not pushed  by first_2026-03-13" in text
    assert f"this model served as version {done.instead_of} until a rollback withdrew it" in text
    [row] = [line for line in text.splitlines() if line.startswith(f"{FRIDAY} ") and "warm" in line]
    assert row.split()[-2:] == ["not", "pushed"]
    assert find_serving_version(str(days.workdir.serving_model)) == done.version
    # The record of the run before is as it was.
    assert summary_of(days, "first").not_pushed is None

    days.killed = True
    with pytest.raises(KeyboardInterrupt):
        replay(days, run_id="killed", publish_withdrawn=True)
    days.killed = False
    assert read_withdrawals(str(days.workdir.serving_model)).of_training(summary_of(days, "first").training_fingerprint)
    # Its model serves, whoever continues.
    days.ran = []
    status, text = replay(days, run_id="third")
    assert status == DONE
    assert days.ran == [FRIDAY]
    assert "withdrawn" not in text

    roll_back(str(days.workdir.serving_model))
    days.ran = []
    status, text = replay(days, run_id="again", publish_withdrawn=True)
    assert status == DONE
    assert days.ran == [FRIDAY]
    assert "withdrawn" not in text
    days.ran = []
    assert replay(days, run_id="fourth")[0] == DONE
    assert days.ran == []


def test_a_withdrawn_day_of_which_no_run_is_known_is_held_back_by_the_run(days: Days) -> None:
    replay(days)
    roll_back(str(days.workdir.serving_model))
    shutil.rmtree(days.workdir.run("first_2026-03-13"))
    days.ran = []
    status, text = replay(days, run_id="second")
    assert (status, days.ran) == (NOT_BLESSED, [FRIDAY])
    assert "2026-03-13  not pushed  42 s, warm" in text
    assert text.count("until a rollback withdrew it") == 1


def test_a_day_after_a_withdrawn_one_continues_from_what_serves(days: Days) -> None:
    replay(days, end=march(12)[0])
    roll_back(str(days.workdir.serving_model))
    days.ran = []
    status, _ = replay(days, run_id="second")
    assert (status, days.ran) == (NOT_BLESSED, [FRIDAY])
    summary = RunSummary.from_json((days.workdir.run("second_2026-03-13") / "summary.json").read_text())
    assert summary.start is not None
    parent = read_manifest(str(days.workdir.serving_model), summary.start.parent)
    assert parent is not None
    assert parent.eval_day == "2026-03-11"


def test_a_days_end_belongs_to_the_range() -> None:
    assert days_between(MONDAY, MONDAY) == [MONDAY]
    assert days_between(date(2024, 2, 28), date(2024, 3, 1)) == [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]


def test_a_later_model_is_noticed(tmp_path: Path) -> None:
    workdir = Workdir(tmp_path)
    assert later_model(workdir, MONDAY) is None
    push(workdir.serving_model, "7", json.dumps({"eval_day": MONDAY.isoformat()}))
    assert later_model(workdir, MONDAY) is None
    push(workdir.serving_model, "8", json.dumps({"eval_day": FRIDAY.isoformat()}))
    assert later_model(workdir, MONDAY) == ("8", FRIDAY.isoformat())
    push(workdir.serving_model, "9")
    assert later_model(workdir, MONDAY) is None
