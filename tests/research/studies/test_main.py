"""A complete study on a small feed: the pipeline up to Transform, a forest per variant, page and figures."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline_config import FEED
from ranker.config.documents import from_json
from ranker.config.pipeline import PipelineConfig
from ranker.forest.model import Forest
from research.studies.__main__ import main

pytestmark = pytest.mark.slow


def test_a_quick_study_grows_each_variant_its_forest_and_goes_on_from_what_it_kept(tmp_path: Path) -> None:
    page, figures, work = tmp_path / "out" / "forest.md", tmp_path / "out" / "forest.json", tmp_path / "work"
    command = ["forest", "--quick", "--seeds", "1", "--processes", "2", "--work", str(work)]
    main([*command, "--page", str(page), "--json", str(figures)])

    forests = {}
    for folder in (work / "feed" / "prepared").iterdir():
        grown_by = from_json(PipelineConfig, (folder / "config.json").read_text()).forest
        forests[grown_by.trees, grown_by.depth, grown_by.target] = Forest.load(str(folder / "forest"))
    each = "each"
    assert set(forests) == {(60, 4, each), (30, 4, each), (120, 4, each), (60, 3, each), (60, 6, each), (60, 4, "any")}
    outputs = {"each": len(FEED.objectives), "any": 1}
    for (trees, depth, target), forest in forests.items():
        assert forest.trees <= trees
        assert 2 ** (depth - 1) < np.diff(forest.first_leaf).max() <= 2**depth
        assert len(forest.base_margin) == outputs[target]

    found = json.loads(figures.read_text())["figures"]
    for variant in ("half as many trees at most", "depth of 3", "depth of 6", "labels alone"):
        figure = found[f"feed.normalized_entropy.{variant}"]
        assert 0.5 < figure["ours"] < 1.1
        assert figure["ratio"] != 1
    assert "labels alone, forest of any engagement" in page.read_text()

    def made() -> dict[Path, int]:
        files = [*(work / "studied").iterdir(), *(work / "feed" / "prepared").glob("*/done")]
        return {file: file.stat().st_mtime_ns for file in files}

    kept = made()
    assert len(kept) == 7 + len(forests)  # one training of each variant
    main(command)
    assert made() == kept
