"""The complete program on a small feed: the pipeline up to Transform, four models, tables, picture and figures."""

import json
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from datasets.synthetic import vocabulary
from pipeline_config import FEED
from research.quality.__main__ import main
from research.quality.rows import held_out_day
from research.quality.slices import slices_of

pytestmark = pytest.mark.slow


def test_a_quick_run_writes_page_picture_and_figures_and_goes_on_from_what_it_kept(tmp_path: Path) -> None:
    page, figures, work = tmp_path / "out" / "quality.md", tmp_path / "out" / "quality.json", tmp_path / "work"
    models = ["ours", "ours with random effects", "two towers alone", "LR on leaves"]
    command = ["--quick", "--models", *models, "--processes", "2", "--work", str(work)]
    main([*command, "--page", str(page), "--json", str(figures)])
    assert {file.name for file in page.parent.iterdir()} == {"quality.md", "quality.svg", "quality.json"}
    found = json.loads(figures.read_text())["figures"]
    for objective in FEED.objective_names:
        assert found[f"feed.auc.{objective}"]["ours"] < 1
        assert found[f"feed.{objective}.ceiling"]["ratio"] <= 1.01
        assert 0.2 < found[f"feed.gauc.{objective}"]["ours"] < 1
    assert found["feed.auc.click"]["ours"] > 0.55
    own, with_effects = found["feed.auc.click"], found["feed.with_effects.auc.click"]
    assert with_effects["ours"] != own["ours"]
    assert with_effects["rival"] == own["rival"]
    assert 0.5 < found["feed.gauc.click"]["ours"] < found["feed.click.gauc_ceiling"]["rival"]
    assert 0.2 < found["feed.ndcg_at_10.utility"]["ours"] < found["feed.utility.ceiling"]["rival"]
    text = page.read_text()
    assert all(f"## {objective} (" in text for objective in FEED.objective_names)
    [settings] = (work / "settings").iterdir()
    assert settings.name.startswith("LR_on_leaves-2026-01-12-")
    assert set(json.loads(settings.read_text())) <= {0.003, 0.03}

    def made() -> dict[Path, int]:
        return {
            file: file.stat().st_mtime_ns
            for folder in ("predictions", "settings")
            for file in (work / folder).iterdir()
        }

    kept = made()
    assert len(kept) == 4 + 1 + 1  # the models, the ceiling and the settings
    main(command)
    assert made() == kept

    [run] = work.glob("feed-feed-*")
    feed = date.fromisoformat(run.name[-10:])
    day = held_out_day(FEED, work / run.name[len("feed-") : -len("-2026-01-12")], feed, run, Console(quiet=True))
    devices, kinds = (slices_of(day)[(column,)].tolist() for column in ("device", "content_type"))
    assert set(devices) == {f"device={name}" for name in vocabulary.DEVICES}
    assert set(kinds) == {f"content_type={name}" for name in vocabulary.CONTENT_TYPES}
