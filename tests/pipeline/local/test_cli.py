"""The command line: its messages and exit status before any work is done."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from pipeline.local import cli
from pipeline.local.day_plan import plan_day
from pipeline.local.run_summary import RunSummary, write_summary
from pipeline.local.workdir import Workdir
from pipeline_config import CONFIGS
from ranker.command_line import UsageError
from ranker.feed_log.writing import day_folder
from ranker.identity.code import PROJECT_ROOT
from ranker.registry.manifest import Manifest
from ranker.registry.versions import find_serving_version
from ranker.registry.withdrawal import withdraw
from tests.ranker.registry.test_versions import of_training, push


def test_help_names_every_option_and_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    options = (
        *(
            "--config NAME",
            "--feed-log DIR",
            "--push-destination DIR",
            "--workdir DIR",
            "--day YYYY-MM-DD",
            "--beam-args ARGS",
            "--shared-paths",
            "--monitor YYYY-MM-DD",
            "--verbose",
        ),
    )
    retraining = (
        "--backfill START:END",
        "--rollback",
        "--refit",
        "--publish-withdrawn",
        "--no-push",
        "--replaces NAME",
    )
    for expected in (*options, *retraining, "exit status"):
        assert expected in text


def test_the_error_of_an_unknown_config_lists_the_configs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--config", "nope", "--workdir", str(tmp_path / "w")]) == cli.USAGE
    assert capsys.readouterr().err == f"error: --config nope: pipeline_config.py has {', '.join(sorted(CONFIGS))}\n"
    assert not (tmp_path / "w").exists()


def test_a_day_must_be_a_date(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--day", "yesterday"])
    assert end.value.code == cli.USAGE
    assert "--day" in capsys.readouterr().err


def test_only_the_built_in_feed_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--config", "kuairand", "--workdir", str(tmp_path / "w")]) == cli.USAGE
    assert "--feed-log" in capsys.readouterr().err


def test_a_missing_feed_log_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "nowhere"
    assert cli.main(["--feed-log", str(missing), "--workdir", str(tmp_path / "w")]) == cli.USAGE
    assert str(missing) in capsys.readouterr().err


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The only line of a command that is refused before anything is done."""
    assert cli.main(arguments) == cli.USAGE
    printed = capsys.readouterr()
    assert printed.out == ""
    [line] = printed.err.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.mark.parametrize("what", [[], ["--monitor", "2026-01-12"], ["--backfill", "2026-01-12:2026-01-13"]])
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("file", "is a file, not a folder"),
        ("file/below", "is a file, not a folder"),
        ("dangling", "is a link to"),
        ("dangling/below", "is a link to"),
        ("x" * 300, "File name too long"),
        ("a[b]", r"must not have \[ \]"),
        ("a*/b?", r"must not have \* \?"),
        ("back\\slash", r"must not have"),
        ("gs://bucket/w", "local path, not a URI"),
        ("abfss://models@account/w", "local path, not a URI"),
        ("file:///tmp/w", "local path, not a URI"),
        ("two\nlines", "control characters"),
        ("\x1b[31m", "control characters"),
        ("/proc/w", "cannot be written"),
        ("/dev/null", "is a file, not a folder"),
    ],
)
def test_a_workdir_that_cannot_be_written_is_refused_in_a_sentence(
    path: str,
    reason: str,
    what: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    Path("dangling").symlink_to("nowhere")
    assert re.search(reason, refusal(["--workdir", path, *what], capsys))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["dangling", "file"]


JOBS = "--runner=PortableRunner --job_endpoint=localhost:{port} --environment_type=EXTERNAL --environment_config=w:1"


def feed_of_one_day(root: Path) -> Path:
    for day in (date(2026, 1, 11), date(2026, 1, 12)):
        folder = day_folder(root, day)
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"item_id": ["a"]}), folder / "part-0.parquet")
    return root


@pytest.fixture
def usual_signals() -> Iterator[None]:
    """The signals as a terminal leaves them; under nohup, and in a background job of a shell, some are ignored."""
    usual: dict[signal.Signals, Any] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("usual_signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_sigterm_and_the_end_of_the_terminal_end_a_run_as_ctrl_c_does(
    number: signal.Signals, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    summaries = []

    def work(_: object) -> int:
        try:
            os.kill(os.getpid(), number)
            time.sleep(10)
        finally:
            # The same event may send more signals.
            for later in (signal.SIGTERM, signal.SIGHUP, signal.SIGHUP):
                os.kill(os.getpid(), later)
                time.sleep(0.01)
            summaries.append("written")
        return cli.DONE

    monkeypatch.setattr(cli, "_command", work)
    before = signal.getsignal(number)
    assert cli.main([]) == cli.INTERRUPTED
    assert summaries == ["written"]
    assert "the same command continues" in capsys.readouterr().err
    assert signal.getsignal(number) == before


@pytest.mark.usefixtures("usual_signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_second_ctrl_c_stops_a_run_at_once(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    summaries = []

    def work(_: object) -> int:
        try:
            os.kill(os.getpid(), number)
            time.sleep(10)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
            summaries.append("written")
        return cli.DONE

    monkeypatch.setattr(cli, "_command", work)
    assert cli.main([]) == cli.INTERRUPTED
    assert summaries == []


def test_a_terminal_that_has_gone_does_not_change_the_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(_: object) -> int:
        stop = KeyboardInterrupt()
        stop.add_note("Trainer failed before that")
        raise stop

    def refused(_: object) -> int:
        raise UsageError("no such day")

    # Writing to it fails, as to a closed terminal.
    with open("/dev/full", "w", buffering=1) as gone:
        monkeypatch.setattr(sys, "stderr", gone)
        for work, expected in ((stopped, cli.INTERRUPTED), (refused, cli.USAGE)):
            monkeypatch.setattr(cli, "_command", work)
            assert cli.main([]) == expected
        monkeypatch.undo()
        with contextlib.suppress(OSError):
            gone.close()


def test_under_nohup_a_run_goes_beyond_its_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(_: object) -> int:
        os.kill(os.getpid(), signal.SIGHUP)
        return cli.DONE

    monkeypatch.setattr(cli, "_command", work)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert cli.main([]) == cli.DONE
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("--runner=PrismRunner", "--beam-args: --runner=PrismRunner is none of FnApiRunner"),
        ("--runner=FlinkRunner", "--beam-args: --runner=FlinkRunner needs --flink_master or --job_endpoint"),
        ("'", "--beam-args: No closing quotation"),
    ],
)
def test_wrong_arguments_of_beam_are_refused(
    arguments: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reason in refusal(["--workdir", str(tmp_path / "w"), f"--beam-args={arguments}"], capsys)


def test_a_cluster_that_cannot_see_the_workdir_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--feed-log", str(feed_of_one_day(tmp_path / "log")), "--workdir", str(tmp_path / "w")]
    said = refusal([*command, f"--beam-args={JOBS.format(port=1)}"], capsys)
    assert f"cannot write artifacts into {tmp_path}/w/artifacts" in said
    assert "shared_paths=True" in said


def test_a_job_service_that_is_down_is_named_before_anything_is_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]
    command = ["--feed-log", str(feed_of_one_day(tmp_path / "log")), "--workdir", str(tmp_path / "w"), "--shared-paths"]
    assert cli.main([*command, f"--beam-args={JOBS.format(port=port)}"]) == cli.USAGE
    assert f"nothing answers at --job_endpoint=localhost:{port}" in capsys.readouterr().err
    assert not (tmp_path / "w" / "artifacts").exists()


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(30, "Read-only file system")])
def test_a_workdir_without_permission_is_refused_in_a_sentence(
    error: OSError, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    workdir = tmp_path / "w"
    assert f"{workdir}: cannot be written: {error.strerror}" in refusal(["--workdir", str(workdir)], capsys)
    assert not workdir.exists()


@pytest.mark.parametrize("name", ["artifacts", "serving_model", "feed_log", "monitoring", "runs"])
def test_a_file_in_place_of_a_folder_of_the_workdir_is_named(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text("")
    assert f"{tmp_path / name} is a file, not a folder" in refusal(["--workdir", str(tmp_path)], capsys)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["metadata.sqlite", "digests.json", "finished_run.json", ".lock"])
def test_a_folder_in_place_of_a_file_of_the_workdir_is_named(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).mkdir()
    assert f"{tmp_path / name}: it is a folder, not a file" in refusal(["--workdir", str(tmp_path)], capsys)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_damaged_database_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "metadata.sqlite").write_text("not a database")
    assert "metadata.sqlite: it is damaged" in refusal(["--workdir", str(tmp_path)], capsys)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("file", "it is a file, not a folder"),
        ("file/below", "no such folder"),
        ("dangling", "is a link to"),
        ("nowhere", "no such folder"),
        ("nowhere://bucket/log", "cannot be read: Protocol not known: nowhere"),
        ("two\nlines", "control characters"),
    ],
)
def test_a_feed_log_that_cannot_be_read_is_refused_in_a_sentence(
    path: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    Path("dangling").symlink_to("nowhere")
    assert reason in refusal(["--workdir", "w", "--feed-log", path], capsys)
    assert not Path("w").exists()


def test_a_feed_log_without_permission_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: object) -> list[str]:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", refuse)
    line = refusal(["--workdir", str(tmp_path / "w"), "--feed-log", str(tmp_path)], capsys)
    assert line == f"error: --feed-log {tmp_path}: cannot be read: Permission denied"


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_schema_that_cannot_be_read_is_refused_in_a_sentence(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = tmp_path / "shop.pbtxt"
    if content is None:
        schema.mkdir()
    else:
        schema.write_bytes(content)
    monkeypatch.setitem(CONFIGS, "shop", replace(CONFIGS["feed"], name="shop", schema=str(schema)))
    arguments = ["--config", "shop", "--feed-log", str(tmp_path), "--workdir", str(tmp_path / "w")]
    reason = "it is a folder, not a file" if content is None else "it is not text in UTF-8"
    assert refusal(arguments, capsys) == f"error: --config shop: schema {schema}: {reason}"


def test_a_rollback_makes_no_workdir(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no such folder" in refusal(["--workdir", str(tmp_path / "typo"), "--rollback"], capsys)
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize(
    "day", ["2022-02-30", "20220205", "2022-W05-1", "2022-2-5", "", "nan", "0", "2022-02-05T00:00"]
)
@pytest.mark.parametrize("option", ["--day", "--monitor"])
def test_other_spellings_of_a_day_are_refused(option: str, day: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main([option, day])
    assert end.value.code == cli.USAGE
    assert f"argument {option}: {day!r} is not a day; write it as YYYY-MM-DD" in capsys.readouterr().err


def test_the_error_of_a_missing_day_gives_the_range_of_days(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log"
    (log / "day-2026-01-12").mkdir(parents=True)
    arguments = ["--feed-log", str(log), "--day", "2026-02-01", "--workdir", str(tmp_path / "w")]
    for _ in range(3):
        assert cli.main(arguments) == cli.USAGE
        assert "there is no folder for 2026-02-01; it has 2026-01-12 to 2026-01-12" in capsys.readouterr().err
    # Each has a folder of its own, although the three take less than a second.
    assert len(list((tmp_path / "w" / "runs").glob("*/run.log"))) == 3


@pytest.mark.parametrize("day", [[], ["--day", "2026-01-12"]])
def test_the_first_day_of_a_log_has_no_day_to_train_on(
    day: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, workdir = tmp_path / "log", tmp_path / "w"
    (log / "day-2026-01-12").mkdir(parents=True)
    assert cli.main(["--feed-log", str(log), *day, "--workdir", str(workdir)]) == cli.USAGE
    said = capsys.readouterr().err
    assert "no day to train on; none of the days 2026-01-05 to 2026-01-11, before the evaluated day 2026-01-12" in said
    assert not (workdir / "artifacts").exists()


@pytest.mark.parametrize("what", [[], ["--backfill", "2026-01-12:2026-01-12"]])
def test_gpus_that_are_missing_are_noticed_before_anything_is_trained(
    what: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorFlow would train on one CPU and not say so."""
    on_gpus = replace(CONFIGS["feed"].training, strategy="mirrored")
    monkeypatch.setitem(CONFIGS, "feed", replace(CONFIGS["feed"], training=on_gpus))
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    log = tmp_path / "log"
    for day in ("11", "12"):
        (log / f"day-2026-01-{day}").mkdir(parents=True)
    assert cli.main(["--feed-log", str(log), "--workdir", str(tmp_path / "w"), *what]) == cli.USAGE
    assert capsys.readouterr().err.startswith("error: training.strategy: mirrored trains on all GPUs")
    assert not (tmp_path / "w" / "artifacts").exists()


def test_the_error_of_a_config_without_a_schema_says_how_to_infer_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONFIGS, "shop", replace(CONFIGS["feed"], name="shop", schema="schemas/shop.pbtxt"))
    arguments = ["--config", "shop", "--feed-log", str(tmp_path), "--workdir", str(tmp_path / "w")]
    assert cli.main(arguments) == cli.USAGE
    said = capsys.readouterr().err
    assert "there is no schema schemas/shop.pbtxt" in said
    assert "python -m pipeline.infer_schema --config shop" in said


def test_a_busy_workdir_is_not_touched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # flock is per open file, so a second lock in this process conflicts with the first.
    with Workdir(tmp_path.resolve()).lock():
        assert cli.main(["--workdir", str(tmp_path)]) == cli.USAGE
    assert "is writing here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--backfill", "2026-01-12"], "'2026-01-12' is not START:END"),
        (["--backfill", "2026-01-12:tomorrow"], "is not START:END"),
        (["--backfill", "2026-01-12:2026-01-11"], "START must not come after END"),
        (["--backfill", "2026-01-12:2026-01-13", "--rollback"], "not allowed with"),
        (["--backfill", "2026-01-12:2026-01-13", "--day", "2026-01-12"], "not allowed with"),
        (["--effects", "--rollback"], "not allowed with"),
    ],
)
def test_a_backfill_needs_a_range_and_nothing_else_to_do(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == cli.USAGE
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("other", [["--rollback"], ["--monitor", "2026-01-12"], ["--effects"]])
@pytest.mark.parametrize("option", ["--publish-withdrawn", "--refit", "--no-push", "--replaces=shop"])
def test_options_of_a_training_need_a_run(
    option: str, other: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--workdir", str(tmp_path / "w"), option, *other]) == cli.USAGE
    assert f"{option.partition('=')[0]}: it goes with a run that trains" in capsys.readouterr().err
    assert not (tmp_path / "w").exists()


def test_a_backfill_without_pushing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--workdir", str(tmp_path / "w"), "--backfill", "2026-01-12:2026-01-13", "--no-push"]
    assert cli.main(arguments) == cli.USAGE
    assert "--no-push: it goes with the run of one day" in capsys.readouterr().err


@pytest.mark.parametrize("what", [[], ["--backfill", "2026-01-12:2026-01-13"]])
@pytest.mark.parametrize("named", [[], ["--replaces", "kuairand"]])
def test_a_run_does_not_replace_the_model_of_another_config(
    named: list[str], what: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serving = tmp_path / "serving_model"
    push(serving, "7", Manifest(config_name="shop").to_json())
    (serving / "canary").mkdir()
    said = refusal(["--workdir", str(tmp_path), *named, *what], capsys)
    assert said == (
        f"error: --config feed: version 7 at {serving} is a model of the config 'shop', which a model of 'feed' would "
        "replace; name another --workdir or --push-destination, or give --replaces shop to replace it"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["serving_model"]
    elsewhere = ["--workdir", str(tmp_path / "w"), "--push-destination", str(serving)]
    assert refusal([*elsewhere, *named, *what], capsys) == said
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("options", "config"), [(["--no-push"], "shop"), (["--replaces", "shop"], "shop"), ([], "feed"), ([], "")]
)
def test_a_run_replaces_what_it_may(
    options: list[str], config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(tmp_path / "serving_model", "7", Manifest(config_name=config).to_json())
    asked: list[Any] = []

    def run_pipeline(*arguments: Any) -> int:
        asked.append(arguments)
        return cli.DONE

    monkeypatch.setattr(cli, "run_pipeline", run_pipeline)
    assert cli.main(["--workdir", str(tmp_path), *options]) == cli.DONE
    [arguments] = asked
    assert arguments[-1] == ("shop" if "--replaces" in options else "")


def test_a_config_without_effects_has_none_to_update(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--workdir", str(tmp_path / "w"), "--effects"]) == cli.USAGE
    assert "--effects: the config 'feed' has no effects" in capsys.readouterr().err
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("option", ["--workdir", "--feed-log"])
def test_an_empty_path_is_refused_and_nothing_is_written(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        cli.main([option, "", "--rollback"])
    assert end.value.code == cli.USAGE
    assert f"argument {option}: the path is empty" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_rollback_needs_no_feed_log_and_runs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--config", "kuairand", "--workdir", str(tmp_path), "--rollback"]
    assert cli.main(arguments) == cli.USAGE
    assert "no model has been pushed here" in capsys.readouterr().err
    push(tmp_path / "serving_model", "7", of_training("monday"))
    push(tmp_path / "serving_model", "8", of_training("tuesday"))
    assert cli.main(arguments) == cli.DONE
    assert "a copy of 7, instead of 8" in capsys.readouterr().out
    newest = find_serving_version(str(tmp_path / "serving_model"))
    assert newest is not None
    assert int(newest) > 8
    assert not (tmp_path / "runs").exists()


def test_a_damaged_record_of_a_withdrawal_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for version in ("7", "8"):
        push(tmp_path / "serving_model", version)
    withdraw(str(tmp_path / "serving_model"), "8")
    (tmp_path / "serving_model" / ".withdrawn" / "8.json").write_text("half")
    assert cli.main(["--workdir", str(tmp_path), "--rollback"]) == cli.USAGE
    assert ".withdrawn/8.json: Invalid JSON" in capsys.readouterr().err
    assert find_serving_version(str(tmp_path / "serving_model")) == "8"


def test_a_rollback_during_a_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    push(tmp_path / "serving_model", "7")
    push(tmp_path / "serving_model", "8")
    with Workdir(tmp_path.resolve()).lock():
        assert cli.main(["--workdir", str(tmp_path), "--rollback"]) == cli.USAGE
    assert "is writing here" in capsys.readouterr().err
    assert find_serving_version(str(tmp_path / "serving_model")) == "8"


def test_monitoring_before_the_first_push_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--workdir", str(tmp_path), "--monitor", "2026-01-12"]) == cli.USAGE
    assert "no model is serving yet; run without --monitor to train one" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
    push(tmp_path / "serving_model", "7", '{"eval_day": "12.1.2026", "training_fingerprint": "t"}')
    assert cli.main(["--workdir", str(tmp_path), "--monitor", "2026-01-12"]) == cli.USAGE
    said = capsys.readouterr().err
    assert "serving_model/7: eval_day of its manifest: '12.1.2026' is not a day; write it as YYYY-MM-DD" in said


def test_a_day_is_either_run_or_monitored(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--monitor", "2026-01-12", "--day", "2026-01-12"])
    assert end.value.code == cli.USAGE
    assert "not allowed with" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--help"], "exit status"),
        (["--config", "nope"], "pipeline_config.py has"),
        (["--feed-log", "log", "--day", "2026-02-01"], "there is no folder for 2026-02-01"),
        (["--feed-log", "log"], "no day to train on"),
        (["--feed-log", "log", "--backfill", "2026-02-01:2026-02-02"], "none of the days"),
        (["--rollback"], "there is no such folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_help_and_errors_do_not_wait_for_tensorflow_and_tfx(arguments: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "log" / "day-2026-01-12").mkdir(parents=True)
    said = in_a_fresh_process([*arguments, *([] if "--help" in arguments else ["--workdir", "w"])], tmp_path)
    assert message in said
    assert "imported []" in said


@pytest.mark.slow
def test_a_backfill_of_finished_days_does_not_wait_for_tensorflow_and_tfx(tmp_path: Path) -> None:
    log, workdir, day = tmp_path / "log", Workdir(tmp_path / "w"), date(2026, 1, 12)
    for logged in (date(2026, 1, 11), day):
        day_folder(log, logged).mkdir(parents=True)
        pq.write_table(pa.table({"click": [0.0, 1.0]}), day_folder(log, logged) / "part-0.parquet")
    training = plan_day(CONFIGS["feed"], workdir, log, day).training.fingerprint
    push(workdir.serving_model, "7", Manifest(training_fingerprint=training, eval_day=str(day)).to_json())
    pushed = str(workdir.serving_model / "7")
    summary = RunSummary("monday", "feed", str(day), str(log), "complete", training, blessed=True, pushed_model=pushed)
    write_summary(workdir.run("monday"), summary)
    said = in_a_fresh_process(["--feed-log", "log", "--workdir", "w", "--backfill", f"{day}:{day}"], tmp_path)
    assert f"{day}  blessed  by monday" in said
    assert "status 0" in said
    assert "imported []" in said


def in_a_fresh_process(arguments: list[str], folder: Path) -> str:
    """What the command prints in a process that has imported nothing before, its exit status and what it imported."""
    code = """
import sys
from pipeline.local.cli import main
try:
    print("status", main(sys.argv[1:]))
finally:
    print("imported", [name for name in ("apache_beam", "tensorflow", "tfx") if name in sys.modules])
"""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return done.stdout + done.stderr
