"""The command line: what it says and how it exits before any work is done."""

from pathlib import Path

import pytest

from pipeline.local import cli
from pipeline.local.workdir import Workdir


def test_help_names_every_option_and_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    options = ("--config NAME", "--feed-log DIR", "--workdir DIR", "--day YYYY-MM-DD", "--verbose")
    for expected in (*options, "exit status"):
        assert expected in text


def test_an_unknown_config_is_told_which_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--config", "nope", "--workdir", str(tmp_path / "w")]) == cli.USAGE
    assert capsys.readouterr().err == "error: --config nope: pipeline_config.py has feed, kuairand\n"
    assert not (tmp_path / "w").exists()


def test_a_day_must_be_a_date(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--day", "yesterday"])
    assert end.value.code == cli.USAGE
    assert "--day" in capsys.readouterr().err


def test_only_the_built_in_feed_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--config", "kuairand", "--workdir", str(tmp_path / "w")]) == cli.USAGE
    assert "--feed-log" in capsys.readouterr().err


def test_a_feed_log_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "nowhere"
    assert cli.main(["--feed-log", str(missing), "--workdir", str(tmp_path / "w")]) == cli.USAGE
    assert str(missing) in capsys.readouterr().err


def test_a_busy_workdir_is_not_touched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # flock counts per open file, so a second lock in this process meets the first.
    with Workdir(tmp_path.resolve()).lock():
        assert cli.main(["--workdir", str(tmp_path)]) == cli.USAGE
    assert "is writing here" in capsys.readouterr().err
