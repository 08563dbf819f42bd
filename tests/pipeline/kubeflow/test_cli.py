"""submit and schedule with a stub of the API server: what is sent, and what is printed."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml

from pipeline.kubeflow import cli
from pipeline.kubeflow.cli import DONE, FAILED, NOT_BLESSED, USAGE, main
from pipeline_config import FEED
from ranker.config.effects import EffectLevel, Effects
from ranker.feed_log.day import resolve_day
from tests.pipeline.kubeflow.stub_server import StubServer, serving

SPEC = {
    "pipelineInfo": {"name": "feed-ranker-feed"},
    "schemaVersion": "2.1.0",
    "root": {
        "inputDefinitions": {"parameters": {"day": {"parameterType": "STRING"}}},
        "dag": {"tasks": {"A": {"taskInfo": {"name": "A"}, "componentRef": {"name": "A"}}}},
    },
    "components": {"A": {"executorLabel": "A_executor"}},
    "deploymentSpec": {"executors": {"A_executor": {"container": {"image": "feed@sha256:0"}}}},
}
MOUNT = {"pvcMount": [{"constant": "models", "mountPath": "/models"}]}
PLATFORM = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"A_executor": MOUNT}}}}}
MACRO = "[[ScheduledTime.2006-01-02T15:04:05Z]]"
ARGO = "{{workflow.creationTimestamp.RFC3339}}"


@pytest.fixture
def server() -> Iterator[StubServer]:
    with serving() as stub:
        yield stub


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "feed.yaml"
    path.write_text(yaml.safe_dump_all([SPEC, PLATFORM]))
    return path


def submit(server: StubServer, package: Path, *arguments: str) -> int:
    return main(["submit", "--package", str(package), "--host", server.url, *arguments])


def schedule(server: StubServer, package: Path, *arguments: str) -> int:
    return main(["schedule", "--package", str(package), "--host", server.url, "--cron", "0 3 * * *", *arguments])


def the_only(requests: list[Any]) -> Any:
    [request] = requests
    return request


def test_a_run_is_submitted_with_all_its_settings(
    server: StubServer, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--day", "2026-03-09", "--feed-log", "gs://bucket/log", "--experiment", "nightly")
    assert submit(server, package, *arguments, "--pipeline-root", "s3://bucket/root", "--service-account", "r") == DONE
    sent = the_only(server.sent("POST", "/runs")).body
    assert sent["pipeline_spec"] == {"pipeline_spec": SPEC, "platform_spec": PLATFORM}
    assert sent["runtime_config"] == {
        "parameters": {"day": "2026-03-09", "feed_log": "gs://bucket/log"},
        "pipeline_root": "s3://bucket/root",
    }
    assert sent["experiment_id"] == "experiment-1"
    assert sent["service_account"] == "r"
    assert sent["display_name"] == "feed 2026-03-09"
    assert the_only(server.sent("POST", "/experiments")).body["display_name"] == "nightly"
    said = capsys.readouterr().out
    assert said.splitlines() == [
        f"submitted run-1, evaluates on 2026-03-09: {server.url}/#/runs/details/run-1",
        "artifacts are stored below s3://bucket/root",
    ]


@pytest.mark.parametrize(
    ("compiled", "option", "sent"),
    [
        (None, None, None),
        ("s3://bucket/compiled", None, "s3://bucket/compiled"),
        (None, "gs://bucket/option", "gs://bucket/option"),
        ("s3://bucket/compiled", "gs://bucket/option", "gs://bucket/option"),
    ],
)
@pytest.mark.parametrize("command", ["submit", "schedule"])
def test_the_pipeline_root_is_sent_with_every_run(
    command: str,
    compiled: str | None,
    option: str | None,
    sent: str | None,
    server: StubServer,
    package: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The backend reads it from a run's configuration only, not from what was compiled."""
    package.write_text(yaml.safe_dump(SPEC | ({"defaultPipelineRoot": compiled} if compiled else {})))
    start = submit if command == "submit" else schedule
    assert start(server, package, "--day", "2026-03-09", *(["--pipeline-root", option] if option else [])) == DONE
    body = the_only(server.sent("POST", "/runs" if command == "submit" else "/recurringruns")).body
    assert body["runtime_config"].get("pipeline_root") == sent
    said = capsys.readouterr().out.splitlines()
    assert f"artifacts are stored below {sent or 'the default pipeline root of the cluster'}" in said


@pytest.mark.parametrize(
    ("options", "parameter"),
    [(["--publish-withdrawn"], {"publish_withdrawn": "true"}), (["--replaces", "shop"], {"replaces": "shop"})],
)
def test_a_withdrawn_or_another_configs_model_is_published_or_replaced_on_request(
    options: list[str], parameter: dict[str, str], server: StubServer, package: Path
) -> None:
    assert submit(server, package, "--day", "2026-03-09", *options) == DONE
    sent = the_only(server.sent("POST", "/runs")).body["runtime_config"]["parameters"]
    assert sent == {"day": "2026-03-09", **parameter}


def test_a_run_that_publishes_nothing_says_so_to_the_pusher(server: StubServer, package: Path) -> None:
    server.runs = [{"state": "PENDING"}, {"state": "SUCCEEDED", "run_details": {"task_details": [_task("Pusher")]}}]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", lambda seconds: None)
        assert submit(server, package, "--day", "2026-03-09", "--no-push") == DONE
    sent = the_only(server.sent("POST", "/runs")).body["runtime_config"]["parameters"]
    assert sent == {"day": "2026-03-09", "push": "false"}
    assert len(server.sent("GET", "/runs/run-1")) == 2


def test_a_server_that_is_restarted_while_a_run_is_waited_for_is_asked_again(
    server: StubServer, package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    server.runs = [{"state": "SUCCEEDED"}]
    answer, statuses = server.answer, [503, 502, 429]

    def restarting(request: Any) -> tuple[int, Any]:
        return (statuses.pop(0), {}) if statuses and request.path.endswith("/run-1") else answer(request)

    server.answer = restarting  # type: ignore[method-assign]
    assert submit(server, package, "--day", "2026-03-09", "--no-push") == DONE
    assert statuses == []
    # A run that somebody has deleted will not come back.
    server.refusals["/runs/run-1"] = (404, {"error": "no such run"})
    asked = len(server.sent("GET", "/runs/run-1"))
    assert submit(server, package, "--day", "2026-03-09", "--no-push") == FAILED
    assert len(server.sent("GET", "/runs/run-1")) == asked + 1
    assert capsys.readouterr().err == f"error: {server.url} refused: 404 Not Found: no such run\n"


def test_the_waiting_can_be_stopped(
    server: StubServer, package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(seconds: float) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", stopped)
    server.runs = [{"state": "RUNNING"}]
    assert submit(server, package, "--day", "2026-03-09", "--no-push") == cli.INTERRUPTED
    printed = capsys.readouterr()
    assert "submitted run-1" in printed.out
    assert printed.err == "stopped; what was submitted goes on\n"


@pytest.mark.parametrize(
    ("failed", "status", "said"),
    [
        (["Verdict"], NOT_BLESSED, "the model is not blessed"),
        (["Transform"], FAILED, "the run ended as FAILED: Transform; for the reason, open "),
        ([], FAILED, "the run ended as FAILED; for the reason, open "),
    ],
)
def test_the_exit_status_of_a_run_that_publishes_nothing_is_its_verdict(
    failed: list[str],
    status: int,
    said: str,
    server: StubServer,
    package: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tasks = [_task("FeedLogGen"), _task("feed-ranker", "FAILED"), *(_task(name, "FAILED") for name in failed)]
    server.runs = [{"state": "FAILED", "run_details": {"task_details": tasks}}]
    assert submit(server, package, "--day", "2026-03-09", "--no-push") == status
    printed = capsys.readouterr()
    assert said in printed.out + printed.err


def _task(name: str, state: str = "SUCCEEDED") -> dict[str, str]:
    return {"display_name": name, "state": state}


@pytest.mark.parametrize("command", ["submit", "schedule"])
def test_a_run_can_score_a_day_instead(
    command: str, server: StubServer, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = submit if command == "submit" else schedule
    assert start(server, package, "--day", "2026-03-09", "--score", "gs://b/scores") == DONE
    body = the_only(server.sent("POST", "/runs" if command == "submit" else "/recurringruns")).body
    assert body["runtime_config"]["parameters"] == {"day": "2026-03-09", "scores": "gs://b/scores"}
    assert " scores 2026-03-09" in capsys.readouterr().out


def test_a_run_that_scores_publishes_nothing(
    server: StubServer, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for options in (["--no-push"], ["--publish-withdrawn"], ["--replaces", "shop"]):
        assert submit(server, package, "--score", "gs://b/scores", *options) == USAGE
        assert "--score: a run that scores publishes nothing" in capsys.readouterr().err
    assert not server.sent("POST", "/runs")


def test_a_run_without_a_day_evaluates_on_today_or_days_before(server: StubServer, package: Path) -> None:
    before = datetime.now(UTC).date()
    assert submit(server, package) == submit(server, package, "--days-before", "1") == DONE
    today, yesterday = (
        date.fromisoformat(request.body["runtime_config"]["parameters"]["day"])
        for request in server.sent("POST", "/runs")
    )
    assert before <= today <= datetime.now(UTC).date()
    assert today - yesterday in (timedelta(days=1), timedelta(days=0))  # midnight may pass in between
    assert yesterday <= before


def test_the_compiled_package_determines_caching(server: StubServer, package: Path) -> None:
    submit(server, package, "--day", "2026-03-09")
    task = the_only(server.sent("POST", "/runs")).body["pipeline_spec"]["pipeline_spec"]["root"]["dag"]["tasks"]["A"]
    assert "cachingOptions" not in task


def test_a_schedule_runs_one_at_a_time_on_its_own_date(
    server: StubServer, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--timezone", "Asia/Tokyo", "--days-before", "1", "--name", "nightly")
    assert schedule(server, package, *arguments) == DONE
    sent = the_only(server.sent("POST", "/recurringruns")).body
    assert sent["display_name"] == "nightly"
    assert sent["trigger"] == {"cron_schedule": {"cron": "0 0 3 * * *"}}
    assert sent["max_concurrency"] == 1
    assert sent["no_catchup"] is True
    assert sent["mode"] == "ENABLE"
    assert sent["pipeline_spec"] == {"pipeline_spec": SPEC, "platform_spec": PLATFORM}
    day = sent["runtime_config"]["parameters"]["day"]
    # 03:00 in Tokyo on 10 March is 18:00 UTC the day before.
    assert resolve_day(day.replace(MACRO, "2026-03-09T18:00:00Z")) == date(2026, 3, 9)
    assert resolve_day(day.replace(ARGO, "2026-03-09T18:00:04Z")) == date(2026, 3, 9)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == (
        "scheduled nightly at 0 3 * * * (Asia/Tokyo), one run at a time: "
        f"{server.url}/#/recurringruns/details/schedule-new"
    )
    for line in said[1:4]:
        [(fires, evaluates)] = re.findall(r"(\d{4}-\d\d-\d\d) 03:00 JST evaluates on (\d{4}-\d\d-\d\d)", line)
        assert date.fromisoformat(fires) - date.fromisoformat(evaluates) == timedelta(days=1)
    assert said[4:] == [
        "artifacts are stored below the default pipeline root of the cluster",
        "missed times are skipped",
        "the cluster's scheduler has to run in Asia/Tokyo: CRON_SCHEDULE_TIMEZONE, by default UTC",
    ]


def test_an_update_of_effects_has_no_day(server: StubServer, package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_effects = replace(FEED, effects=Effects((EffectLevel("viewer_id"),)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli, "load_config", lambda name: with_effects)
        assert schedule(server, package, "--effects", "--cron", "0 */8 * * *") == DONE
        sent = the_only(server.sent("POST", "/recurringruns")).body
        assert sent["display_name"] == "feed-ranker-feed-effects"
        assert sent["runtime_config"].get("parameters", {}) == {}
        assert "evaluates" not in capsys.readouterr().out
        assert submit(server, package, "--effects", "--day", "2026-03-09") == USAGE
        assert "--day: an update of the effects has no day" in capsys.readouterr().err
    assert submit(server, package, "--effects") == USAGE
    assert "--effects: the config 'feed' has no effects" in capsys.readouterr().err


def test_missed_times_run_later_if_requested(server: StubServer, package: Path) -> None:
    schedule(server, package, "--catch-up")
    assert the_only(server.sent("POST", "/recurringruns")).body["no_catchup"] is False


def test_a_schedule_of_the_same_name_is_replaced_and_no_other(
    server: StubServer, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("feed-ranker-feed", "somebody-elses", "feed-ranker-feed")
    server.schedules = [{"recurring_run_id": f"id-{i}", "display_name": name} for i, name in enumerate(names)]
    assert schedule(server, package) == DONE
    calls = [(r.method, r.path.rpartition("/")[2]) for r in server.requests if "recurringruns" in r.path]
    # The old schedules are deleted once the new one exists.
    assert calls[-3:] == [("POST", "recurringruns"), ("DELETE", "id-0"), ("DELETE", "id-2")]
    assert '"stringValue": "feed-ranker-feed"' in server.sent("GET", "/recurringruns")[0].query["filter"]
    assert "replaced 2 earlier schedules of that name" in capsys.readouterr().out


def test_a_refused_schedule_leaves_the_old_one(
    server: StubServer, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.schedules = [{"recurring_run_id": "id-0", "display_name": "feed-ranker-feed"}]
    answer = server.answer

    def refusing(request: Any) -> tuple[int, Any]:
        is_new = (request.method, request.path.rpartition("/")[2]) == ("POST", "recurringruns")
        return (400, {"error": "the spec is too large"}) if is_new else answer(request)

    server.answer = refusing  # type: ignore[method-assign]
    assert schedule(server, package) == FAILED
    assert not [r for r in server.requests if r.method == "DELETE"]
    assert capsys.readouterr().err == f"error: {server.url} refused: 400 Bad Request: the spec is too large\n"


def test_an_earlier_schedule_that_cannot_be_deleted_is_named(
    server: StubServer, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.schedules = [{"recurring_run_id": f"id-{i}", "display_name": "feed-ranker-feed"} for i in range(3)]
    server.refusals["/recurringruns/id-1"] = (500, {"error": "busy"})
    assert schedule(server, package) == FAILED
    assert capsys.readouterr().err == (
        f"error: {server.url} refused: 500 Internal Server Error: busy; the new schedule schedule-new is active beside "
        "the earlier id-1, id-2; the same command replaces all of them\n"
    )


def test_a_token_is_read_from_its_file_and_sent(server: StubServer, package: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    submit(server, package, "--existing-token", f"@{tmp_path / 'token'}", "--cookies", "session=1")
    headers = the_only(server.sent("POST", "/runs")).headers
    assert headers["authorization"] == "Bearer s3cret"
    assert headers["cookie"] == "session=1"


def test_a_namespace_is_passed_on(server: StubServer, package: Path) -> None:
    submit(server, package, "--namespace", "team-feed")
    assert the_only(server.sent("POST", "/experiments")).body["namespace"] == "team-feed"


def test_an_unreachable_host_is_a_one_line_error(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["submit", "--package", str(package), "--host", "http://127.0.0.1:1"]) == FAILED
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(r"error: http://127.0.0.1:1 does not answer: .*refused; is --host right, .*\n", said.err)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["submit", "--package", "no.yaml"], "--package no.yaml: there is no such file"),
        (["submit", "--feed-log", "/log"], "--image is needed to compile"),
        (["submit", "--image", "feed", "--feed-log", "/log"], "image: the content of 'feed' can change"),
        (["compile", "--image", "feed:1"], "--feed-log is needed to compile"),
        (["compile", "--config", "nope"], "--config nope: pipeline_config.py has feed"),
        (["compile", "--output", "feed.json"], "--output feed.json: Kubeflow takes files that end in .yaml"),
        (["schedule", "--cron", "0 25 * * *"], "--cron: '25' is no hour"),
    ],
)
def test_an_invalid_command_is_a_one_line_error(
    server: StubServer, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    host = [] if arguments[0] == "compile" else ["--host", server.url]
    assert main([*arguments, *host]) == USAGE
    said = capsys.readouterr().err
    assert said.startswith(f"error: {message}")
    assert said.count("\n") == 1
    assert not server.sent("POST", "/runs")


def test_compiled_in_options_cannot_be_combined_with_a_package(
    server: StubServer, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert submit(server, package, "--image", "feed:1") == USAGE
    assert "--image, --push-destination and --no-cache are compiled in" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--timezone", "Mars/Olympus"], ["--days-before", "-1"], ["--existing-token", "@/no/such/file"]]
)
def test_a_wrong_option_is_named(package: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["submit", "--package", str(package), *arguments])
    assert end.value.code == USAGE
    assert f"argument {arguments[0]}: " in capsys.readouterr().err


@pytest.mark.parametrize("command", ["compile", "submit", "schedule"])
def test_help_says_what_a_command_does(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == DONE
    said = capsys.readouterr().out
    assert "--image NAME@sha256:…" in said
    assert ("--host URL" in said) == (command != "compile")
    assert ("--cron FIELDS" in said) == (command == "schedule")


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The last line of a command that ends with status 2, whether or not argparse ends it."""
    try:
        status = main(arguments)
    except SystemExit as end:
        status = end.code  # type: ignore[assignment]
    assert status == USAGE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    return printed.err.splitlines()[-1]


ODD_DAYS = ("2022-02-30", "20220405", "2022-4-5", "", "nan", "2022-13-01")
ODD_ZONES = ("Mars/Olympus", "", "Europe", "../../etc/passwd", "/etc/localtime", "UTC\n", "\x00", "x" * 5_000, "+02:00")
ODD_COUNTS = ("-1", "nan", "1.5", "10000", "9" * 5_000, "", "\u0663")
ODD_URLS = (
    *(
        "http://localhost:99999",
        "http://localhost:0",
        "http://localhost:-1",
        "http://localhost:http",
        "http://localhost:",
    ),
    *("ftp://localhost", "http://", "http://[::1", "a b", "http://two\nlines", "", "://", "localhost:70000"),
)
ODD_NAMES = ("", " ", "two\nlines", "\x1b[31m", "x" * 5_000)
ODD_PLACES = ("", " ", "two\nlines", "\x00")


@pytest.mark.parametrize("command", ["submit", "schedule"])
@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--day", value) for value in ODD_DAYS),
        *(("--timezone", value) for value in ODD_ZONES),
        *(("--days-before", value) for value in ODD_COUNTS),
        *(("--host", value) for value in ODD_URLS),
        *(("--proxy", value) for value in ODD_URLS),
        *(
            (option, value)
            for option in ("--name", "--experiment", "--namespace", "--service-account", "--kube-context")
            for value in ODD_NAMES
        ),
        *((option, value) for option in ("--feed-log", "--pipeline-root") for value in ODD_PLACES),
        *(("--existing-token", value) for value in ("", "two\nlines", "@/no/such/file", "@/", "@/dev/null")),
    ],
)
def test_odd_options_are_refused_before_a_cluster_is_asked(
    command: str, option: str, value: str, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cron = ["--cron", "0 3 * * *"] if command == "schedule" else []
    line = refused([command, "--package", str(package), *cron, f"{option}={value}"], capsys)
    assert f"argument {option}: " in line
    assert len(line) < 500


def test_a_secret_is_not_shown(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "s3cret" not in refused(["submit", "--package", str(package), "--cookies", "s3cret\n"], capsys)


@pytest.mark.parametrize(
    "cron",
    [
        *(
            "0 0 30 2 *",
            "0 0 31 2,4,6,9,11 *",
            "0 0 30-31 2 *",
            "0 0 31 */2 * *",
            "",
            "* * * *",
            "60 * * * *",
            "0 24 * * *",
        ),
        *("0 3 * * 8", "0 3 0 * *", "0 3 * 13 *", "*/0 * * * *", "nan * * * *", "@daily", "0 3 L * *", "5-1 * * * *"),
        *("99999999999999999999 * * * *", "0 3 * * \u0663", "x" * 5_000),
    ],
)
def test_cron_lines_that_never_fire_or_are_none_are_refused(
    cron: str, server: StubServer, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(["schedule", "--package", str(package), "--host", server.url, "--cron", cron], capsys)
    assert line.startswith("error: --cron: ") or "expected one argument" in line
    assert not server.requests


NOT_A_PACKAGE = {
    "empty.yaml": b"",
    "list.yaml": b"[1, 2]",
    "text.yaml": b"pipeline",
    "broken.yaml": b"a: [1, 2",
    "binary.yaml": bytes(range(256)),
    "tag.yaml": b"!!python/object/apply:os.system ['true']",
    "other.yaml": b"kind: Deployment",
    "root.yaml": yaml.safe_dump(SPEC | {"defaultPipelineRoot": ["s3://bucket"]}).encode(),
    "no-root.yaml": yaml.safe_dump(SPEC | {"defaultPipelineRoot": " "}).encode(),
    "three.yaml": b"a: 1\n---\nb: 1\n---\nc: 1",
    "feed.json": b"{}",
    "feed.yaml": b"",
}


@pytest.mark.parametrize(
    "name", [*NOT_A_PACKAGE, "folder.yaml", "dangling.yaml", "nowhere.yaml", "empty.yaml/below.yaml"]
)
def test_what_is_no_package_is_refused_before_a_cluster_is_asked(
    name: str, server: StubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file, content in NOT_A_PACKAGE.items():
        (tmp_path / file).write_bytes(content)
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "dangling.yaml").symlink_to("nowhere")
    line = refused(["submit", "--package", str(tmp_path / name), "--host", server.url], capsys)
    assert line.startswith(f"error: --package {tmp_path / name}: ")
    assert not server.requests


@pytest.mark.parametrize(
    "path", ["file/f.yaml", "folder.yaml", "dangling.yaml", "/proc/f.yaml", "gs://b/f.yaml", "a\nb.yaml"]
)
def test_a_package_that_cannot_be_written_is_refused_before_it_is_compiled(
    path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    Path("folder.yaml").mkdir()
    Path("dangling.yaml").symlink_to("nowhere")
    assert refused(["compile", "--image", "feed:1", "--feed-log", "/log", "--output", path], capsys).startswith(
        "error: --output "
    )
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["dangling.yaml", "file", "folder.yaml"]


@pytest.mark.parametrize("option", ["--ssl-ca-cert", "--service-account-token"])
@pytest.mark.parametrize("path", ["nowhere", "", "binary", "dangling"])
def test_files_of_the_connection_that_cannot_be_used_are_refused(
    option: str,
    path: str,
    server: StubServer,
    package: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "binary").write_bytes(b"\xff")
    (tmp_path / "dangling").symlink_to("nowhere")
    arguments = ["submit", "--package", str(package), "--host", server.url, option, str(tmp_path / path)]
    assert refused(arguments, capsys).startswith(f"error: {option} {tmp_path / path}: ")
    assert not server.requests


@pytest.mark.parametrize(
    "image", ["feed", "feed:latest", "feed:", ":1", "two\nlines:1", "\x1b:1", "a b:1", "feed@sha256:0", "féed:1"]
)
def test_odd_images_are_refused(image: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "feed.yaml"
    line = refused(["compile", "--image", image, "--feed-log", "/log", "--output", str(output)], capsys)
    assert line.startswith("error: image: ")
    assert not output.exists()
