"""The figures of an experiment's page: the front of passive against active engagement, and what metrics changed."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy.special import ndtri

from ranker.evaluation.buckets import Floats
from ranker.reports.figures.drawing import SMALL, Drawing
from ranker.reports.svg import colour, render
from ranker.reports.text import plural
from ranker.reports.tradeoff.tables import limits_of, percentage
from ranker.tradeoff.experiment import Experiment
from ranker.tradeoff.measurements import OVERALL
from ranker.tradeoff.offline import OfflineValues, pareto_front
from ranker.tradeoff.setting import Setting

_EXPONENT = 8  # of 2: settings of the front
MOST_ARMS = 24
_SIZE = (460, 320)


def front(experiment: Experiment) -> Drawing | None:
    """The offline estimates of passive and active engagement under many settings. None without them."""
    offline = experiment.offline
    groups = _groups(experiment)
    if offline is None or groups is None:
        return None
    points = experiment.space.spread(_EXPONENT, experiment.seed)
    changes, _ = offline.changes(points, groups)
    # Arm 0 is a setting of the front too, unless another one is better.
    changes = 100.0 * np.concatenate([np.zeros((1, 2)), changes[np.isfinite(changes).all(axis=1)]])
    best = pareto_front(changes[:, 0], changes[:, 1])
    shipped = experiment.shipped()[None]
    settings = _tested(experiment)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot(changes[:, 0], changes[:, 1], ".", color=colour("muted"), markersize=3, label="settings")
        axes.plot(changes[best, 0], changes[best, 1], color=colour("candidate"), label="Pareto front")
        for marker, tone, label, chosen in (
            ("o", "serving", "tested", settings),
            ("*", "good", "to ship", [] if shipped is None else [experiment.space.setting(shipped.point)]),
        ):
            if chosen:
                at = 100.0 * _changes(offline, chosen, groups)
                axes.plot(at[:, 0], at[:, 1], marker, color=colour(tone), markersize=6, linestyle="none", label=label)
        axes.plot(0.0, 0.0, "s", color=colour("ink"), markersize=5, linestyle="none", label="arm 0")
        axes.set_xlabel("passive engagement, change in %")
        axes.set_ylabel("active engagement, change in %")
        axes.legend()

    label = f"Offline estimates of {plural(len(changes), 'setting')}, {len(best)} of them on the Pareto front"
    return Drawing(
        render("tradeoff-front", label, _SIZE, draw),
        "Passive against active engagement",
        "Engagement is the sum of the config's weights times the outcomes; estimated offline, relative to arm 0.",
    )


def changes_of(experiment: Experiment, index: int) -> Drawing:
    """The believed change of one metric by every tested setting, with the limits."""
    metric = experiment.metrics.all[index]
    settings = _tested(experiment)[-MOST_ARMS:]
    confidence = metric.confidence
    beliefs = (
        experiment.optimiser.judge(np.stack([experiment.space.point(setting) for setting in settings]), OVERALL)
        if settings
        else []
    )
    means = [100.0 * float(of.means[index]) for of in beliefs]
    half = [100.0 * float(ndtri(confidence) * of.deviations[index]) for of in beliefs]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.axhline(0.0, color=colour("muted"), linewidth=0.8, linestyle="--")
        _limit(axes, metric.lower if index else -math.inf)
        _limit(axes, metric.upper if index else math.inf)
        axes.errorbar(
            range(1, len(means) + 1), means, yerr=half, fmt="o", markersize=4, color=colour("candidate"), linewidth=1.0
        )
        axes.set_xlim(0.5, max(len(means), 1) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_xlabel("tested setting, oldest first")
        axes.set_ylabel("change in %")

    caption = f"{limits_of(metric)} at {percentage(confidence)}" if index else "is maximised"
    label = f"Believed change of {metric.name} by {plural(len(means), 'tested setting')}"
    return Drawing(render(f"tradeoff-{metric.name}", label, SMALL, draw), metric.name, caption)


def _limit(axes: Axes, limit: float) -> None:
    if math.isfinite(limit):
        axes.axhline(100.0 * limit, color=colour("bad"), linewidth=0.8, linestyle=":")


def _tested(experiment: Experiment) -> list[Setting]:
    """The distinct settings that have been measured, oldest first."""
    return list({str(of.arm.setting): of.arm.setting for of in experiment.results if of.changes is not None}.values())


def _changes(offline: OfflineValues, settings: list[Setting], weights: Floats) -> Floats:
    return np.stack([offline.change(setting, weights).relative for setting in settings])


def _groups(experiment: Experiment) -> Floats | None:
    """The weights of passive and active engagement, [2, objectives]; None if the config has only one of them."""
    objectives = experiment.config.objectives
    rows = [
        [objective.utility_weight if objective.group == group else 0.0 for objective in objectives]
        for group in ("passive", "active")
    ]
    return np.array(rows) if all(any(row) for row in rows) else None
