"""Reliability diagrams: observed rate of the outcome by predicted probability."""

import numpy as np
from matplotlib.figure import Figure

from ranker.evaluation.evaluated_slice import ObjectiveCurves
from ranker.evaluation.metrics import Reliability
from ranker.reports.figures.drawing import Drawing, Floats, probability_axis, score_density, wilson
from ranker.reports.svg import colour, render
from ranker.reports.text import plural

MIN_EXPECTED = 5
"""Minimum of expected outcomes per bin; with fewer, a rare objective's diagram would show noise."""

_SIZE = (340, 340)
_LARGEST = 0.9999  # of the axes: an observed rate of 1 has no odds


def reliability_diagram(objective: str, curves: ObjectiveCurves, confidence: float) -> Drawing:
    """One objective's diagram over a histogram of the candidate's scores.

    Args:
        objective: its name.
        curves: of the candidate and, if there is one, of the baseline.
        confidence: level of the intervals on the observed rates.
    """

    def draw(figure: Figure) -> None:
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
        low, high = _range(curves)
        top.plot([low, high], [low, high], color=colour("muted"), linewidth=1, linestyle="--")
        if curves.baseline is not None:
            predicted, observed, _, _ = _points(curves.baseline.reliability, confidence)
            top.plot(
                *(predicted, np.maximum(observed, low)),
                color=colour("serving"),
                marker="o",
                markersize=3,
                markerfacecolor="none",
                linewidth=0.8,
                label="now serving",
            )
        predicted, observed, lower, upper = _points(curves.candidate.reliability, confidence)
        shown = np.maximum(observed, low)
        top.errorbar(
            *(predicted, shown),
            yerr=np.clip([shown - np.maximum(lower, low), upper - shown], 0.0, None),
            color=colour("candidate"),
            marker="o",
            markersize=3.5,
            elinewidth=0.8,
            linewidth=1.2,
            label="candidate",
        )
        probability_axis(top, "x", low, high)
        probability_axis(top, "y", low, high)
        top.set_ylabel("observed")
        if curves.baseline is not None:
            top.legend(loc="upper left")
        edges, density = score_density(curves.candidate.scores)
        bottom.stairs(density, edges, fill=True, color=colour("candidate"), alpha=0.45)
        bottom.set_xlabel("predicted")
        bottom.set_ylabel("count")
        bottom.grid(visible=False, axis="x")

    bins = len(_points(curves.candidate.reliability, confidence)[0])
    label = f"Reliability diagram of {objective}: observed against predicted rate in {bins} bins"
    caption = f"{plural(bins, 'bin')} of at least {MIN_EXPECTED} outcomes expected"
    return Drawing(render(f"reliability-{objective}", label, _SIZE, draw), objective, caption)


def merged(curve: Reliability) -> tuple[Floats, Floats, Floats, Floats]:
    """The bins of a curve; neighbours are joined until each has MIN_EXPECTED expected outcomes or one bin is left.

    Returns:
        The lowest prediction of each bin, impressions, positives and summed predictions, [bins] each.
    """
    edges, impressions, positives, predicted = (
        np.array(values) for values in (curve.edges, curve.impressions, curve.positives, curve.predicted)
    )
    starts = [0]
    expected = 0.0
    for i, more in enumerate(predicted):
        if expected >= MIN_EXPECTED:
            starts.append(i)
            expected = 0.0
        expected += more
    if expected < MIN_EXPECTED and len(starts) > 1:
        starts.pop()
    return (
        edges[:-1][starts],
        np.add.reduceat(impressions, starts),
        np.add.reduceat(positives, starts),
        np.add.reduceat(predicted, starts),
    )


def _points(curve: Reliability, confidence: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Mean prediction, observed rate and the ends of its interval, of each bin that has impressions."""
    _, impressions, positives, predicted = merged(curve)
    held = impressions > 0
    impressions, positives, predicted = impressions[held], positives[held], predicted[held]
    return predicted / impressions, positives / impressions, *wilson(positives, impressions, confidence)


def _range(curves: ObjectiveCurves) -> tuple[float, float]:
    """The range of both axes: every mean prediction and every observed rate above zero, with a margin."""
    values = []
    for model in (curves.candidate, curves.baseline):
        if model is not None:
            predicted, observed, _, upper = _points(model.reliability, 0.95)
            values += [predicted, observed, upper]
    positive = np.concatenate(values)
    positive = positive[positive > 0]
    if len(positive) == 0:
        return 1e-3, 1.0
    odds = positive.clip(max=_LARGEST) / (1.0 - positive.clip(max=_LARGEST))
    low, high = float(odds.min()) / 1.6, float(odds.max()) * 1.6
    return low / (1.0 + low), high / (1.0 + high)
