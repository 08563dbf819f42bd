"""Heat map of O/E by objective and slice."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ranker.evaluation.evaluated_slice import ObjectiveEvaluation
from ranker.evaluation.evaluation import Evaluation
from ranker.figure_text import shortened
from ranker.reports.figures.drawing import Drawing, label_rows, slice_rows
from ranker.reports.svg import OE_STEPS, colour, render
from ranker.reports.text import NOTHING, defined

_ROW, _COLUMN, _LABELS, _HEADER = 25, 78, 150, 62  # CSS pixels
_STEPS = (0.05, 0.1, 0.2, 0.4)  # |log O/E| from which the colour is one step darker
_CERTAIN, _VAGUE = 0.1, 0.7  # half widths of the interval of log O/E for full colour and for the faintest
_FAINTEST = 0.2


def heat_map(evaluation: Evaluation) -> Drawing:
    """Rows are slices, columns objectives; the wider a cell's interval, the fainter it is."""
    objectives = list(evaluation.objectives)
    rows, left_out = slice_rows(evaluation)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        draw_cells(
            axes,
            (
                _evaluated_cell(x, y, row.objectives.get(objective))
                for y, row in enumerate(rows)
                if row.objectives is not None
                for x, objective in enumerate(objectives)
            ),
        )
        frame(axes, objectives)
        label_rows(axes, [row.label for row in rows], [row.objectives is None for row in rows])

    width = _LABELS + _COLUMN * len(objectives)
    height = _HEADER + _ROW * len(rows)
    caption = "Bold: the interval does not contain 1. The wider the interval, the fainter the cell." + (
        f" The {left_out} smallest slices are in the table only." if left_out else ""
    )
    label = f"Heat map of O/E for {len(objectives)} objectives on all impressions and their slices"
    return Drawing(render("heat-map", label, (width, height), draw), caption=caption, wide=True)


@dataclass(frozen=True)
class HeatMapCell:
    """One cell of a map.

    Attributes:
        x: its column.
        y: its row, from the top.
        shade: one of the O/E colours, from 0 to OE_STEPS - 1; None for no colour.
        text: the text.
        strength: opacity; 1 is fully visible.
        bold: whether the text is bold.
        flagged: whether the cell has a red frame.
    """

    x: int
    y: int
    shade: int | None
    text: str
    strength: float = 1.0
    bold: bool = False
    flagged: bool = False


def ratio_cell(
    x: int, y: int, value: float | None, bounds: tuple[float | None, float | None], flagged: bool = False
) -> HeatMapCell:
    """The cell of an O/E and the ends of its interval: bold if the interval does not contain 1, faint if it is wide."""
    if value is None:
        return HeatMapCell(x, y, None, NOTHING)
    lower, upper = bounds[0] or 0.0, math.inf if bounds[1] is None else bounds[1]
    bold = lower > 1.0 or upper < 1.0
    return HeatMapCell(x, y, step(value), f"{value:.2f}", certainty(lower, upper), bold, flagged)


def draw_cells(axes: Axes, cells: Iterable[HeatMapCell]) -> None:
    """Draws all cells at once; their texts are excluded from the figure's layout, as measuring them is slow."""
    cells = list(cells)
    filled = [cell for cell in cells if cell.shade is not None]
    axes.add_collection(
        PatchCollection(
            [Rectangle((cell.x - 0.49, cell.y - 0.47), 0.98, 0.94) for cell in filled],
            facecolors=[to_rgba(colour(f"oe{cell.shade}"), round(cell.strength, 3)) for cell in filled],
            edgecolors="none",
        ),
        autolim=False,
    )
    frames = [Rectangle((cell.x - 0.46, cell.y - 0.42), 0.92, 0.84) for cell in cells if cell.flagged]
    if frames:
        axes.add_collection(
            PatchCollection(frames, facecolors="none", edgecolors=colour("bad"), linewidths=1.6), autolim=False
        )
    for cell in cells:
        tone = colour("muted" if cell.shade is None else "ink")
        text = axes.text(cell.x, cell.y, cell.text, ha="center", va="center", color=tone)
        text.set_alpha(round(0.45 + 0.55 * cell.strength, 3))
        text.set_fontweight("bold" if cell.bold else "normal")
        text.set_in_layout(False)


def frame(axes: Axes, columns: Sequence[str]) -> None:
    """Column titles above the cells, without axis lines and grid."""
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.xaxis.tick_top()
    axes.set_xticks(range(len(columns)), [shortened(column, 18) for column in columns], rotation=20, ha="left")
    axes.tick_params(axis="x", top=False, labelcolor=colour("ink"))
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def step(value: float) -> int:
    """The colour of an O/E, from 0 (far fewer than expected) to OE_STEPS - 1 (far more); the middle is about 1."""
    if value <= 0.0:
        return 0
    distance = math.log(value)
    deep = sum(1 for limit in _STEPS if abs(distance) >= limit)
    return OE_STEPS // 2 + (deep if distance > 0 else -deep)


def certainty(lower: float, upper: float) -> float:
    """The opacity of a cell: 1 for a narrow interval, _FAINTEST for an uninformative one."""
    if lower <= 0.0 or not math.isfinite(upper):
        return _FAINTEST
    half = 0.5 * math.log(upper / lower)
    if half <= _CERTAIN:
        return 1.0
    share = math.log(half / _CERTAIN) / math.log(_VAGUE / _CERTAIN)
    return max(_FAINTEST, 1.0 - (1.0 - _FAINTEST) * share)


def _evaluated_cell(x: int, y: int, evaluated: ObjectiveEvaluation | None) -> HeatMapCell:
    if evaluated is None:
        return ratio_cell(x, y, None, (None, None))
    ratio = evaluated.candidate.o_over_e
    return ratio_cell(x, y, defined(ratio.value), (defined(ratio.lower), defined(ratio.upper)))
