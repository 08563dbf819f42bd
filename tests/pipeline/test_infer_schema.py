"""The command, on a small log of two days."""

import shutil
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

import pipeline_config
from pipeline.infer_schema import main
from pipeline.local.day_reading import profile_day
from pipeline.schema_draft import draft_schema, largest_drift, statistics_of
from ranker.config.columns import Keys
from ranker.config.objectives import Objective
from ranker.config.pipeline import PipelineConfig
from ranker.feed_log.columns import columns_of
from tests.small_feed_log import EVAL_DAY, FEATURES, OBJECTIVES, day_table, replaced

DAY_BEFORE = date(2024, 3, 3)


@pytest.fixture(scope="module")
def feed_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("log")
    for seed, day in enumerate((DAY_BEFORE, EVAL_DAY)):
        folder = root / f"day-{day}"
        folder.mkdir()
        pq.write_table(day_table(300, seed, day), folder / "part-0.parquet")
    return root


@pytest.fixture
def small_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A config `small` whose schema is the path returned."""
    config = PipelineConfig(
        name="small",
        objectives=tuple(Objective(name, tower="passive") for name in OBJECTIVES),
        features=FEATURES,
        schema=str(tmp_path / "schemas" / "small.pbtxt"),
    )
    monkeypatch.setattr(pipeline_config, "CONFIGS", {"small": config})
    return Path(config.schema)


@pytest.mark.slow
def test_the_command_writes_once(feed_log: Path, small_config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = columns_of(OBJECTIVES, FEATURES, Keys())
    profiles = [profile_day(pipeline_config.CONFIGS["small"], feed_log, day) for day in (DAY_BEFORE, EVAL_DAY)]
    statistics = statistics_of(feed_log, [EVAL_DAY], columns)
    schema = draft_schema(columns, statistics, largest_drift(profiles), profiles)
    arguments = ["--config", "small", "--feed-log", str(feed_log), "--day", str(EVAL_DAY)]
    assert main(arguments) == 0
    assert text_format.Parse(small_config.read_text(), schema_pb2.Schema()) == schema
    assert [path.name for path in small_config.parent.iterdir()] == ["small.pbtxt"]
    assert "device: are these 2 values all that may occur? ios, web" in capsys.readouterr().out

    small_config.write_text("curated by hand")
    assert main(arguments) == 2
    assert small_config.read_text() == "curated by hand"
    assert "small.pbtxt is already there; --force replaces it" in capsys.readouterr().err
    assert main([*arguments, "--force"]) == 0
    assert text_format.Parse(small_config.read_text(), schema_pb2.Schema()) == schema


@pytest.mark.slow
def test_columns_that_are_new_are_added_and_the_rest_stays_as_it_is(
    feed_log: Path, small_config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_hand = """# The phones of the app team.
feature {
  name: "device"  # curated
  type: BYTES
  string_domain { name: "device" value: "ios" value: "web" value: "watch" }
}
feature { name: "gone" type: INT }"""
    small_config.parent.mkdir()
    small_config.write_text(by_hand)
    arguments = ["--config", "small", "--feed-log", str(feed_log), "--add"]
    assert main(arguments) == 0
    text = small_config.read_text()
    assert text.startswith(f"{by_hand}\n# Drafted by pipeline.infer_schema --add from 2024-03-04.\n")
    names = [feature.name for feature in text_format.Parse(text, schema_pb2.Schema()).feature]
    columns = [column.name for column in columns_of(OBJECTIVES, FEATURES, Keys()).columns]
    assert sorted(names) == sorted([*columns, "gone"])
    printed = capsys.readouterr().out
    assert "gone: in the schema and not in the config" in printed
    assert "topics" in printed
    assert main(arguments) == 0
    assert small_config.read_text() == text
    assert "has every column of the config; nothing was added" in capsys.readouterr().out


def test_a_schema_that_cannot_be_extended_is_refused(small_config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--config", "small", "--feed-log", "log", "--add"]
    assert "there is no such file" in refused(arguments, capsys)
    small_config.parent.mkdir()
    small_config.write_text("feature { nme: 1 }")
    assert "small.pbtxt: not a schema: " in refused(arguments, capsys)
    assert "goes with neither --force nor --out" in refused([*arguments, "--force"], capsys)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (["--config", "other"], "error: --config other: pipeline_config.py has small"),
        (["--day", "yesterday"], "error: 'yesterday' is not a day; write it as YYYY-MM-DD"),
        (["--day", "2020-01-01"], "no folder day-2020-01-01; days there: 2024-03-03, 2024-03-04"),
        (["--feed-log", "nowhere"], "error: feed log: there is no folder nowhere"),
    ],
)
@pytest.mark.usefixtures("small_config")
def test_what_cannot_be_used_is_one_line(
    feed_log: Path, capsys: pytest.CaptureFixture[str], changed: list[str], problem: str
) -> None:
    assert main(["--config", "small", "--feed-log", str(feed_log), *changed]) == 2
    error = capsys.readouterr().err
    assert problem in error
    assert error.count("\n") == 1


@pytest.mark.slow
def test_rows_of_another_day_are_a_warning_or_an_error(
    tmp_path: Path, small_config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "log" / f"day-{EVAL_DAY}"
    folder.mkdir(parents=True)
    times = day_table(300)["timestamp"].cast(pa.int64()).to_numpy() // 1000
    times[[3, 4]] //= 1000
    pq.write_table(replaced(day_table(300), "timestamp", pa.array(times)), folder / "part-0.parquet")
    assert main(["--config", "small", "--feed-log", str(tmp_path / "log")]) == 0
    said = (
        f"{folder}/part-0.parquet: timestamp column 'timestamp': 2 of the 300 rows of the day are outside of {EVAL_DAY}"
    )
    assert f"warning: {said}, the first in row 3: " in capsys.readouterr().err

    small_config.unlink()
    pq.write_table(replaced(day_table(300), "timestamp", pa.array(times // 1000)), folder / "part-0.parquet")
    assert main(["--config", "small", "--feed-log", str(tmp_path / "log")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {folder}/part-0.parquet: timestamp column 'timestamp': all 300 rows of the day")
    assert "looks like seconds since 1970" in error
    assert not small_config.exists()


@pytest.mark.parametrize("of_day", [DAY_BEFORE, EVAL_DAY])
def test_a_bad_value_is_one_line_and_no_traceback_of_beam(
    feed_log: Path, tmp_path: Path, small_config: Path, capfd: pytest.CaptureFixture[str], of_day: date
) -> None:
    root = tmp_path / "log"
    shutil.copytree(feed_log, root)
    path = root / f"day-{of_day}" / "part-0.parquet"
    vectors = pa.array([[1.0, 2.0, 3.0]] * 199 + [None] + [[1.0, 2.0, 3.0]] * 100, pa.list_(pa.float32(), 3))
    pq.write_table(replaced(pq.read_table(path), "content", vectors), path, row_group_size=100)
    assert main(["--config", "small", "--feed-log", str(root), "--day", str(EVAL_DAY)]) == 2
    error = capfd.readouterr().err
    assert f"error: {path}: dense column 'content', row 199: null; every impression needs an embedding of 3" in error
    assert "Traceback" not in error
    assert not small_config.exists()


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The last line of a command that ends with status 2, whether or not argparse ends it."""
    try:
        status = main(arguments)
    except SystemExit as end:
        status = end.code  # type: ignore[assignment]
    assert status == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    return printed.err.splitlines()[-1]


@pytest.mark.parametrize(
    "path", ["file/below", "folder", "dangling", "/proc/schema.pbtxt", "gs://bucket/s", "two\nlines"]
)
@pytest.mark.parametrize("force", [[], ["--force"]])
def test_a_schema_that_cannot_be_written_is_refused_before_the_log_is_read(
    path: str,
    force: list[str],
    small_config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    Path("folder").mkdir()
    Path("dangling").symlink_to("nowhere")
    line = refused(["--config", "small", "--feed-log", "nowhere", "--out", path, *force], capsys)
    assert line.startswith("error: --out ")
    assert "--force" not in line
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["dangling", "file", "folder"]


@pytest.mark.parametrize("path", ["file", "dangling", "nowhere", "", "two\nlines"])
def test_a_feed_log_that_cannot_be_read_is_refused(
    path: str,
    small_config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    Path("dangling").symlink_to("nowhere")
    assert "error: " in refused(["--config", "small", "--feed-log", path], capsys)
    assert not small_config.parent.exists()


@pytest.mark.parametrize("day", ["2022-02-30", "20220405", "2022-4-5", "nan", "2022-W01-1"])
@pytest.mark.usefixtures("small_config")
def test_other_spellings_of_a_day_are_refused(day: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(["--config", "small", "--feed-log", "log", "--day", day], capsys)
    assert line == f"error: {day!r} is not a day; write it as YYYY-MM-DD"


@pytest.mark.parametrize("name", ["day-2022-4-5", "day-20220405", "Day-2022-04-05"])
def test_folders_that_look_like_days_are_named(
    name: str, small_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log" / name).mkdir(parents=True)
    assert repr(name) in refused(["--config", "small", "--feed-log", str(tmp_path / "log")], capsys)
    assert not small_config.parent.exists()
