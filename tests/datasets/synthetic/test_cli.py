"""`python -m datasets.synthetic`."""

import json
from pathlib import Path

import pytest

from datasets.synthetic import cli

ARGUMENTS = ["--days", "2", "--impressions-per-day", "400", "--seed", "5"]


def test_the_run_ends_with_a_table_of_base_rates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*ARGUMENTS, "--out", str(tmp_path), "--start", "2026-03-01"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["day", "rows", "click", "long_dwell", "like", "comment", "reshare", "creator_reply"]
    assert [line.split()[:2] for line in lines[1:4]] == [["2026-03-01", "400"], ["2026-03-02", "400"], ["all", "800"]]
    assert str(tmp_path / "truth") in lines[-1]
    assert "800 impressions generated" in lines[-1]


def test_a_second_run_generates_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main([*ARGUMENTS, "--out", str(tmp_path)])
    first = capsys.readouterr().out
    assert cli.main([*ARGUMENTS, "--out", str(tmp_path)]) == 0
    second = capsys.readouterr().out
    assert second.splitlines()[:-1] == first.splitlines()[:-1]
    assert second.splitlines()[-1].endswith("nothing was missing")


def test_an_error_is_one_line_and_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main([*ARGUMENTS, "--out", str(tmp_path)])
    capsys.readouterr()
    assert cli.main([*ARGUMENTS, "--out", str(tmp_path), "--drift", "2"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    errors = captured.err.strip().splitlines()
    assert errors == [
        f"error: {tmp_path} holds a feed with drift 1.0, not 2.0; overwrite it (--overwrite) or choose another folder"
    ]
    assert cli.main([*ARGUMENTS, "--out", str(tmp_path), "--drift", "2", "--overwrite"]) == 0


def test_an_invalid_start_day_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["--out", "x", "--start", "2026-13-01"])
    assert stop.value.code == 2
    assert "expected a day as YYYY-MM-DD, got '2026-13-01'" in capsys.readouterr().err


def test_help_shows_every_knob_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    options = " ".join(capsys.readouterr().out.split()).partition(" options: ")[2]
    defaults = {"drift": 1.0, "tastes": 0.5, "ranker-noise": 0.9, "ranker-tastes": 0.3, "exploration": 0.05}
    for knob, default in defaults.items():
        described = options.split(f" --{knob} ")[1]
        assert f"(default: {default})" in described.split(" --")[0]


def test_knobs_reach_the_feed(tmp_path: Path) -> None:
    knobs = {"tastes": 0.0, "ranker_noise": 1.5, "ranker_tastes": 1.0, "exploration": 0.5}
    flags = [text for name, value in knobs.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    assert cli.main([*ARGUMENTS, "--out", str(tmp_path), *flags]) == 0
    saved = json.loads((tmp_path / "feed.json").read_text())
    assert {name: saved[name] for name in knobs} == knobs
