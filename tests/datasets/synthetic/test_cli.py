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


def test_an_error_is_one_line_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main([*ARGUMENTS, "--out", str(tmp_path)])
    capsys.readouterr()
    assert cli.main([*ARGUMENTS, "--out", str(tmp_path), "--drift", "2"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    errors = captured.err.strip().splitlines()
    assert errors == [
        f"error: {tmp_path} holds a feed with drift 1.0, not 2.0; overwrite it (--overwrite) or choose another folder"
    ]
    assert cli.main([*ARGUMENTS, "--out", str(tmp_path), "--drift", "2", "--overwrite"]) == 0


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The last line of a command that ends with status 2, whether or not argparse ends it."""
    try:
        status = cli.main(arguments)
    except SystemExit as end:
        status = end.code  # type: ignore[assignment]
    assert status == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    return printed.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--days", value) for value in ("0", "-1", "1e3", "nan", "99999999", "9" * 70_000)),
        *(("--impressions-per-day", value) for value in ("0", "-5", "nan", "1000000000000")),
        *(("--seed", value) for value in ("-1", "nan", str(2**32))),
        *(("--drift", value) for value in ("-0.1", "nan", "inf", "1e308")),
        *(("--tastes", value) for value in ("-1", "nan", "3")),
        *(("--ranker-noise", value) for value in ("-1", "nan", "1e308")),
        *(("--ranker-tastes", value) for value in ("-1", "nan", "1.1")),
        *(("--start", value) for value in ("2022-02-30", "20220201", "2022-W05-3", "", "0")),
    ],
)
def test_odd_numbers_and_days_are_refused(
    option: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "feed"
    assert f"argument {option}: " in refused([*ARGUMENTS, "--out", str(out), f"{option}={value}"], capsys)
    assert not out.exists()


def test_days_after_the_end_of_the_calendar_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused([*ARGUMENTS, "--out", str(tmp_path / "feed"), "--start", "9999-12-31"], capsys)
    assert line == "error: days: the calendar ends before 2 days from 9999-12-31"
    assert not (tmp_path / "feed").exists()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("file", "is a file, not a folder"),
        ("file/below", "is a file, not a folder"),
        ("dangling", "is a link to"),
        ("/proc/feed", "cannot be written"),
        ("s3://bucket/feed", "local path, not a URI"),
        ("two\nlines", "control characters"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_path_that_cannot_be_written_is_refused(
    path: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    Path("dangling").symlink_to("nowhere")
    line = refused([*ARGUMENTS, "--out", path], capsys)
    assert line.startswith("error: --out ")
    assert reason in line
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["dangling", "file"]


@pytest.mark.parametrize("name", ["day-2022-4-5", "day-20220405", "day-2022-13-01", "Day-2022-04-05", "2022-04-05"])
def test_folders_that_look_like_days_are_named(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / name).mkdir()
    assert repr(name) in refused([*ARGUMENTS, "--out", str(tmp_path)], capsys)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_path_can_have_characters_of_patterns_and_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a [bold] * ? :bug:"
    assert cli.main([*ARGUMENTS, "--out", str(out)]) == 0
    assert f"feed log in {out}, true probabilities in {out}/truth; 800 impressions" in capsys.readouterr().out


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
