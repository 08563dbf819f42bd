"""matplotlib figures as inline SVG that follows the page's theme.

A figure is drawn once, but the page has a light, a dark and a print theme. So figures are drawn in placeholder colours,
and each is replaced by a CSS variable of the page. Text remains text, in the page's font.
"""

import hashlib
import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib
from markupsafe import Markup, escape
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from ranker.figure_text import plain_text
from ranker.plain_text import sentence

MAX_LABEL = 300
_MAX_IDENTIFIER = 60
OE_STEPS = 9  # colours of an O/E below, at and above 1; see `figures.heatmap`

_VARIABLES = (
    *("ink", "muted", "grid", "candidate", "serving", "good", "bad", "warn", "paper"),
    *(f"oe{step}" for step in range(OE_STEPS)),
)
_STAND_IN = re.compile(r"#0e1f([0-9a-f]{2})")
_TAG = re.compile(r"<[^>]*>")  # what is between tags is text, and stays as it is
_DECIMALS = re.compile(r"-?\d+\.\d{3,}")  # of coordinates; a hundredth of a point is not visible
_PIXELS_PER_POINT = 4 / 3

_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "feed-ranker",
    "font.family": ["DejaVu Sans"],  # the font for measuring widths; the page's font replaces it
    "font.size": 8.5,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.5,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "patch.linewidth": 0.0,
}


def colour(variable: str) -> str:
    """The placeholder for a CSS variable of the page, as a matplotlib colour.

    Raises:
        ValueError: the page has no such variable.
    """
    if variable not in _VARIABLES:
        raise ValueError(f"the page has no colour {variable!r}, only {', '.join(_VARIABLES)}")
    return f"#0e1f{_VARIABLES.index(variable):02x}"


def render(name: str, label: str, size: tuple[int, int], draw: Callable[[Figure], None]) -> Markup:
    """Draws a figure and returns its `<svg>` element.

    Args:
        name: unique on the page, any text; prefixes the ids inside the SVG.
        label: description of the figure, for screen readers.
        size: width and height in CSS pixels.
        draw: draws into the figure, which has a constrained layout.
    """
    settings: Any = {
        **_STYLE,
        **{key: colour("ink") for key in ("text.color", "axes.labelcolor")},
        **{key: colour("muted") for key in ("axes.edgecolor", "xtick.color", "ytick.color")},
        "grid.color": colour("grid"),
    }
    width, height = (pixels / _PIXELS_PER_POINT / 72 for pixels in size)
    with matplotlib.rc_context(settings), plain_text():
        figure = Figure(figsize=(width, height), layout="constrained")
        figure.patch.set_alpha(0.0)
        draw(figure)
        for axes in figure.axes:
            axes.patch.set_alpha(0.0)
        file = io.StringIO()
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None})
    return _inline(file.getvalue(), _identifier(name), sentence(label, MAX_LABEL), size)


def _identifier(name: str) -> str:
    """The name with characters that an id in XML and in CSS can have; distinct names stay distinct."""
    plain = re.sub(r"[^A-Za-z0-9-]", lambda found: f"_{ord(found[0]):x}_", name[:_MAX_IDENTIFIER])
    return (
        plain
        if len(name) <= _MAX_IDENTIFIER
        else f"{plain}-{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:16]}"
    )


def _inline(text: str, name: str, label: str, size: tuple[int, int]) -> Markup:
    """The `<svg>` element without metadata, in the page's colours, with only the ids that are referenced."""
    body = text[text.index("<svg") :]
    opening = re.match(r"<svg[^>]*>", body)
    view_box = re.search(r'viewBox="[^"]*"', body)
    assert opening is not None
    assert view_box is not None
    body = body[opening.end() :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r'<style type="text/css">.*?</style>', "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)
    tags = "".join(_TAG.findall(body)).replace("xlink:href", "href")
    referred = set(re.findall(r'(?:url\(#|href="#)([^")]+)', tags))
    body = _TAG.sub(lambda tag: _on_the_page(tag[0], name, referred), body)
    body = re.sub(r"\s*\n\s*", "\n", body)
    attributes = f'width="{size[0]}" height="{size[1]}" {view_box[0]} role="img" aria-label="{escape(label)}"'
    return Markup(f'<svg xmlns="http://www.w3.org/2000/svg" {attributes}>{body}')


def _on_the_page(tag: str, name: str, referred: set[str]) -> str:
    """A tag in the page's colours and font, with an id only if something refers to it."""
    tag = tag.replace("xlink:href", "href").replace("font-family: 'DejaVu Sans'; ", "")
    tag = re.sub(r' id="([^"]*)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in referred else "", tag)
    tag = re.sub(r'(url\(#|href="#)([^")]+)', lambda m: f"{m[1]}{name}-{m[2]}", tag)
    tag = _STAND_IN.sub(lambda m: f"var(--{_VARIABLES[int(m[1], 16)]})", tag)
    tag = re.sub(r'(?<=[\d.z]) ?\n(?=[LMCz"])', "", tag)
    return _DECIMALS.sub(_hundredths, tag)


def _hundredths(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
