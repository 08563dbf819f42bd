"""The picture of the page: the share of the possible gain of every arm."""

from pathlib import Path

from benchmarks.drawing import save_svg
from research.online.arms import CONTROL, POSSIBLE, RANDOM, TRUTH
from research.online.results import OnlineResults
from research.quality.names import OURS, WITH_EFFECTS


def draw(results: OnlineResults, file: Path) -> None:
    """The share of the possible gain of every trained arm, with its interval."""
    from matplotlib import pyplot

    arms = [arm for arm in results.arms if arm not in (CONTROL, RANDOM, POSSIBLE, TRUTH)]
    figure, axis = pyplot.subplots(figsize=(6.4, 0.45 * len(arms) + 1.1), layout="constrained")
    for place, arm in enumerate(arms):
        share = results.share_of_possible_gain(arm)
        low, high = share.interval
        colour = "C0" if arm in (OURS, WITH_EFFECTS) else "0.55"
        axis.barh(place, 100 * share.value, color=colour, height=0.6)
        axis.plot([100 * low, 100 * high], [place, place], color="0.15", linewidth=1.2)
        axis.annotate(
            f"{100 * share.value:.0f} %",
            (100 * max(share.value, high), place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axis.axvline(0, color="0.3", linewidth=0.8)
    axis.axvline(100, color="0.3", linewidth=0.8, linestyle=":")
    axis.set_yticks(range(len(arms)), arms, fontsize=9)
    axis.invert_yaxis()
    axis.set_xlabel(f"gain in utility over the {CONTROL}, % of the possible gain", fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
    save_svg(figure, file)
    pyplot.close(figure)
