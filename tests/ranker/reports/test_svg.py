"""Figures use the page's colours, and several can be on one page."""

import re
import xml.etree.ElementTree as ElementTree

import pytest
from matplotlib.figure import Figure

from ranker.figure_text import legend_label
from ranker.reports.svg import colour, render


def draw(figure: Figure) -> None:
    axes = figure.subplots()
    axes.plot([1, 2, 3], [1, 4, 2], marker="o", color=colour("candidate"))
    axes.set_title("<title> & more")


def test_the_svg_is_complete_and_has_a_label() -> None:
    svg = render("one", 'curve of "a" < b', (340, 250), draw)
    root = ElementTree.fromstring(svg)
    assert (root.get("width"), root.get("height"), root.get("role")) == ("340", "250", "img")
    assert root.get("aria-label") == 'curve of "a" < b'
    assert root.get("viewBox") == "0 0 255 187.5"
    assert "<title> & more" in [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]


HOSTILE = (
    *(
        "$$",
        "$_$",
        "$10-$20",
        r"$\frac{1}{2}$",
        r"\$",
        "[bold]",
        "<script>alert(1)</script>",
        "&lt;",
        'x id="line2d_1" y',
    ),
    *(
        "url(#a)",
        "#0e1f00",
        "font-family: 'DejaVu Sans'; ",
        "xlink:href",
        "1.23456",
        "<!-- no -->",
        "{{ x }}",
        "%s",
        "_x",
    ),
)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_is_drawn_as_it_is(hostile: str) -> None:
    def with_text_everywhere(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot([1, 2], [1, 2], label=legend_label(hostile))
        axes.set_title(hostile)
        axes.set_xlabel(hostile)
        axes.set_xticks([1], [hostile])
        axes.text(1, 1, hostile)
        figure.legend()

    svg = render(hostile, hostile, (340, 250), with_text_everywhere)
    root = ElementTree.fromstring(svg)
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert [text.strip("\u200b ") for text in texts if text].count(hostile.strip()) == 5
    assert root.get("aria-label") == hostile.strip()
    ids = re.findall(r' id="([^"]*)"', "".join(re.findall(r"<[^>]*>", svg)))
    assert all(re.fullmatch(r"[\w-]+", found) for found in ids)


def test_a_long_label_is_shortened() -> None:
    [label] = re.findall(r'aria-label="([^"]*)"', render("one", "x\n" * 70_000, (340, 250), draw))
    assert len(label) <= 300


def test_every_colour_is_one_of_the_pages() -> None:
    svg = render("one", "curve", (340, 250), draw)
    assert "var(--candidate)" in svg
    assert "var(--ink)" in svg
    assert re.findall(r"#[0-9a-fA-F]{6}\b", svg) == []


def test_ids_are_few_and_differ_between_figures() -> None:
    ids = [set(re.findall(r' id="([^"]*)"', render(name, "curve", (340, 250), draw))) for name in ("one", "two")]
    assert ids[0]
    assert not ids[0] & ids[1]
    svg = render("one", "curve", (340, 250), draw)
    assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg)) == ids[0]


def test_coordinates_are_rounded_and_text_is_not() -> None:
    def ticks(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot([1.0123456, 2.0], [1.025, 1.075])
        axes.set_yticks([1.025, 1.05, 1.075])

    svg = render("one", "curve", (340, 250), ticks)
    shown = [text.text for text in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert [text for text in shown if text in ("1.025", "1.050", "1.075")] == ["1.025", "1.050", "1.075"]
    assert re.findall(r"\d\.\d{3}", "".join(re.findall(r"<[^>]*>", svg))) == []


def test_the_same_figure_is_the_same_text() -> None:
    assert render("one", "curve", (340, 250), draw) == render("one", "curve", (340, 250), draw)


def test_a_colour_that_the_page_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="magenta"):
        colour("magenta")
