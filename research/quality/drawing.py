"""The picture of the page: our AUC minus each model's."""

from pathlib import Path

import numpy as np

from benchmarks.drawing import save_svg
from ranker.figure_text import shortened
from research.quality.names import OURS
from research.quality.study import QualityResults


def draw(results: QualityResults, file: Path) -> None:
    """Our AUC minus each model's, with its interval, one panel per objective."""
    from matplotlib import pyplot

    models = [name for name in results.judged if name != OURS]
    objectives = results.feed.config.objective_names
    columns = min(len(objectives), 4)
    rows = -(-len(objectives) // columns)
    figure, axes = pyplot.subplots(
        *(rows, columns), figsize=(2.6 * columns + 1.6, 0.32 * len(models) * rows + 1.1 * rows), layout="constrained"
    )
    panels = list(np.atleast_1d(axes).flat)
    for index, (axis, objective) in enumerate(zip(panels, objectives, strict=False)):
        for place, name in enumerate(models):
            difference = results.judged[OURS][index].auc - results.judged[name][index].auc
            low, high = difference.interval
            colour = "C2" if low > 0 else "C3" if high < 0 else "0.45"
            axis.plot([low, high], [place, place], color=colour, linewidth=1.5)
            axis.plot(difference.value, place, "o", color=colour, markersize=4)
        axis.axvline(0, color="0.7", linewidth=0.8, zorder=0)
        axis.set_title(f"{shortened(objective)} ({results.positives[index]:,})", fontsize=9)
        axis.set_yticks(range(len(models)), models if index % columns == 0 else [""] * len(models), fontsize=8)
        axis.set_ylim(len(models) - 0.5, -0.5)
        axis.tick_params(axis="x", labelsize=7)
        axis.locator_params(axis="x", nbins=4)
    for axis in panels[len(objectives) :]:
        axis.set_axis_off()
    figure.supxlabel("our AUC − the model's, 95 % interval; positives in brackets", fontsize=8)
    save_svg(figure, file)
    pyplot.close(figure)
