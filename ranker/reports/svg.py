"""matplotlib figures as inline SVG that follows the page's theme.

A figure is drawn once, but the page has a light, a dark and a print theme. So figures are drawn in placeholder colours,
and each is replaced by a CSS variable of the page. Text remains text, in the page's font.
"""

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib
from markupsafe import Markup, escape
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

OE_STEPS = 9  # colours of an O/E below, at and above 1; see `figures.heatmap`

_VARIABLES = (
    *("ink", "muted", "grid", "candidate", "serving", "good", "bad", "warn", "paper"),
    *(f"oe{step}" for step in range(OE_STEPS)),
)
_STAND_IN = re.compile(r"#0e1f([0-9a-f]{2})")
_TAG = re.compile(r"<[^>]*>")  # numbers between tags are text, such as a tick's label, and are not rounded
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
        name: unique on the page; prefixes the ids inside the SVG.
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
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(width, height), layout="constrained")
        figure.patch.set_alpha(0.0)
        draw(figure)
        for axes in figure.axes:
            axes.patch.set_alpha(0.0)
        file = io.StringIO()
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None})
    return _inline(file.getvalue(), name, label, size)


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
    body = body.replace("xlink:href", "href")
    referred = set(re.findall(r'(?:url\(#|href="#)([^")]+)', body))
    body = re.sub(r' id="([^"]*)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in referred else "", body)
    body = re.sub(r'(url\(#|href="#)([^")]+)', rf"\1{name}-\2", body)
    body = _STAND_IN.sub(lambda m: f"var(--{_VARIABLES[int(m[1], 16)]})", body)
    body = body.replace("font-family: 'DejaVu Sans'; ", "")
    body = re.sub(r'(?<=[\d.z]) ?\n(?=[LMCz"])', "", body)
    body = _TAG.sub(lambda tag: _DECIMALS.sub(_hundredths, tag[0]), body)
    body = re.sub(r"\s*\n\s*", "\n", body)
    attributes = f'width="{size[0]}" height="{size[1]}" {view_box[0]} role="img" aria-label="{escape(label)}"'
    return Markup(f'<svg xmlns="http://www.w3.org/2000/svg" {attributes}>{body}')


def _hundredths(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
