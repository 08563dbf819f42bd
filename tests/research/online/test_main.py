"""The complete A/B test on a small feed: simulator, pipeline up to Transform, two models, page, picture and figures."""

import json
from pathlib import Path

import pytest

from research.online.__main__ import main

pytestmark = pytest.mark.slow

_ARMS = ("LR on leaves", "ours", "ours with random effects")


def test_a_quick_run_writes_page_picture_and_figures_and_continues_from_what_it_kept(tmp_path: Path) -> None:
    page, file, work = tmp_path / "online.md", tmp_path / "online.json", tmp_path / "work"
    command = ["ahead", "--quick", "--impressions", "8000", "--arms", *_ARMS, "--work", str(work)]
    main([*command, "--page", str(page), "--json", str(file)])
    found = json.loads(file.read_text())["figures"]
    assert set(found) == {
        f"default.{arm}{name}"
        for arm in ("", "with_effects.")
        for name in (
            *("share_of_possible_gain", "utility_over_former_setup"),
            *("passive_over_control", "active_over_control"),
        )
    }
    assert -3 < found["default.share_of_possible_gain"]["ratio"] < 1
    shares = [found[f"default.{arm}share_of_possible_gain"]["ratio"] for arm in ("", "with_effects.")]
    assert shares[0] != shares[1]
    text = page.read_text()
    assert "online_default.svg" in text
    assert (tmp_path / "online_default.svg").is_file()
    for arm in ("production ranker", "random", *_ARMS, "true probabilities"):
        assert f"| {arm} |" in text
    kept = {made: made.stat().st_mtime_ns for made in (work / "predictions").iterdir()}
    assert len(kept) == 3  # of two models, and the offsets of the effects
    main(command)
    assert {made: made.stat().st_mtime_ns for made in (work / "predictions").iterdir()} == kept


def test_ours_has_to_be_among_the_arms(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["ahead", "--arms", "LR on leaves"])
    assert "--arms: name 'ours'" in capsys.readouterr().err
