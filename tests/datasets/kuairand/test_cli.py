import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from datasets.kuairand.cli import main
from tests.datasets.kuairand.handmade import LOG, write_csv

ROOT = Path(__file__).resolve().parents[3]


def test_writes_a_feed_log_and_a_summary(raw_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "log"
    assert main(["--raw", str(raw_folder), "--out", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["day-2022-04-25", "day-2022-04-26", "day-2022-04-27"]
    assert [pq.read_table(path).num_rows for path in sorted(out.iterdir())] == [3, 2, 4]
    printed = capsys.readouterr().out
    assert re.search(r"2022-04-25 +3 +66\.67% +33\.33%", printed)
    assert re.search(r"3 days +9 +44\.44% +11\.11%", printed)


def test_existing_days_are_refused_before_anything_is_written(
    raw_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "log"
    (out / "day-2022-04-26").mkdir(parents=True)
    (out / "day-2022-04-27").mkdir()
    assert main(["--raw", str(raw_folder), "--out", str(out)]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"error: {out}/day-2022-04-26 and 1 more already exist; pass --overwrite to replace"
    )
    assert sorted(path.name for path in out.iterdir()) == ["day-2022-04-26", "day-2022-04-27"]


def test_overwrite_replaces_days(raw_folder: Path, tmp_path: Path) -> None:
    arguments = ["--raw", str(raw_folder), "--out", str(tmp_path / "log")]
    assert main(arguments) == 0
    write_csv(raw_folder / "log_standard_4_27_to_5_08_pure.csv", LOG[5:6])
    assert main([*arguments, "--overwrite"]) == 0
    assert pq.read_table(tmp_path / "log" / "day-2022-04-27").num_rows == 1
    assert not list((tmp_path / "log").glob(".*"))


def test_prior_strength_is_used(raw_folder: Path, tmp_path: Path) -> None:
    main(["--raw", str(raw_folder), "--out", str(tmp_path), "--prior-strength", "2"])
    rates = pq.read_table(tmp_path / "day-2022-04-27")["user_click_rate"].to_pylist()
    assert rates == pytest.approx([0.64, 0.64, 0.64, 0.6])


def test_an_error_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--raw", str(tmp_path / "nowhere"), "--out", str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert [line for line in printed.err.splitlines() if line.strip()] == [
        f"error: {tmp_path}/nowhere: there is no such folder; expected the files of KuaiRand-Pure "
        "(the data set KuaiRand-Pure is published on Zenodo and linked from kuairand.com)"
    ]


@pytest.mark.parametrize("strength", ["0", "-1", "inf", "nan", "strong"])
def test_an_invalid_prior_strength_is_refused(strength: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--raw", "raw", "--out", "out", f"--prior-strength={strength}"])
    assert caught.value.code == 2
    assert f"expected a number above 0, got '{strength}'" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["file", "file/below", "dangling", "/proc/feed", "s3://bucket/feed", "two\nlines"])
def test_a_path_that_cannot_be_written_is_refused_before_the_raw_files_are_read(
    path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    Path("dangling").symlink_to("nowhere")
    assert main(["--raw", "nowhere", "--out", path]) == 2
    printed = capsys.readouterr()
    [line] = printed.err.splitlines()
    assert line.startswith("error: --out ")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["dangling", "file"]


@pytest.mark.parametrize("name", ["day-2022-4-5", "day-20220405", "day-2022-13-01", "Day-2022-04-05"])
def test_folders_that_look_like_days_are_named(
    name: str, raw_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "log"
    (out / name).mkdir(parents=True)
    assert main(["--raw", str(raw_folder), "--out", str(out)]) == 2
    assert repr(name) in capsys.readouterr().err
    assert [entry.name for entry in out.iterdir()] == [name]


def test_a_raw_file_that_is_a_folder_is_named(
    raw_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    users = raw_folder / "user_features_pure.csv"
    users.unlink()
    users.mkdir()
    assert main(["--raw", str(raw_folder), "--out", str(tmp_path / "log")]) == 2
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert str(users) in line
    assert not (tmp_path / "log").exists()


@pytest.mark.slow
def test_runs_as_a_module() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "datasets.kuairand", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "--prior-strength N" in run.stdout
    assert "Zenodo, kuairand.com" in run.stdout
