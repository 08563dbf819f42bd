"""Whatever fails once a model may have been pushed, the summary is written and says it."""

import io
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from components.artifacts import HISTORY_FILE, TRAINING_CURVE_FILE
from pipeline.local import cli, displayed_run
from pipeline.local import day_run as module
from pipeline.local import run as run_module
from pipeline.local.dag_runner import ComponentRun, OutputArtifact, State
from pipeline.local.day_plan import DayPlan
from pipeline.local.day_run import DayRun, run_day
from pipeline.local.run_summary import DONE, FAILED, NOT_BLESSED, RunSummary, exit_status
from pipeline.local.workdir import Workdir
from pipeline_config import FEED
from ranker.command_line import explained
from ranker.feed_log.writing import day_folder
from ranker.identity.training import TrainingIdentity
from ranker.registry.baseline import BaselineChoice
from ranker.registry.plan import StartPlan
from tests.pipeline.local.test_summary import EVALUATION
from tests.ranker.registry.test_versions import of_training, push

Properties = dict[str, int | float | str]

DAY = date(2026, 3, 9)
TRAINING = TrainingIdentity("2026-03-09", "c0de", "da7a", "cold")


class FakeRunner:
    """Takes the place of the runner, with the outcomes of components that the test gives."""

    def __init__(self) -> None:
        self.outcomes: list[ComponentRun] = []
        self.then: BaseException | None = None
        self.runs: list[ComponentRun] = []

    def __call__(self, on_start: Any, on_end: Callable[[ComponentRun], None]) -> "FakeRunner":
        return self

    def run(self, pipeline: Any) -> None:
        self.runs = self.outcomes
        if self.then is not None:
            raise self.then


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRunner:
    """All components ran, and the model is pushed."""
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / "gates.json").write_text(replace(EVALUATION, blessed=True).to_json())
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.html").write_text("<p>report</p>")
    fake = FakeRunner()
    pushed: Properties = {"pushed": 1, "pushed_destination": str(tmp_path / "serving_model" / "17")}
    fake.outcomes = [
        ComponentRun("Evaluator", State.RAN, 2.0, {"evaluation": [OutputArtifact(str(tmp_path / "evaluation"))]}),
        ComponentRun("Pusher", State.RAN, 0.5, {"pushed_model": [OutputArtifact("push", pushed)]}),
        ComponentRun("CalibrationReport", State.RAN, 0.5, {"report": [OutputArtifact(str(tmp_path / "report"))]}),
    ]
    monkeypatch.setattr(module, "ObservedDagRunner", fake)
    monkeypatch.setattr(module, "record_run", lambda *arguments: replace_alarms())
    monkeypatch.setattr(module, "remove_old_artifacts", lambda *arguments: 0)
    monkeypatch.setattr(module, "remove_unregistered_artifacts", lambda *arguments: 0)
    return fake


def replace_alarms() -> Any:
    return type("Record", (), {"alarms": ("click: O/E is 2",)})


@pytest.fixture
def prepared(tmp_path: Path) -> DayRun:
    workdir = Workdir(tmp_path / "workdir")
    pipeline: Any = type("Pipeline", (), {"components": []})
    start, baseline = StartPlan("cold", "first"), BaselineChoice()
    plan = DayPlan(FEED, workdir, tmp_path / "log", DAY, start, TRAINING, baseline, "none", False, {"the day": "9"})
    return DayRun(plan, pipeline)


def run(prepared: DayRun) -> tuple[RunSummary, RunSummary]:
    """The summary that is returned, and the one that is written."""
    returned = run_day(prepared, "run", lambda component: None, lambda outcome: None)
    return returned, written(prepared)


def written(prepared: DayRun) -> RunSummary:
    return RunSummary.from_json((prepared.plan.workdir.run("run") / "summary.json").read_text())


def failing(error: BaseException) -> Callable[..., Any]:
    def fail(*arguments: object, **keywords: object) -> Any:
        raise error

    return fail


def test_a_run_without_failures(runner: FakeRunner, prepared: DayRun) -> None:
    returned, stored = run(prepared)
    assert returned == stored
    assert exit_status(stored) == DONE
    assert stored.pushed_model is not None
    assert stored.problems == ()
    assert stored.monitoring is not None
    assert (stored.monitoring.alarms, stored.monitoring.error) == (("click: O/E is 2",), None)
    assert (prepared.plan.workdir.run("run") / "report.html").read_text() == "<p>report</p>"


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        KeyError("click"),
        MemoryError("out of memory"),
        ValueError("Failed to parse text"),
        RuntimeError("boom"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_monitor_that_fails_does_not_fail_the_run(
    runner: FakeRunner, prepared: DayRun, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(module, "record_run", failing(error))
    returned, stored = run(prepared)
    assert returned == stored
    assert exit_status(stored) == DONE
    assert stored.status == "complete"
    assert stored.pushed_model is not None
    assert stored.monitoring is not None
    assert stored.monitoring.page is None
    assert explained(error) in (stored.monitoring.error or "")
    assert "Errno" not in (stored.monitoring.error or "")


def test_a_monitor_that_is_killed_leaves_a_summary(
    runner: FakeRunner, prepared: DayRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "record_run", failing(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        run(prepared)
    assert written(prepared).pushed_model is not None
    monitoring = written(prepared).monitoring
    assert monitoring is not None
    assert monitoring.error == "the run was stopped before the health of its day was recorded"


def test_a_report_that_fails_after_the_push_fails_the_run_and_the_summary_names_the_push(
    runner: FakeRunner, prepared: DayRun
) -> None:
    runner.outcomes[-1] = ComponentRun("CalibrationReport", State.FAILED, 0.1, error="Expected end of text")
    returned, stored = run(prepared)
    assert returned == stored
    assert exit_status(stored) == FAILED
    assert stored.failure is not None
    assert (stored.failure.component, stored.failure.error) == ("CalibrationReport", "Expected end of text")
    assert stored.pushed_model is not None
    assert stored.blessed is True


def test_a_pusher_that_fails_after_its_rename_has_pushed(runner: FakeRunner, prepared: DayRun) -> None:
    runner.outcomes[1:] = [ComponentRun("Pusher", State.FAILED, 0.1, error="Input/output error")]
    assert run(prepared)[1].pushed_model is None
    push(prepared.plan.workdir.serving_model, "16", of_training("another"))
    assert run(prepared)[1].pushed_model is None
    push(prepared.plan.workdir.serving_model, "17", of_training(TRAINING.fingerprint))
    assert run(prepared)[1].pushed_model == str(prepared.plan.workdir.serving_model / "17")


def test_a_report_that_cannot_be_copied_is_a_problem_in_the_summary(
    runner: FakeRunner, prepared: DayRun, tmp_path: Path
) -> None:
    (tmp_path / "report" / "report.html").unlink()
    returned, stored = run(prepared)
    assert returned == stored
    assert exit_status(stored) == DONE
    assert stored.report is None
    assert stored.problems[0].startswith("the calibration report could not be copied: ")
    assert stored.pushed_model is not None


def test_an_evaluation_that_cannot_be_read_fails_the_run(runner: FakeRunner, prepared: DayRun, tmp_path: Path) -> None:
    (tmp_path / "evaluation" / "gates.json").write_text("{")
    _, stored = run(prepared)
    assert exit_status(stored) == FAILED
    assert stored.failure is not None
    assert stored.failure.component == "Evaluator"
    assert "gates.json: not JSON" in stored.failure.error
    assert stored.pushed_model is not None
    assert stored.objectives == {}


@pytest.mark.parametrize(
    ("component", "key", "file", "what"),
    [
        ("ForestTrainer", "forest", TRAINING_CURVE_FILE, "the training curve of the forest"),
        ("TowerTrainer", "model_run", HISTORY_FILE, "the history of the towers' training"),
    ],
)
@pytest.mark.parametrize("content", [b"half {", b"\xff"])
def test_what_a_training_left_and_cannot_be_read_is_a_problem_in_the_summary(
    content: bytes,
    component: str,
    key: str,
    file: str,
    what: str,
    runner: FakeRunner,
    prepared: DayRun,
    tmp_path: Path,
) -> None:
    (tmp_path / key).mkdir()
    (tmp_path / key / file).write_bytes(content)
    runner.outcomes.insert(0, ComponentRun(component, State.RAN, 1.0, {key: [OutputArtifact(str(tmp_path / key))]}))
    _, stored = run(prepared)
    assert exit_status(stored) == DONE
    [problem] = stored.problems
    assert problem.startswith(f"{what} could not be read: ")
    assert (stored.training_notes, stored.training_length) == ((), None)


@pytest.mark.parametrize("state", [State.FAILED, State.CACHED])
def test_a_push_destination_that_does_not_answer_leaves_a_summary(
    state: State, runner: FakeRunner, prepared: DayRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = OSError("AWS Error NETWORK_CONNECTION during HeadObject operation")
    for name in ("find_serving_version", "complete_versions"):
        monkeypatch.setattr(module, name, failing(away))
    if state is State.FAILED:
        runner.outcomes[1:] = [ComponentRun("Pusher", State.FAILED, 0.5, error="the store does not answer")]
    else:
        runner.outcomes[1] = replace(runner.outcomes[1], state=state)
    _, stored = run(prepared)
    assert exit_status(stored) == (FAILED if state is State.FAILED else DONE)
    [problem] = stored.problems
    assert problem.startswith("the push destination could not be read: the store does not answer: AWS Error")


@pytest.mark.parametrize("stopped", [False, True])
def test_a_summary_that_cannot_be_written_fails_the_run_and_the_push_is_named(
    stopped: bool, runner: FakeRunner, prepared: DayRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    (prepared.plan.workdir.run("run") / "summary.json").mkdir(parents=True)
    if stopped:
        runner.then = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            run_day(prepared, "run", lambda component: None, lambda outcome: None)
        return
    found = run_day(prepared, "run", lambda component: None, lambda outcome: None)
    assert exit_status(found) == FAILED
    assert found.failure is not None
    assert found.failure.component == "the runner"
    assert found.failure.error.startswith("the summary could not be written: ")
    assert found.failure.error.endswith(": Is a directory")
    assert found.pushed_model is not None
    assert not prepared.plan.workdir.finished_run.exists()


def test_a_runner_that_fails_outside_of_its_components_leaves_a_summary(runner: FakeRunner, prepared: DayRun) -> None:
    del runner.outcomes[-1]
    runner.then = RuntimeError("database is locked")
    _, stored = run(prepared)
    assert exit_status(stored) == FAILED
    assert stored.failure is not None
    assert (stored.failure.component, stored.failure.error) == ("the runner", "database is locked")
    assert stored.pushed_model is not None


def test_a_run_that_is_stopped_after_the_push_leaves_a_summary(runner: FakeRunner, prepared: DayRun) -> None:
    del runner.outcomes[-1]
    runner.then = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt) as stop:
        run(prepared)
    stored = written(prepared)
    assert stored.status == "failed"
    assert stored.failure is not None
    assert stored.failure.error == "stopped by KeyboardInterrupt"
    assert stored.pushed_model is not None
    assert not hasattr(stop.value, "__notes__")


def test_a_run_that_is_stopped_after_a_component_failed_says_both(
    runner: FakeRunner, prepared: DayRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runner.outcomes[1:] = [ComponentRun("Transform", State.FAILED, 1.0, error="feature 'age': not a number")]
    runner.then = KeyboardInterrupt()
    monkeypatch.setattr(cli, "_command", lambda options: run(prepared))
    assert cli.main([]) == cli.INTERRUPTED
    failed, stopped = capsys.readouterr().err.splitlines()
    assert failed == "error: Transform failed before that: feature 'age': not a number"
    assert stopped.startswith("stopped; ")
    failure = written(prepared).failure
    assert failure is not None
    assert failure.component == "the runner"
    assert failure.error == "stopped by KeyboardInterrupt, after Transform failed: feature 'age': not a number"


def test_old_artifacts_that_cannot_be_removed_change_nothing(
    runner: FakeRunner, prepared: DayRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "remove_old_artifacts", failing(RuntimeError("database is locked")))
    assert exit_status(run(prepared)[1]) == DONE


def test_a_blessed_but_withdrawn_model_has_the_exit_status_of_a_model_that_is_not_published(
    runner: FakeRunner, prepared: DayRun
) -> None:
    withheld: Properties = {"pushed": 0, "not_pushed": "this model served as version 17 until a rollback withdrew it"}
    runner.outcomes[1] = ComponentRun("Pusher", State.RAN, 0.5, {"pushed_model": [OutputArtifact("push", withheld)]})
    _, stored = run(prepared)
    assert exit_status(stored) == NOT_BLESSED
    assert (stored.blessed, stored.pushed_model) == (True, None)
    assert json.loads(stored.to_json())["not_pushed"].startswith("this model served as version 17 until")


@pytest.mark.parametrize(("push", "expected"), [(True, NOT_BLESSED), (False, DONE)])
def test_a_blessed_model_that_was_not_to_be_pushed_is_a_success(
    push: bool, expected: int, runner: FakeRunner, prepared: DayRun
) -> None:
    withheld: Properties = {"pushed": 0, "not_pushed": "nothing was published, as --no-push requests"}
    runner.outcomes[1] = ComponentRun("Pusher", State.RAN, 0.5, {"pushed_model": [OutputArtifact("push", withheld)]})
    _, stored = run(replace(prepared, plan=replace(prepared.plan, push=push)))
    assert (stored.push, exit_status(stored)) == (push, expected)
    assert exit_status(replace(stored, blessed=False)) == NOT_BLESSED


def leave_outputs(workdir: Workdir) -> None:
    """What a real run leaves behind, beside its own folder."""
    push(workdir.serving_model, "17", of_training(TRAINING.fingerprint))
    for file in ("metadata.sqlite", "artifacts/Evaluator/gates.json", "monitoring/monitor.html"):
        path = workdir.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file)


@pytest.mark.parametrize(
    ("change", "remembered"),
    [
        ("nothing", True),
        ("component", False),
        ("runner", False),
        ("stopped", False),
        ("copy", False),
        ("monitor", False),
        ("monitor stopped", False),
        ("retention", False),
        ("retention stopped", False),
    ],
)
def test_only_a_run_that_finished_is_remembered(
    runner: FakeRunner,
    prepared: DayRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    remembered: bool,
) -> None:
    workdir = prepared.plan.workdir
    leave_outputs(workdir)
    pushed: Properties = {"pushed": 1, "pushed_destination": str(workdir.serving_model / "17")}
    runner.outcomes[1] = ComponentRun("Pusher", State.RAN, 0.5, {"pushed_model": [OutputArtifact("push", pushed)]})
    run(prepared)
    earlier = workdir.finished_run.read_text()
    match change:
        case "component":
            runner.outcomes[-1] = ComponentRun("CalibrationReport", State.FAILED, 0.1, error="boom")
        case "runner":
            runner.then = RuntimeError("database is locked")
        case "stopped":
            runner.then = KeyboardInterrupt()
        case "copy":
            (tmp_path / "report" / "report.html").unlink()
        case "monitor":
            monkeypatch.setattr(module, "record_run", failing(RuntimeError("boom")))
        case "monitor stopped":
            monkeypatch.setattr(module, "record_run", failing(KeyboardInterrupt()))
        case "retention":
            monkeypatch.setattr(module, "remove_old_artifacts", failing(RuntimeError("database is locked")))
        case "retention stopped":
            monkeypatch.setattr(module, "remove_old_artifacts", failing(KeyboardInterrupt()))
    with suppress(KeyboardInterrupt):
        run_day(prepared, "again", lambda component: None, lambda outcome: None)
    assert workdir.finished_run.exists() == remembered
    if remembered:
        assert workdir.finished_run.read_text() != earlier


def from_the_cache(runner: FakeRunner) -> None:
    runner.outcomes[1] = replace(runner.outcomes[1], state=State.CACHED)


def test_a_version_that_an_earlier_run_pushed_and_somebody_removed_is_not_called_pushed(
    runner: FakeRunner, prepared: DayRun
) -> None:
    from_the_cache(runner)
    push(Path(prepared.plan.workdir.push_destination), "16", of_training("another"))
    returned, stored = run(prepared)
    assert returned == stored
    assert exit_status(stored) == NOT_BLESSED
    assert stored.pushed_model is None
    assert stored.not_pushed is not None
    assert "serving_model/17 by an earlier run, and is not there any more; --publish-withdrawn" in stored.not_pushed


def test_a_version_that_an_earlier_run_pushed_is_named_by_where_it_is_now(runner: FakeRunner, prepared: DayRun) -> None:
    from_the_cache(runner)
    destination = Path(prepared.plan.workdir.push_destination)
    push(destination, "18", of_training(TRAINING.fingerprint))
    _, stored = run(prepared)
    assert (stored.pushed_model, stored.not_pushed) == (str(destination / "18"), None)
    push(destination, "17", of_training(TRAINING.fingerprint))
    _, stored = run(prepared)
    assert stored.pushed_model is not None
    assert stored.pushed_model.endswith("serving_model/17")
    assert exit_status(stored) == DONE


@pytest.mark.parametrize(
    ("change", "expected", "status"),
    [
        ("nothing", ", pushed to", DONE),
        ("withdrawn", ", but this model served as version 17 until a rollback withdrew it", NOT_BLESSED),
        ("report", "the model was pushed before that, to", FAILED),
        ("monitor", "warning: not monitored: boom", DONE),
        ("copy", "warning: the calibration report could not be copied", DONE),
    ],
)
def test_the_terminal_says_it_too(
    runner: FakeRunner,
    prepared: DayRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    expected: str,
    status: int,
) -> None:
    if change == "withdrawn":
        withheld: Properties = {
            "pushed": 0,
            "not_pushed": "this model served as version 17 until a rollback withdrew it",
        }
        artifact = OutputArtifact("push", withheld)
        runner.outcomes[1] = ComponentRun("Pusher", State.RAN, 0.5, {"pushed_model": [artifact]})
    if change == "report":
        runner.outcomes[-1] = ComponentRun("CalibrationReport", State.FAILED, 0.1, error="[bold]")
    if change == "monitor":
        monkeypatch.setattr(module, "record_run", failing(RuntimeError("boom")))
    if change == "copy":
        (tmp_path / "report" / "report.html").unlink()
    for day in (DAY - timedelta(days=1), DAY):
        day_folder(tmp_path / "log", day).mkdir(parents=True)
    monkeypatch.setattr(run_module, "plan_day", lambda *arguments: prepared.plan)
    monkeypatch.setattr(displayed_run, "prepare", lambda plan: prepared)
    out = io.StringIO()
    console = Console(file=out, width=200)
    assert run_module.run_pipeline(FEED, prepared.plan.workdir, tmp_path / "log", DAY, "run", console) == status
    assert expected in out.getvalue()
