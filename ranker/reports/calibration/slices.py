"""AUC of one objective on every slice."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ranker.reports.calibration.inputs import Document
from ranker.reports.figures.drawing import Drawing, label_rows, slice_rows
from ranker.reports.svg import colour, render

_WIDTH, _ROW, _AXIS = 340, 17, 62  # CSS pixels


def auc_by_slice(objective: str, document: Document, gate: float | None) -> Drawing:
    """A dot with its interval per slice, the serving model's beside it, all impressions on top.

    Args:
        objective: its name.
        document: the evaluation document.
        gate: the least AUC over all impressions, or None where there is no such gate.
    """
    rows, _ = slice_rows(document)
    entries = [row.objectives.get(objective) if row.objectives else None for row in rows]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        overall = document["objectives"][objective]["auc"]
        if overall is not None:
            axes.axvline(overall, color=colour("candidate"), linewidth=0.8, alpha=0.5)
        if gate is not None:
            axes.axvline(gate, color=colour("bad"), linewidth=0.8, linestyle=":")
        _dots(axes, {y: metrics for y, metrics in enumerate(entries) if metrics is not None})
        label_rows(axes, [row.label for row in rows], [row.objectives is None for row in rows])
        axes.set_xlim(*_limits([metrics for metrics in entries if metrics is not None], gate))
        axes.set_xlabel("AUC")
        axes.grid(visible=False, axis="y")

    measured = sum(metrics is not None for metrics in entries)
    label = f"AUC of {objective} on all impressions and {measured - 1} slices, with intervals"
    return Drawing(
        render(f"auc-{objective}", label, (_WIDTH, _AXIS + _ROW * len(entries)), draw),
        objective,
        f"{document['objectives'][objective]['positives']:,} positives",
    )


def _dots(axes: Axes, by_row: dict[int, Document]) -> None:
    served = {y: metrics["baseline"]["auc"] for y, metrics in by_row.items() if "baseline" in metrics}
    served = {y: auc for y, auc in served.items() if auc is not None}
    axes.plot(
        *(list(served.values()), list(served)),
        color=colour("serving"),
        marker="o",
        markersize=4,
        markerfacecolor="none",
        linestyle="none",
    )
    measured = {y: metrics for y, metrics in by_row.items() if metrics["auc"] is not None}
    low, value, high = ([metrics[key] for metrics in measured.values()] for key in ("auc_lower", "auc", "auc_upper"))
    axes.hlines(list(measured), low, high, colors=colour("candidate"), linewidth=1.2)
    axes.plot(value, list(measured), marker="o", markersize=3.5, linestyle="none", color=colour("candidate"))
    across = axes.get_yaxis_transform()  # the whole width, whatever the limits
    for y in by_row.keys() - measured.keys():
        axes.text(0.5, y, "undefined", ha="center", va="center", color=colour("muted"), fontsize=7, transform=across)


def _limits(entries: list[Document], gate: float | None) -> tuple[float, float]:
    """From the lowest to the highest value that is drawn; the interval of a tiny slice may run out of the figure."""
    drawn = [m["auc"] for m in entries] + [m.get("baseline", {}).get("auc") for m in entries]
    drawn += [gate, entries[0]["auc_lower"], entries[0]["auc_upper"]]
    values = [value for value in drawn if value is not None]
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    air = max(0.02, 0.15 * (high - low))
    return max(0.0, low - air), min(1.005, high + air)
