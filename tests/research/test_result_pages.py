"""The docs' result pages: each has a generated part and handwritten conclusions."""

import re
from pathlib import Path

import pytest

from benchmarks.pages import Page

DOCS = Path(__file__).parents[2] / "docs"
PROGRAMS = {
    "forest_share_*.md": "research.forest_share",
    "online_*.md": "research.online",
    "quality_*.md": "research.quality",
    "replay_*.md": "research.open_bandit",
    "retraining_*.md": "research.retraining",
    "study_*.md": "research.studies",
    "ranking_*.md": "research.ranking",
    "tastes*.md": "research.tastes",
    "tradeoff_*.md": "research.tradeoff",
    "serving_costs.md": "benchmarks.serving",
    "capacity.md": "benchmarks.capacity",
}
PAGES = [Page(file, program) for pattern, program in PROGRAMS.items() for file in sorted(DOCS.glob(pattern))]


def test_every_program_has_its_pages() -> None:
    assert len(PAGES) == 2 + 4 + 4 + 1 + 2 + 7 + 5 + 2 + 1 + 1 + 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.file.name)
def test_a_page_has_conclusions_above_the_tables_and_nothing_but_tables_below(page: Page, tmp_path: Path) -> None:
    text = page.file.read_text()
    copy = Page(tmp_path / page.file.name, page.program)
    copy.file.write_text(text)
    copy.write("Not used", "nothing")
    by_hand = copy.file.read_text()
    title, *conclusions = [line for line in by_hand.split("<!--")[0].splitlines() if line]
    assert title.startswith("# ")
    assert any(line.startswith("- ") for line in conclusions)
    generated = text.split(": begin -->")[1].split("<!-- end -->")[0]
    assert f"From `uv run python -m {page.program}" in generated
    assert not re.search(r"^- ", generated, re.MULTILINE)
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    assert all((page.file.parent / picture).is_file() for picture in pictures)
