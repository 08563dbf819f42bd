"""The command, on a small log of two days: what it prints, writes, and never replaces."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline.draft.cli import main
from ranker.config.pipeline import PipelineConfig
from tests.pipeline.draft.logs import DAYS, odd_table, write_log


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of two days, the newest of them small; the current folder is empty but for it."""
    monkeypatch.chdir(tmp_path)
    return write_log(tmp_path / "log", {DAYS[0]: odd_table(DAYS[0]), DAYS[1]: odd_table(DAYS[1], 40)})


@pytest.mark.slow
def test_config_and_schema_are_drafted_and_nothing_is_replaced(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--feed-log", str(log), "--name", "shop"]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    namespace: dict[str, dict[str, PipelineConfig]] = {}
    exec(printed.out, namespace)
    config = namespace["CONFIGS"]["shop"]
    assert config.name == "shop"
    assert config.keys.session == config.keys.viewer == "Kunden Nr."
    assert "viewer: Kunden Nr. (40 values in 340 rows" in printed.err
    assert "warning: Umsatz: it tells Käufe?" in printed.err
    assert "wrote schemas/shop.pbtxt; please review:" in printed.err
    schema = text_format.Parse((tmp_path / config.schema).read_text(), schema_pb2.Schema())
    assert {feature.name for feature in schema.feature} > {"Kaufe", "is_premium", "signal", "viewer_key"}

    assert main(arguments) == 2
    refused = capsys.readouterr()
    assert refused.out == ""
    assert refused.err == "error: schemas/shop.pbtxt is already there; --force replaces it\n"
    settings = tmp_path / "settings.py"
    settings.write_text("by hand")
    to_file = ["--feed-log", str(log), "--name", "shop-2", "--out", str(settings)]
    assert main(to_file) == 2
    assert f"settings.py is already there; --force replaces it; `>> {settings}` adds" in capsys.readouterr().err
    assert settings.read_text() == "by hand"
    assert not (tmp_path / "schemas" / "shop-2.pbtxt").exists()


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (["--name", "Shop"], "'Shop' is not the name of a config: at most 22 small letters, digits and hyphens"),
        (["--feed-log", "nowhere"], "--feed-log nowhere: there is no such folder"),
        (["--feed-log", "empty"], "feed log empty: it has no folder named day-YYYY-MM-DD"),
        (["--item", "ware"], "--item ware: the log has no such column; it has Kunden Nr., "),
        (["--out", "log"], "--out log: it is a folder, not a file"),
    ],
)
def test_what_cannot_be_drafted_is_one_line(
    changed: list[str], problem: str, log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    try:
        status = main(["--feed-log", "log", "--name", "shop", *changed])
    except SystemExit as end:
        status = end.code  # type: ignore[assignment]
    assert status == 2
    printed = capsys.readouterr()
    assert problem in printed.err.splitlines()[-1]
    assert printed.out == ""
    assert not (tmp_path / "schemas").exists()


def test_a_log_without_an_outcome_or_a_feature_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    table = odd_table(date(2026, 3, 1))
    keys = ["Kunden Nr.", "商品", "gezeigt um"]
    for name, kept in (("log", [*keys, "signal"]), ("other", [*keys, "Käufe?", "Umsatz", "constant"])):
        write_log(tmp_path / name, {date(2026, 3, 1): table.select(kept)})
        assert main(["--feed-log", name, "--name", "shop"]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "no column can be an objective: it has 0 and 1, and both occur; the log has Kunden Nr." in errors[0]
    assert "no column can be a feature: a model needs at least one number" in errors[1]


def test_what_keeps_an_outcome_from_being_an_objective_is_said_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    table = odd_table(date(2026, 3, 1)).select(["Kunden Nr.", "商品", "gezeigt um", "signal"])
    table = table.append_column("click", pa.array([2, *[0, 1] * 149, 0])).append_column("signal", table["signal"])
    write_log(tmp_path / "log", {date(2026, 3, 1): table})
    assert main(["--feed-log", "log", "--name", "shop"]) == 2
    printed = capsys.readouterr().err
    assert printed.index("warning: click: 1 of 300 rows is 2; an objective is 0 or 1\n") < printed.index(
        "warning: signal: stands more than once in a file\n"
    )
    assert printed.splitlines()[-1].startswith("error: no column can be an objective")


def test_columns_that_make_no_config_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    table = odd_table(date(2026, 3, 1))
    write_log(tmp_path / "log", {date(2026, 3, 1): table.append_column("tags.count", table["signal"])})
    assert main(["--feed-log", "log", "--name", "shop"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: the log's columns make no config: Features: features: the columns 'tags.count' and 'tags' would both "
        "be the forest's input 'tags.count'; rename one"
    )
