"""The complete program on a small feed."""

import json
from pathlib import Path

import pytest

from research.ranking.__main__ import main


@pytest.mark.slow
def test_both_parts_write_page_and_figures(tmp_path: Path) -> None:
    page, file = tmp_path / "losses.md", tmp_path / "losses.json"
    shared = ["--quick", "--rows", "4000", "--work", str(tmp_path / "work")]
    losses = ["batches of sessions", "JRC, 1"]
    main(["losses", *shared, "--variants", *losses, "--page", str(page), "--json", str(file)])
    found = json.loads(file.read_text())["figures"]
    metrics = ("normalized_entropy", "gauc", "ndcg", "share_of_possible_gain")
    assert {f"feed.{name}.{metric}" for name in losses for metric in metrics} <= set(found)
    of_jrc, of_sessions = (found[f"feed.{name}.normalized_entropy"] for name in reversed(losses))
    # All are compared with the config as it is, and a loss of sessions makes another model.
    assert of_jrc["rival"] == of_sessions["rival"]
    assert len({of_jrc["ours"], of_sessions["ours"], of_jrc["rival"]}) == 3
    assert page.read_text().count("| JRC, 1 |") == 1

    main(["defaults", *shared, "--variants", "half as many trees at most", "--json", str(file)])
    half = json.loads(file.read_text())["figures"]["feed.half as many trees at most.normalized_entropy"]
    # The config as it is was not trained again.
    assert half["rival"] == of_jrc["rival"]
    assert half["ours"] != half["rival"]


def test_a_variant_of_the_other_part_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["losses", "--variants", "no ensemble"])
    assert "losses has no 'no ensemble'; it has 'batches of sessions'" in capsys.readouterr().err
