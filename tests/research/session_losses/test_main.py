"""The complete program on a small feed."""

import json
from pathlib import Path

import pytest

from research.session_losses.__main__ import main


@pytest.mark.slow
def test_a_quick_run_writes_page_and_figures(tmp_path: Path) -> None:
    page, file = tmp_path / "losses.md", tmp_path / "losses.json"
    names = ["batches of sessions", "JRC, 1"]
    command = ["--quick", "--rows", "4000", "--variants", *names, "--work", str(tmp_path / "work")]
    main([*command, "--page", str(page), "--json", str(file)])
    found = json.loads(file.read_text())["figures"]
    metrics = ("normalized_entropy", "gauc", "ndcg", "share_of_possible_gain")
    assert {f"feed.{name}.{metric}" for name in names for metric in metrics} <= set(found)
    of_jrc, of_sessions = (found[f"feed.{name}.normalized_entropy"] for name in reversed(names))
    # All are compared with the config as it is, and a loss of sessions makes another model.
    assert of_jrc["rival"] == of_sessions["rival"]
    assert len({of_jrc["ours"], of_sessions["ours"], of_jrc["rival"]}) == 3
    assert page.read_text().count("| JRC, 1 |") == 1
    assert "| batches of impressions |" in page.read_text()
