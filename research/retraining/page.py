"""The results as figures for the JSON, as a Markdown page, and as a drawing."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from benchmarks.drawing import save_svg
from benchmarks.harness import Figure
from research.retraining.judging import REFERENCE, Results

CHEAPER_TARGET = 4.0
_COLOURS = {"frozen": "#8c8c8c", "cold": "#1f77b4", "warm": "#d95f02", "incremental": "#1b9e77"}
_COLUMNS = 4


def figures(results: Results, with_targets: bool) -> list[Figure]:
    """The cost of daily cold starts over that of warm starts, and the normalized entropy of each beside a cold start's.

    Args:
        results: of one feed.
        with_targets: whether the run is large enough to be held to them.
    """
    cold, warm = results.outcomes[REFERENCE], results.outcomes["warm"]
    made = [
        Figure(
            f"{results.name}.cold_over_warm_seconds",
            ours=cold.total_seconds,
            rival=warm.total_seconds,
            unit="s",
            target=CHEAPER_TARGET if with_targets else None,
            note=f"training for {len(results.days)} days, of each the median over {results.seeds} seeds; "
            f"cold: {_parts(cold.parts)}; warm: {_parts(warm.parts)}; seed by seed {_ratios(results)} times",
        )
    ]
    made += [_entropy(results, strategy, None) for strategy in results.outcomes if strategy != REFERENCE]
    made += [_entropy(results, "warm", index) for index in range(len(results.objectives))]
    return made


def _entropy(results: Results, strategy: str, objective: int | None) -> Figure:
    """A strategy's normalized entropy beside a cold start's; of one objective, or the mean over all."""
    ours, cold = (
        [judged.normalized_entropy for judged in results.outcomes[name].pooled] for name in (strategy, REFERENCE)
    )
    chosen = slice(None) if objective is None else slice(objective, objective + 1)
    name = "mean" if objective is None else results.objectives[objective]
    value, low, high = results.entropy_gap(strategy, objective)
    return Figure(
        f"{results.name}.{strategy}_over_cold_ne.{name}",
        ours=float(np.mean(ours[chosen])),
        rival=float(np.mean(cold[chosen])),
        unit="NE",
        note=f"difference {value:+.4f} (95 % interval {low:+.4f} to {high:+.4f}): "
        + ("a loss" if low > 0 else "a gain" if high < 0 else "no difference that the days could tell"),
    )


def markdown(results: Results, drawing: str) -> str:
    """The page: the drawing, cost, and every objective of every strategy.

    Args:
        results: of one feed.
        drawing: where the drawing lies, seen from the page.
    """
    lines = [
        f"# Retraining: {results.name}",
        "",
        f"From `uv run python -m research.retraining --data {results.name} --seeds {results.seeds} --page FILE`.",
        "",
        f"{results.days[0]} to {results.days[-1]}, {results.rows:,} impressions, {results.seeds} seeds. Each day is "
        "predicted by models that have not seen it. Differences are to a cold start every day, with 95 % intervals "
        "from a bootstrap over viewers.",
        "",
        f"![Normalized entropy day by day]({drawing})",
        "",
        *_cost(results),
        "",
        "Of each day's seconds, the median over the seeds. A cold start took "
        f"{results.outcomes[REFERENCE].total_seconds / results.outcomes['warm'].total_seconds:.2f} times as long as a "
        f"warm one; seed by seed {_ratios(results)} times.",
        "",
        *_days(results),
        "",
        *_objectives(results),
    ]
    return "\n".join(lines) + "\n"


def draw(results: Results, path: Path) -> None:
    """Draws each objective's normalized entropy day by day, less a cold start's, and the seconds spent on training."""
    panels = len(results.objectives) + 2
    rows = -(-panels // _COLUMNS)
    drawing = Drawing(figsize=(3.2 * _COLUMNS, 2.6 * rows), layout="constrained")
    axes = drawing.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for index, objective in enumerate(results.objectives):
        _draw_entropy(axes[index], results, [index], objective)
    _draw_entropy(axes[panels - 2], results, list(range(len(results.objectives))), "mean over the objectives")
    _draw_seconds(axes[panels - 1], results)
    for unused in axes[panels:]:
        unused.set_axis_off()
    drawing.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(results.outcomes))
    save_svg(drawing, path)


def _draw_entropy(axis: Axes, results: Results, chosen: list[int], title: str) -> None:
    cold = results.outcomes[REFERENCE]
    for name, outcome in results.outcomes.items():
        gaps = [
            float(np.mean([ours[i].normalized_entropy - theirs[i].normalized_entropy for i in chosen]))
            for ours, theirs in zip(outcome.by_day, cold.by_day, strict=True)
        ]
        axis.plot(_ticks(results), gaps, label=name, color=_COLOURS[name], marker="o", markersize=3, linewidth=1.4)
    axis.set_title(title, fontsize=10)
    axis.set_ylabel("NE less cold's", fontsize=8)
    axis.tick_params(labelsize=7)


def _draw_seconds(axis: Axes, results: Results) -> None:
    for name, outcome in results.outcomes.items():
        if any(outcome.seconds):
            axis.plot(_ticks(results), outcome.seconds, color=_COLOURS[name], marker="o", markersize=3, linewidth=1.4)
    axis.set_ylim(bottom=0.0)
    axis.set_title("seconds of training", fontsize=10)
    axis.tick_params(labelsize=7)


def _ticks(results: Results) -> list[str]:
    return [f"{day:%d %b}" for day in results.days]


def _cost(results: Results) -> Iterator[str]:
    yield "| strategy | seconds of training | of which | normalized entropy less cold's, mean over the objectives |"
    yield "|---|---|---|---|"
    for name, outcome in results.outcomes.items():
        value, low, high = results.entropy_gap(name)
        gap = "–" if name == REFERENCE else f"{value:+.4f} ({low:+.4f} to {high:+.4f})"
        yield f"| {name} | {outcome.total_seconds:,.1f} | {_parts(outcome.parts) or '–'} | {gap} |"


def _days(results: Results) -> Iterator[str]:
    yield f"| mean normalized entropy | {' | '.join(f'{day:%d %b}' for day in results.days)} |"
    yield f"|---|{'---|' * len(results.days)}"
    for name, outcome in results.outcomes.items():
        means = [np.mean([judged.normalized_entropy for judged in day]) for day in outcome.by_day]
        yield f"| {name} | {' | '.join(f'{mean:.4f}' for mean in means)} |"


def _objectives(results: Results) -> Iterator[str]:
    yield "| objective | strategy | AUC | O/E | normalized entropy | less cold's |"
    yield "|---|---|---|---|---|---|"
    for index, objective in enumerate(results.objectives):
        for name, outcome in results.outcomes.items():
            judged = outcome.pooled[index]
            value, low, high = results.entropy_gap(name, index)
            gap = "–" if name == REFERENCE else f"{value:+.4f} ({low:+.4f} to {high:+.4f})"
            yield (
                f"| {objective} | {name} | {judged.auc:.4f} | {judged.o_over_e:.3f} | "
                f"{judged.normalized_entropy:.4f} | {gap} |"
            )


def _parts(parts: dict[str, float]) -> str:
    return ", ".join(f"{name} {seconds:,.1f} s" for name, seconds in parts.items())


def _ratios(results: Results) -> str:
    """A cold start's seconds over a warm one's, of each seed."""
    cold, warm = (results.outcomes[name].seconds_by_seed for name in (REFERENCE, "warm"))
    return ", ".join(f"{ours / theirs:.2f}" for ours, theirs in zip(cold, warm, strict=True))
