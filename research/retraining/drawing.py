"""The drawing of the page: normalized entropy per day, and the seconds of training."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from benchmarks.drawing import save_svg
from ranker.figure_text import shortened
from research.retraining.judging import REFERENCE, RetrainingResults

_COLOURS = {"frozen": "#8c8c8c", "cold": "#1f77b4", "warm": "#d95f02", "incremental": "#1b9e77"}
_COLUMNS = 4


def draw(results: RetrainingResults, path: Path) -> None:
    """Draws each objective's normalized entropy per day, minus a cold start's, and the seconds of training."""
    panels = len(results.objectives) + 2
    rows = -(-panels // _COLUMNS)
    drawing = Drawing(figsize=(3.2 * _COLUMNS, 2.6 * rows), layout="constrained")
    axes = drawing.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for index, objective in enumerate(results.objectives):
        _draw_entropy(axes[index], results, [index], shortened(objective))
    _draw_entropy(axes[panels - 2], results, list(range(len(results.objectives))), "mean over the objectives")
    _draw_seconds(axes[panels - 1], results)
    for unused in axes[panels:]:
        unused.set_axis_off()
    drawing.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(results.outcomes))
    save_svg(drawing, path)


def _draw_entropy(axis: Axes, results: RetrainingResults, chosen: list[int], title: str) -> None:
    cold = results.outcomes[REFERENCE]
    for name, outcome in results.outcomes.items():
        gaps = [
            float(np.mean([ours[i].normalized_entropy.value - theirs[i].normalized_entropy.value for i in chosen]))
            for ours, theirs in zip(outcome.by_day, cold.by_day, strict=True)
        ]
        axis.plot(_ticks(results), gaps, label=name, color=_COLOURS[name], marker="o", markersize=3, linewidth=1.4)
    axis.set_title(title, fontsize=10)
    axis.set_ylabel("NE − cold's", fontsize=8)
    axis.tick_params(labelsize=7)


def _draw_seconds(axis: Axes, results: RetrainingResults) -> None:
    for name, outcome in results.outcomes.items():
        if any(outcome.seconds):
            axis.plot(_ticks(results), outcome.seconds, color=_COLOURS[name], marker="o", markersize=3, linewidth=1.4)
    axis.set_ylim(bottom=0.0)
    axis.set_title("seconds of training", fontsize=10)
    axis.tick_params(labelsize=7)


def _ticks(results: RetrainingResults) -> list[str]:
    return [f"{day:%d %b}" for day in results.days]
