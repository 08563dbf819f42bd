"""The score distributions of the candidate and of the serving model."""

from matplotlib.figure import Figure

from ranker.evaluation.evaluated_slice import ObjectiveCurves
from ranker.evaluation.jensen_shannon import jensen_shannon
from ranker.reports.figures.drawing import SMALL, Drawing, probability_axis, score_density
from ranker.reports.svg import colour, render
from ranker.reports.text import number


def score_distribution(objective: str, curves: ObjectiveCurves) -> Drawing:
    """The density of impressions over the log-odds of the score, both models on the same buckets.

    Args:
        objective: its name.
        curves: of the candidate and, if there is one, of the baseline.
    """

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        low, high = 1.0, 0.0
        for model, name, label in (
            (curves.baseline, "serving", "now serving"),
            (curves.candidate, "candidate", "candidate"),
        ):
            if model is None:
                continue
            edges, density = score_density(model.scores)
            density /= max(1.0, sum(model.scores.impressions))
            if model is curves.candidate:
                axes.stairs(density, edges, fill=True, color=colour(name), alpha=0.25)
            axes.stairs(density, edges, color=colour(name), label=label, linewidth=1.2)
            low, high = min(low, float(edges[0])), max(high, float(edges[-1]))
        probability_axis(axes, "x", low, high)
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}%")
        axes.set_xlabel("predicted")
        axes.set_ylabel("share per doubling of the odds")
        if curves.baseline is not None:
            figure.legend(loc="outside upper right", ncols=2)

    caption = ""
    if curves.baseline is not None:
        distance = jensen_shannon(curves.candidate.scores.counts(), curves.baseline.scores.counts())
        caption = f"Jensen–Shannon divergence from the serving model: {number(distance)}"
    label = f"Histogram of the predicted probabilities of {objective}"
    return Drawing(render(f"scores-{objective}", label, SMALL, draw), objective, caption)
