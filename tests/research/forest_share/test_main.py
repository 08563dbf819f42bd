"""The complete program on a small feed: the pipeline up to Transform, two models, costs and page."""

import json
from pathlib import Path

import pytest

from research.forest_share.__main__ import main


@pytest.mark.slow
def test_a_quick_run_writes_page_picture_and_figures(work_of_variants: Path, tmp_path: Path) -> None:
    page, file = tmp_path / "forest.md", tmp_path / "forest.json"
    command = ["--quick", "--rows", "4000", "--trees", "1", "0", "--inputs", "nothing"]
    main([*command, "--work", str(work_of_variants), "--page", str(page), "--json", str(file)])
    found = json.loads(file.read_text())["figures"]
    metrics = ("normalized_entropy", "gauc", "share_of_possible_gain", "bytes", "session")
    assert set(found) == {f"feed.trees_0.nothing.{metric}" for metric in metrics}
    assert found["feed.trees_0.nothing.bytes"]["ratio"] < 1
    assert found["feed.trees_0.nothing.session"]["ours"] > 0
    text = page.read_text()
    assert "forest.svg" in text
    assert (tmp_path / "forest.svg").is_file()
    assert text.count("| 0 | nothing |") == 4  # quality, cost, warm and cold viewers
    assert {file.name.split("-2026")[0] for file in (work_of_variants / "predictions").glob("trees-*")} >= {
        *("trees-1-nothing", "trees-0-nothing")
    }


@pytest.mark.parametrize(("options", "said"), [(["--trees", "0.5"], "name 1 and 'nothing'"), (["--trees", "2"], "'2'")])
def test_wrong_options_are_refused(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(options)
    assert said in capsys.readouterr().err
