"""The benchmarks' shared parts: figures, their table and their JSON."""

import argparse
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.harness import Figure, Options, alternate, parse_options, positive, report

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


def test_runs_are_taken_in_turns() -> None:
    order: list[str] = []
    seconds = alternate({"ours": lambda: order.append("ours"), "rival": lambda: order.append("rival")}, rounds=3)
    assert order == ["ours", "rival"] * 3
    assert set(seconds) == {"ours", "rival"}


def test_the_command_line_knows_quick_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse_options("…", []) == Options(quick=False, json=None)
    assert parse_options("…", ["--quick", "--json", "a.json"]) == Options(quick=True, json=Path("a.json"))
    with pytest.raises(SystemExit):
        parse_options("…", ["--slow"])
    assert "unrecognized arguments" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "two", ""])
def test_a_count_is_a_whole_number_of_one_or_more(text: str) -> None:
    assert positive("12") == 12
    with pytest.raises(argparse.ArgumentTypeError, match="is not a whole number of 1 or more"):
        positive(text)
