"""AUC of one objective on every slice."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ranker.evaluation.evaluated_slice import ObjectiveEvaluation
from ranker.evaluation.evaluation import Evaluation
from ranker.reports.figures.drawing import Drawing, label_rows, slice_rows
from ranker.reports.svg import colour, render
from ranker.reports.text import defined

_WIDTH, _ROW, _AXIS = 340, 17, 62  # CSS pixels


def auc_by_slice(objective: str, evaluation: Evaluation, gate: float | None) -> Drawing:
    """A dot with its interval per slice, next to the serving model's; all impressions at the top.

    Args:
        objective: its name.
        evaluation: of the candidate.
        gate: the lowest allowed AUC over all impressions, or None without such a gate.
    """
    rows, _ = slice_rows(evaluation)
    evaluated = evaluation.objectives[objective].candidate
    entries = [row.objectives.get(objective) if row.objectives else None for row in rows]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        if evaluated.auc.defined:
            axes.axvline(evaluated.auc.value, color=colour("candidate"), linewidth=0.8, alpha=0.5)
        if gate is not None:
            axes.axvline(gate, color=colour("bad"), linewidth=0.8, linestyle=":")
        _dots(axes, {y: entry for y, entry in enumerate(entries) if entry is not None})
        label_rows(axes, [row.label for row in rows], [row.objectives is None for row in rows])
        axes.set_xlim(*_limits([entry for entry in entries if entry is not None], gate))
        axes.set_xlabel("AUC")
        axes.grid(visible=False, axis="y")

    measured = sum(entry is not None for entry in entries)
    label = f"AUC of {objective} on all impressions and {measured - 1} slices, with intervals"
    return Drawing(
        render(f"auc-{objective}", label, (_WIDTH, _AXIS + _ROW * len(entries)), draw),
        objective,
        f"{evaluated.positives:,} positives",
    )


def _dots(axes: Axes, by_row: dict[int, ObjectiveEvaluation]) -> None:
    baselines = {y: entry.baseline.auc for y, entry in by_row.items() if entry.baseline is not None}
    served = {y: auc.value for y, auc in baselines.items() if auc.defined}
    axes.plot(
        *(list(served.values()), list(served)),
        color=colour("serving"),
        marker="o",
        markersize=4,
        markerfacecolor="none",
        linestyle="none",
    )
    measured = {y: entry.candidate.auc for y, entry in by_row.items() if entry.candidate.auc.defined}
    low, value, high = ([getattr(auc, end) for auc in measured.values()] for end in ("lower", "value", "upper"))
    axes.hlines(list(measured), low, high, colors=colour("candidate"), linewidth=1.2)
    axes.plot(value, list(measured), marker="o", markersize=3.5, linestyle="none", color=colour("candidate"))
    across = axes.get_yaxis_transform()  # the full width, whatever the limits
    for y in by_row.keys() - measured.keys():
        axes.text(0.5, y, "undefined", ha="center", va="center", color=colour("muted"), fontsize=7, transform=across)


def _limits(entries: list[ObjectiveEvaluation], gate: float | None) -> tuple[float, float]:
    """From the lowest to the highest value that is drawn; the interval of a tiny slice may exceed the figure."""
    overall = entries[0].candidate.auc
    drawn = [entry.candidate.auc.value for entry in entries]
    drawn += [entry.baseline.auc.value for entry in entries if entry.baseline is not None]
    values = [value for value in map(defined, (*drawn, gate, overall.lower, overall.upper)) if value is not None]
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    air = max(0.02, 0.15 * (high - low))
    return max(0.0, low - air), min(1.005, high + air)
