"""Pages outside of `docs/`, which mkdocs does not see: their links and pictures exist, on GitHub too."""

import re
import string
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)


def relative_links(text: str) -> list[str]:
    """Targets of links and pictures that lie in the repository."""
    found = _LINK.findall(_FENCE.sub("", text))
    return [target for target in found if not target.startswith(("http://", "https://", "mailto:"))]


def anchors(text: str) -> set[str]:
    """What GitHub calls the headings of a page."""
    dropped = str.maketrans("", "", string.punctuation.replace("-", "").replace("_", ""))
    return {heading.lower().translate(dropped).replace(" ", "-") for heading in _HEADING.findall(_FENCE.sub("", text))}


def problem(page: Path, target: str) -> str | None:
    """What is wrong with a link of a page, or None."""
    path, _, anchor = target.partition("#")
    file = page.parent / path if path else page
    if not file.exists():
        return f"{page.name}: {target}: there is no {path}"
    if anchor and anchor not in anchors(file.read_text()):
        return f"{page.name}: {target}: {file.name} has no heading {anchor}"
    return None


@pytest.mark.parametrize("name", PAGES)
def test_links_and_pictures_exist(name: str) -> None:
    page = ROOT / name
    assert [found for target in relative_links(page.read_text()) if (found := problem(page, target))] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_anchors_of_the_site_are_those_of_github(page: Path) -> None:
    assert [found for target in relative_links(page.read_text()) if (found := problem(page, target))] == []


def test_a_missing_file_and_a_missing_heading_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# O/E `now`\n[a](#oe-now) [b](#nothing) ![c](c.png) [d](https://example.org)\n```\n[e](e.md)\n```\n"
    )
    assert relative_links(page.read_text()) == ["#oe-now", "#nothing", "c.png"]
    found = [problem(page, target) for target in relative_links(page.read_text())]
    assert found == [
        None,
        "page.md: #nothing: page.md has no heading nothing",
        "page.md: c.png: there is no c.png",
    ]


def test_the_readme_is_read_in_a_minute() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
