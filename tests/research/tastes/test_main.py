"""The complete program on the small feed that the test of `research.forest_share` prepared."""

import json
from pathlib import Path

import pytest

from research.tastes.__main__ import main


@pytest.mark.slow
def test_a_quick_run_writes_page_picture_and_figures(work_of_variants: Path, tmp_path: Path) -> None:
    page, file = tmp_path / "tastes.md", tmp_path / "tastes.json"
    command = ["--quick", "--rows", "4000", "--arms", "both", "random effects", "--work", str(work_of_variants)]
    main([*command, "--page", str(page), "--json", str(file)])
    found = json.loads(file.read_text())["figures"]
    assert set(found) == {
        "tastes_gap_closed",
        *(f"{figure}.{arm}" for figure in ("tastes_gap_closed", "cold_viewers") for arm in ("both", "random_effects")),
        *(f"share_of_possible_gain.{arm}" for arm in ("features_alone", "both", "random_effects")),
    }
    assert found["tastes_gap_closed"]["rival"] > 0
    assert found["tastes_gap_closed"]["ratio"] == max(
        found[f"tastes_gap_closed.{arm}"]["ratio"] for arm in ("both", "random_effects")
    )
    text = page.read_text()
    assert (tmp_path / "tastes.svg").is_file()
    assert text.count("| random effects |") == 3
    assert "| oracle |" in text
    assert list((work_of_variants / "predictions").glob("offsets-*"))
