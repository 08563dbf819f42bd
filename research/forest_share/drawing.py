"""The picture of the page: normalized entropy and online gain by the number of trees."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from benchmarks.drawing import save_svg
from research.forest_share.measuring import ALL, ForestShareResults
from research.forest_share.names import BOTH, HISTORIES, IDS, NOTHING
from research.forest_share.variants import Variant

_COLOURS = {NOTHING: "#8c8c8c", IDS: "#1f77b4", HISTORIES: "#d95f02", BOTH: "#1b9e77"}


def draw(results: ForestShareResults, file: Path) -> None:
    """A panel per metric, with a line for each kind of inputs and a 95 % interval at each point."""
    panels = [("normalized_entropy", "mean normalized entropy", 1.0)]
    if results.is_simulated:
        panels.append(("share_of_possible_gain", "gain, % of the possible one", 100.0))
    drawing = Drawing(figsize=(4.2 * len(panels), 3.2), layout="constrained")
    axes = drawing.subplots(1, len(panels), squeeze=False).ravel()
    for axis, (metric, label, factor) in zip(axes, panels, strict=True):
        _draw_panel(axis, results, metric, factor)
        axis.set_ylabel(label, fontsize=9)
    drawing.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(_COLOURS))
    save_svg(drawing, file)


def _draw_panel(axis: Axes, results: ForestShareResults, metric: str, factor: float) -> None:
    shares = list(dict.fromkeys(variant.share for variant in results.variants))
    for place, (inputs, colour) in enumerate(_COLOURS.items()):
        points, values, below, above = [], [], [], []
        for number, share in enumerate(shares):
            measured = results.measured[ALL].get(Variant(share, inputs))
            estimate = getattr(measured, metric) if measured else None
            if estimate is None:
                continue
            low, high = estimate.interval
            points.append(number + 0.08 * (place - 1.5))
            values.append(factor * estimate.value)
            below.append(factor * (estimate.value - low))
            above.append(factor * (high - estimate.value))
        if points:
            axis.errorbar(points, values, (below, above), color=colour, marker="o", markersize=3, label=inputs)
    axis.set_xticks(range(len(shares)), [Variant(share, NOTHING).trees for share in shares])
    axis.set_xlabel("share of the config's trees", fontsize=9)
    axis.tick_params(labelsize=8)
