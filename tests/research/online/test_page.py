"""The table and the figures of a result."""

from dataclasses import replace
from pathlib import Path

import pytest

from research.online.drawing import draw
from research.online.page import figures, markdown
from tests.research.online.test_results import results


def test_the_figures_state_shares_and_ratios() -> None:
    found = {figure.name: figure for figure in figures(results(2), "default")}
    assert set(found) == {
        *("default.share_of_possible_gain", "default.passive_over_control", "default.active_over_control"),
    }
    share = found["default.share_of_possible_gain"]
    assert share.ratio == pytest.approx(0.75)
    assert share.reached is False
    assert found["default.passive_over_control"].ratio > 1.1
    assert found["default.active_over_control"].ratio > 1.1


@pytest.mark.slow
def test_the_table_has_a_line_per_arm_and_the_picture_is_drawn(tmp_path: Path) -> None:
    few = results(2)
    text = markdown([few, replace(few, behaviour="another")], "the command", ["a.svg", "b.svg"])
    lines = text.splitlines()
    assert "## Test" in lines
    assert "## Another" in lines
    [ours, _] = [line for line in lines if line.startswith("| ours |")]
    assert ours.endswith("| 75 (75 to 75) % |")
    assert next(line for line in lines if line.startswith("| production ranker |")).count("–") == 3
    assert "half of the days" not in text
    several = markdown([replace(few, sessions_per_day=[[100, 100, 100]] * 2)], "the command")
    assert "| arm | days 1 to 1 | days 2 to 3 |" in several
    assert "| ours | 75 (75 to 75) % | 75 (75 to 75) % |" in several
    draw(few, tmp_path / "a.svg")
    assert "<svg" in (tmp_path / "a.svg").read_text()
