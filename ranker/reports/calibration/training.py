"""The training loss of the forest and of the towers, and the days that they were trained on."""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from ranker.figure_text import legend_label
from ranker.forest.curve import TrainingCurve
from ranker.reports.figures.drawing import SMALL, Drawing, Floats
from ranker.reports.svg import colour, render
from ranker.reports.text import plural, weekday
from ranker.towers.history import TrainingHistory

_WINDOW = 5
_SERIES = ("candidate", "serving", "good", "bad", "warn", "ink", "muted")


def forest_curve(curve: TrainingCurve) -> Drawing:
    """Log loss after each round, on the training rows and on the held-out viewers."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for losses, variable, label in (
            (curve.train, "serving", "training rows"),
            (curve.validation, "candidate", "held-out viewers"),
        ):
            if losses:
                axes.plot(np.arange(1, len(losses) + 1), losses, color=colour(variable), label=label)
        axes.axvline(curve.kept_rounds, color=colour("muted"), linewidth=0.8, linestyle="--")
        axes.set_xlabel("round")
        axes.set_ylabel("mean log loss, nats")
        figure.legend(loc="outside upper right", ncols=2)

    grown = len(curve.train)
    caption = f"{plural(grown, 'round')} trained, {curve.kept_rounds} kept (dashed line)"
    label = f"Log loss of the forest over {plural(grown, 'round')}"
    return Drawing(render("forest-curve", label, SMALL, draw), "Forest", caption)


def tower_loss(history: TrainingHistory) -> Drawing:
    """The towers' summed loss by impressions seen, compared with a model that predicts base rates."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot(history.impressions, history.loss, color=colour("candidate"), marker=".", markersize=4)
        axes.axhline(history.base_rate_loss, color=colour("muted"), linewidth=0.8, linestyle="--")
        axes.set_xlabel("impressions seen")
        axes.set_ylabel("summed log loss, nats")
        axes.xaxis.set_major_formatter(_thousands)

    label = "Summed log loss of the towers over the impressions seen"
    caption = (
        f"Dashed: predicting base rates. {history.length_text}, {history.rows_per_second:,.0f} impressions per second"
    )
    return Drawing(render("tower-loss", label, SMALL, draw), "Towers", caption)


def tower_objectives(history: TrainingHistory, base_rates: Mapping[str, float], towers: Mapping[str, str]) -> Drawing:
    """Each objective's loss divided by the entropy of its base rate: 1 is no better than predicting that rate.

    Args:
        history: of the towers' training.
        base_rates: share of positives in training, by objective.
        towers: the tower of each objective.
    """
    objectives = [name for name in history.objectives if 0.0 < base_rates.get(name, 0.0) < 1.0]
    losses = np.array(history.objective_losses).reshape(len(history.step), len(history.objectives))
    seen = np.array(history.impressions, np.float64)
    chunks = np.diff(seen, prepend=0.0)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for index, name in enumerate(objectives):
            relative = losses[:, history.objectives.index(name)] / _entropy(base_rates[name])
            axes.plot(
                *(seen, _moving_mean(relative, chunks)),
                color=colour(_SERIES[index % len(_SERIES)]),
                linestyle="-" if towers.get(name) == "passive" else "--",
                linewidth=1.1,
                label=legend_label(name),
            )
        axes.axhline(1.0, color=colour("muted"), linewidth=0.8, linestyle="--")
        axes.set_xlabel("impressions seen")
        axes.set_ylabel("normalized entropy")
        axes.xaxis.set_major_formatter(_thousands)
        if objectives:
            figure.legend(loc="outside lower center", ncols=2)

    label = "Normalized entropy of each objective over the impressions seen"
    rows = math.ceil(len(objectives) / 2)
    size = (SMALL[0], SMALL[1] + 17 * rows)
    caption = f"Moving mean over {_WINDOW} chunks of steps. Solid: passive tower, dashed: active tower"
    return Drawing(render("tower-objectives", label, size, draw), "Objectives in the towers", caption)


def learning_rate(history: TrainingHistory) -> Drawing:
    """The learning rate per step."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot(history.step, history.learning_rate, color=colour("candidate"), marker=".", markersize=4)
        axes.set_ylim(bottom=0.0)
        axes.set_xlabel("step")
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-3, 3))

    label = "Learning rate over the steps"
    return Drawing(render("learning-rate", label, SMALL, draw), "Learning rate", "Warm-up, then cosine decay")


def rows_per_day(rows: Mapping[str, int]) -> Drawing:
    """Impressions per day, the held-out day in another colour."""
    days = list(rows)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        colours = [colour("serving")] * (len(days) - 1) + [colour("candidate")]
        axes.bar(range(len(days)), [rows[day] for day in days], color=colours, width=0.8)
        every = max(1, math.ceil(len(days) / 8))
        shown = range((len(days) - 1) % every, len(days), every)
        axes.set_xticks(list(shown), [f"{weekday(days[i])}\n{days[i][5:]}" for i in shown])
        axes.tick_params(axis="x", bottom=False)
        axes.yaxis.set_major_formatter(_thousands)
        axes.grid(visible=False, axis="x")
        axes.set_ylabel("impressions")

    label = f"Impressions of each of {plural(len(days), 'day')}"
    return Drawing(render("rows-per-day", label, SMALL, draw), "Impressions per day", "The last day is held out")


def _moving_mean(values: Floats, weights: Floats) -> Floats:
    """The weighted mean of each value and up to _WINDOW - 1 before it, [values]."""
    sums, totals = np.cumsum(values * weights), np.cumsum(weights)
    sums[_WINDOW:] -= sums[:-_WINDOW].copy()
    totals[_WINDOW:] -= totals[:-_WINDOW].copy()
    return sums / totals


def _entropy(rate: float) -> float:
    return -(rate * math.log(rate) + (1.0 - rate) * math.log(1.0 - rate))


def _thousands(value: float, _: object) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if value >= 1e3 else f"{value:g}"
