"""The picture of the page: the share of the gap that every arm closes."""

from pathlib import Path

from matplotlib.figure import Figure as Drawing

from benchmarks.drawing import save_svg
from research.forest_share.measuring import ALL, WARM
from research.tastes.names import FEATURES, ORACLE
from research.tastes.study import TastesResults

_COLOURS = {ALL: "#1f77b4", WARM: "#8c8c8c"}


def draw(results: TastesResults, file: Path) -> None:
    """A bar per arm with its 95 % interval, for all and for warm viewers."""
    drawing = Drawing(figsize=(6.4, 0.6 * len(results.arms) + 1.2), layout="constrained")
    axis = drawing.subplots()
    for number, (group, colour) in enumerate(_COLOURS.items()):
        online = results.online(group)
        if online is None:
            continue
        for place, arm in enumerate(results.arms):
            share = online.share_of_gap(arm, FEATURES, ORACLE)
            low, high = share.interval
            height = place + 0.36 * (number - 0.5)
            label = f"{group} viewers" if place == 0 else None
            axis.barh(height, 100 * share.value, color=colour, height=0.34, label=label)
            axis.plot([100 * low, 100 * high], [height, height], color="0.15", linewidth=1.2)
    axis.axvline(0, color="0.3", linewidth=0.8)
    axis.set_yticks(range(len(results.arms)), results.arms, fontsize=9)
    axis.invert_yaxis()
    axis.set_xlabel(f"gain in utility over {FEATURES}, % of the {ORACLE}'s", fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(fontsize=8)
    save_svg(drawing, file)
