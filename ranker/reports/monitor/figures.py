"""The figures of the monitor's page: series over days, with the limits and alarms of each day."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ranker.config.names import UTILITY
from ranker.evaluation.intervals import Estimate
from ranker.figure_text import shortened
from ranker.monitoring.drift import FeatureHealth
from ranker.monitoring.outcomes import OutcomeHealth
from ranker.monitoring.record import DayRecord
from ranker.reports.figures.drawing import SMALL, Drawing, label_rows
from ranker.reports.figures.heatmap import HeatMapCell, draw_cells, frame, ratio_cell
from ranker.reports.svg import OE_STEPS, colour, render
from ranker.reports.text import NOTHING, defined, plural

MAX_DAYS = 30
"""Maximum number of days in a figure, the newest."""
MAX_COLUMNS = 14
MAX_ROWS = 30

_LABELS, _COLUMN, _ROW, _HEADER = 170, 50, 24, 60  # CSS pixels
_MOST_DATES = 4
_SHADES = (0.25, 0.5, 0.75, 1.0)  # shares of a limit from which a cell's colour is one step darker


def outcome_series(objective: str, records: Sequence[DayRecord]) -> Drawing:
    """O/E over all impressions per day, with its interval and its limits."""
    records = records[-MAX_DAYS:]
    series = [_outcome(record, objective) for record in records]
    measured = [
        (x, found.o_over_e, found) for x, found in enumerate(series) if found is not None and found.o_over_e is not None
    ]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.axhline(1.0, color=colour("muted"), linewidth=0.8, linestyle="--")
        limits = [found.limit if found is not None else None for found in series]
        _limits(axes, [None if limit is None else limit[0] for limit in limits])
        _limits(axes, [None if limit is None else limit[1] for limit in limits])
        for x, value, found in measured:
            tone = colour("bad" if found.alarm else "candidate")
            axes.vlines(
                x, found.lower or 0.0, value if found.upper is None else found.upper, colors=tone, linewidth=1.0
            )
            axes.plot(x, value, marker="X" if found.alarm else "o", markersize=5, color=tone)
        sliced = [x for x, record in enumerate(records) if _slice_alarm(record, objective)]
        across = axes.get_xaxis_transform()
        axes.plot(
            sliced,
            [0.03] * len(sliced),
            marker="^",
            markersize=5,
            linestyle="none",
            color=colour("bad"),
            transform=across,
        )
        values = [v for _, value, found in measured for v in (value, found.lower, found.upper) if v is not None]
        low, high = min([0.75, *values]), max([1.3, *values])
        axes.set_ylim(max(0.0, low - 0.05), min(high + 0.05, 3.0))
        axes.set_ylabel("O/E")
        _days(axes, records)

    alarms = sum(found is not None and bool(found.alarm) for found in series)
    label = f"O/E of {objective} over {plural(len(records), 'day')}, {plural(alarms, 'day')} beyond the limits"
    return Drawing(render(f"outcome-{objective}", label, SMALL, draw), objective)


def ranking_series(objective: str, records: Sequence[DayRecord]) -> Drawing | None:
    """How each day's sessions were ranked, with intervals: AUC within sessions and NDCG by an objective; utility of the
    top k and NDCG by the utility, "". None without such a day.
    """
    records = records[-MAX_DAYS:]
    series = [next((r for r in record.rankings if r.objective == objective), None) for record in records]
    measured = {x: found for x, found in enumerate(series) if found is not None}
    if not measured:
        return None
    k = max(measured.items())[1].k

    def draw(figure: Figure) -> None:
        top, bottom = figure.subplots(2, 1, sharex=True)
        _dots(top, {x: found.gauc if objective else found.top_utility for x, found in measured.items()})
        _dots(bottom, {x: found.ndcg for x, found in measured.items()})
        if objective:
            top.axhline(0.5, color=colour("muted"), linewidth=0.8, linestyle="--")
        top.set_ylabel("GAUC" if objective else f"top {k}")
        bottom.set_ylabel(f"NDCG@{k}")
        _days(bottom, records)

    name = objective or UTILITY
    label = f"Ranking by {name} over {plural(len(records), 'day')}"
    return Drawing(render(f"ranking-{name if objective else 'by-utility'}", label, SMALL, draw), name)


def score_series(objective: str, records: Sequence[DayRecord]) -> Drawing:
    """The divergence of each day's scores from those of the day that the model was evaluated on, with its limit."""
    records = records[-MAX_DAYS:]
    series = [next((s for s in record.scores if s.objective == objective), None) for record in records]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        _limits(axes, [None if found is None else found.limit for found in series])
        for x, found in enumerate(series):
            if found is not None and found.divergence is not None:
                tone = colour("bad" if found.alarm else "candidate")
                axes.plot(x, found.divergence, marker="X" if found.alarm else "o", markersize=5, color=tone)
        axes.set_ylim(bottom=0.0)
        axes.set_ylabel("divergence, bits")
        _days(axes, records)

    label = f"Divergence of the scores of {objective} over {plural(len(records), 'day')}"
    return Drawing(render(f"score-{objective}", label, SMALL, draw), objective)


def feature_series(feature: str, records: Sequence[DayRecord]) -> Drawing:
    """The divergence of one feature from the reference window, with its limit, and its share of missing values."""
    records = records[-MAX_DAYS:]
    series = [next((f for f in record.features if f.feature == feature), None) for record in records]

    def draw(figure: Figure) -> None:
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
        _limits(top, [None if found is None else found.limit for found in series])
        for x, found in enumerate(series):
            if found is not None:
                tone = colour("bad" if found.alarm else "candidate")
                top.plot(x, found.distance, marker="X" if found.alarm else "o", markersize=5, color=tone)
        missing = [np.nan if found is None else 100.0 * found.missing for found in series]
        bottom.plot(range(len(records)), missing, marker="o", markersize=3, color=colour("serving"))
        top.set_ylim(bottom=0.0)
        bottom.set_ylim(0.0, max(1.0, 1.1 * np.nanmax(missing)))
        top.set_ylabel("drift, bits")
        bottom.set_ylabel("missing, %")
        _days(bottom, records)

    label = f"Drift and missing values of {feature} over {plural(len(records), 'day')}"
    return Drawing(render(f"feature-{feature}", label, SMALL, draw), feature)


def outcome_map(objective: str, records: Sequence[DayRecord]) -> Drawing | None:
    """O/E of one objective by slice and day; None without slices."""
    records = records[-MAX_COLUMNS:]
    cells: dict[str, dict[int, OutcomeHealth]] = {}
    for x, record in enumerate(records):
        for outcome in record.outcomes:
            if outcome.objective == objective and outcome.slice:
                cells.setdefault(outcome.slice, {})[x] = outcome
    if not cells:
        return None

    def order(name: str) -> tuple[bool, int]:
        return (not any(o.alarm for o in cells[name].values()), -max(o.impressions for o in cells[name].values()))

    shown = sorted(sorted(cells, key=order)[:MAX_ROWS])

    drawn = [
        ratio_cell(x, y, found.o_over_e, (found.lower, found.upper), bool(found.alarm))
        for y, name in enumerate(shown)
        for x, found in cells[name].items()
    ]
    label = f"O/E of {objective} by slice and day"
    return _map(f"slices-{objective}", label, objective, shown, records, drawn, len(cells) - len(shown))


def feature_map(records: Sequence[DayRecord]) -> Drawing | None:
    """Drift as a share of its limit, by feature and day, for the features with the largest; None without drift."""
    records = records[-MAX_COLUMNS:]
    cells: dict[str, dict[int, FeatureHealth]] = {}
    for x, record in enumerate(records):
        for feature in record.features:
            cells.setdefault(feature.feature, {})[x] = feature
    if not cells:
        return None

    def order(name: str) -> tuple[bool, float]:
        alarmed = any(f.alarm for f in cells[name].values())
        return (not alarmed, -max(f.distance / f.limit if f.limit else 0.0 for f in cells[name].values()))

    shown = sorted(cells, key=order)[:MAX_ROWS]

    drawn = [_drift_cell(x, y, found) for y, name in enumerate(shown) for x, found in cells[name].items()]
    label = "Drift of features as a share of its limit, by day"
    return _map("feature-map", label, "", shown, records, drawn, len(cells) - len(shown))


def _drift_cell(x: int, y: int, health: FeatureHealth) -> HeatMapCell:
    if not health.limit:
        return HeatMapCell(x, y, OE_STEPS // 2, NOTHING, flagged=bool(health.alarm))
    share = health.distance / health.limit
    shade = OE_STEPS // 2 + sum(share >= at for at in _SHADES)
    return HeatMapCell(x, y, shade, f"{100 * share:.0f}%", flagged=bool(health.alarm))


def _map(
    name: str,
    label: str,
    title: str,
    rows: Sequence[str],
    records: Sequence[DayRecord],
    cells: Sequence[HeatMapCell],
    left_out: int,
) -> Drawing:
    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        draw_cells(axes, cells)
        frame(axes, [record.day for record in records])
        label_rows(axes, rows, [False] * len(rows))

    size = (_LABELS + _COLUMN * len(records), _HEADER + _ROW * len(rows))
    caption = f"{left_out} more are not shown." if left_out else ""
    return Drawing(render(name, label, size, draw), title, caption, wide=True)


def _outcome(record: DayRecord, objective: str) -> OutcomeHealth | None:
    return next((o for o in record.outcomes if o.objective == objective and not o.slice), None)


def _slice_alarm(record: DayRecord, objective: str) -> bool:
    return any(o.alarm for o in record.outcomes if o.objective == objective and o.slice)


def _dots(axes: Axes, estimates: Mapping[int, Estimate]) -> None:
    """A dot with its interval per day; an open end of an interval is not drawn."""
    for x, estimate in estimates.items():
        if estimate.defined:
            lower, upper = defined(estimate.lower), defined(estimate.upper)
            low, high = (estimate.value if end is None else end for end in (lower, upper))
            axes.vlines(x, low, high, colors=colour("candidate"), linewidth=1.0)
            axes.plot(x, estimate.value, marker="o", markersize=4, color=colour("candidate"))


def _limits(axes: Axes, limits: Sequence[float | None]) -> None:
    """A stepped line: a limit may differ from day to day."""
    values = np.array([np.nan if limit is None else limit for limit in limits])
    at = np.arange(len(values))
    axes.hlines(values, at - 0.5, at + 0.5, colors=colour("bad"), linewidth=0.8, linestyles=":")


def _days(axes: Axes, records: Sequence[DayRecord]) -> None:
    """Dates on the x axis, and a thin line where the serving model changed."""
    every = max(1, -(-len(records) // _MOST_DATES))
    shown = list(range((len(records) - 1) % every, len(records), every))
    axes.set_xticks(shown, [shortened(records[i].day) for i in shown])
    axes.set_xlim(-0.6, len(records) - 0.4)
    axes.grid(visible=False, axis="x")
    for x, (before, after) in enumerate(pairwise(records)):
        if before.version != after.version:
            axes.axvline(x + 0.5, color=colour("grid"), linewidth=1.0)
