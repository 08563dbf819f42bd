"""The benchmarks' shared parts: figures, their table and their JSON."""

import argparse
import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.harness import (
    BenchmarkResults,
    Figure,
    Machine,
    Options,
    alternate,
    parse_options,
    positive,
    report,
    work_folder,
)
from ranker.documents import DocumentError
from ranker.identity.code import PROJECT_ROOT

FAST = Figure("evaluator", ours=8000.0, rival=400.0, unit="rows/s", target=10.0, note="same rows")
HEAVY = Figure("memory", ours=1.5, rival=1.0, unit="GB", target=1.3, target_is_least=False)


def test_a_ratio_is_ours_over_the_rivals_and_the_target_may_be_a_ceiling() -> None:
    assert FAST.ratio == 20.0
    assert FAST.reached is True
    assert HEAVY.reached is False
    assert Figure("plain", 1.0, 2.0, "s").reached is None


def test_the_json_holds_every_figure_under_its_name(tmp_path: Path) -> None:
    file = tmp_path / "new" / "figures.json"
    printed = io.StringIO()
    report("evaluation", [FAST, HEAVY], Options(quick=True, json=file), Console(file=printed, width=120))
    document = json.loads(file.read_text())
    assert document["quick"] is True
    figure = document["figures"]["evaluator"]
    assert (figure["ours"], figure["rival"], figure["ratio"]) == (8000.0, 400.0, 20.0)
    assert document["figures"]["memory"]["reached"] is False
    assert [entry.name for entry in file.parent.iterdir()] == ["figures.json"]
    assert "8,000" in printed.getvalue()
    assert "same rows" in printed.getvalue()


def test_results_survive_their_file() -> None:
    results = BenchmarkResults(
        "evaluation", False, Machine(2, "x86_64", "3.11.7"), (FAST, HEAVY, Figure("plain", 1.0, 2.0, "s"))
    )
    assert BenchmarkResults.from_json(results.to_json()) == results
    nothing = BenchmarkResults("nothing", True, Machine(None, "arm64", "3.11.7"), ())
    assert BenchmarkResults.from_json(nothing.to_json()) == nothing
    undefined = replace(results, figures=(Figure("undefined", math.nan, 1.0, "AUC"),))
    [figure] = BenchmarkResults.from_json(undefined.to_json()).figures
    assert math.isnan(figure.ours)
    assert figure.rival == 1.0


@pytest.mark.parametrize("file", sorted((PROJECT_ROOT / "docs").glob("**/*.json")), ids=lambda file: file.name)
def test_the_results_in_the_docs_are_read_and_written_again_as_they_are(file: Path) -> None:
    text = file.read_text()
    results = BenchmarkResults.from_json(text, str(file))
    assert results.figures
    assert json.loads(results.to_json()) == json.loads(text)


def test_a_damaged_file_is_named_with_the_field() -> None:
    text = BenchmarkResults("evaluation", False, Machine(2, "x86_64", "3.11.7"), (FAST,)).to_json()
    with pytest.raises(DocumentError, match=r"^old\.json: figures\.evaluator\.ours: "):
        BenchmarkResults.from_json(text.replace("8000.0", '"fast"'), "old.json")


def test_runs_are_taken_in_turns() -> None:
    order: list[str] = []
    seconds = alternate({"ours": lambda: order.append("ours"), "rival": lambda: order.append("rival")}, rounds=3)
    assert order == ["ours", "rival"] * 3
    assert set(seconds) == {"ours", "rival"}


def test_the_command_line_knows_quick_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse_options("benchmarks.one", "…", []) == Options(quick=False, json=None)
    assert parse_options("benchmarks.one", "…", ["--quick", "--json", "a.json"]) == Options(
        quick=True, json=Path("a.json")
    )
    with pytest.raises(SystemExit):
        parse_options("benchmarks.one", "…", ["--slow"])
    assert "unrecognized arguments" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "two", ""])
def test_a_count_is_a_whole_number_of_one_or_more(text: str) -> None:
    assert positive("12") == 12
    with pytest.raises(argparse.ArgumentTypeError, match="is not a whole number of 1 or more"):
        positive(text)


def test_the_work_folder_is_the_given_one_or_a_temporary_one(tmp_path: Path) -> None:
    with work_folder(argparse.Namespace(work=tmp_path / "." / "kept"), "quality") as work:
        assert work == tmp_path / "kept"
    with work_folder(argparse.Namespace(work=None), "quality") as work:
        assert work.name.startswith("quality-")
        assert work.is_dir()
    assert not work.exists()
