"""The results as tables: in the terminal, as figures for the JSON, and as Markdown."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.drawing import save_svg
from benchmarks.harness import Figure
from research.quality.slices import LEAST_POSITIVES
from research.quality.statistics import Judged, interval
from research.quality.study import Results

OURS = "ours"
CEILING = "Bayes optimum"

_SLICE_LIMITS = (0.9, 1.1)


def figures(results: Results) -> list[Figure]:
    """Of every objective, our AUC and normalized entropy beside the best rival's, and what there is of the ceiling."""
    made = []
    data = results.feed.name
    for index, objective in enumerate(results.feed.config.objective_names):
        ours, rivals = results.judged[OURS][index], _rivals(results, index)
        if CEILING in results.judged:
            made += _beside_the_truth(f"{data}.{objective}", ours, results.judged[CEILING][index])
        name = _best(rivals, "auc")
        best = rivals[name]
        note = (
            f"the best rival is {name}; difference {_difference(ours.auc, best.auc, ours.auc_draws - best.auc_draws)}"
        )
        made.append(Figure(f"{data}.auc.{objective}", ours.auc, best.auc, "AUC", 1.0, note=note))
        name = _best(rivals, "normalized_entropy")
        best = rivals[name]
        entropies = (ours.normalized_entropy, best.normalized_entropy)
        note = (
            f"the best rival is {name}; difference {_difference(*entropies, ours.entropy_draws - best.entropy_draws)}"
        )
        entropy = f"{data}.normalized_entropy.{objective}"
        made.append(Figure(entropy, *entropies, "NE", 1.0, target_is_least=False, note=note))
    return made


def _beside_the_truth(name: str, ours: Judged, truth: Judged) -> list[Figure]:
    """Our AUC beside the best possible, and what we expect beside the sum of the true probabilities."""
    low, high = interval(truth.auc_draws - ours.auc_draws)
    below = f"{truth.auc - ours.auc:.4f} below the best possible (95 % interval {low:.4f} to {high:.4f})"
    noiseless = f"the true probabilities over ours: {ours.o_over_e / truth.o_over_e:.4f}"
    return [
        Figure(f"{name}.ceiling", ours.auc, truth.auc, "AUC", note=below),
        Figure(f"{name}.o_over_e", ours.o_over_e, truth.o_over_e, "O/E", note=noiseless),
    ]


def markdown(results: Results, command: str, picture: str | None = None) -> str:
    """A summary, one table per objective with every model and its paired difference from ours, and O/E by slice.

    Args:
        results: what was found.
        command: that found it.
        picture: file name of `draw`'s picture, beside the page.
    """
    days = ", ".join(str(day) for _, day in results.feed.days)
    objectives = results.feed.config.objective_names
    lines = [
        f"# Quality: {results.feed.name}",
        "",
        f"From `{command}`.",
        "",
        f"Held out: {days}; {results.rows:,} impressions, pooled. {results.seeds} seeds. Differences are ours minus "
        "the model's: above zero is better for AUC, below for normalized entropy. All 95 % intervals are from a "
        "bootstrap over viewers and seeds. XGBoost, LR, MMoE and PLE chose their settings (the last two only how many "
        "epochs) once a day, on a tenth of the training viewers; all models were then trained on all rows.",
        "",
        *_summary(results),
        "",
    ]
    if picture:
        lines += [f"![Differences between our AUC and each model's]({picture})", ""]
    for index, objective in enumerate(objectives):
        lines += [f"## {objective} ({results.positives[index]:,} positives)", ""]
        lines += _table({name: judged[index] for name, judged in results.judged.items()})
        lines.append("")
    if results.cells:
        lines += [*_by_slice(results), ""]
    return "\n".join(lines)


def draw(results: Results, file: Path) -> None:
    """Ours minus each model's AUC with its interval, one panel for each objective."""
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
        ours = results.judged[OURS][index]
        for place, name in enumerate(models):
            other = results.judged[name][index]
            low, high = interval(ours.auc_draws - other.auc_draws)
            colour = "C2" if low > 0 else "C3" if high < 0 else "0.45"
            axis.plot([low, high], [place, place], color=colour, linewidth=1.5)
            axis.plot(ours.auc - other.auc, place, "o", color=colour, markersize=4)
        axis.axvline(0, color="0.7", linewidth=0.8, zorder=0)
        axis.set_title(f"{objective} ({results.positives[index]:,})", fontsize=9)
        axis.set_yticks(range(len(models)), models if index % columns == 0 else [""] * len(models), fontsize=8)
        axis.set_ylim(len(models) - 0.5, -0.5)
        axis.tick_params(axis="x", labelsize=7)
        axis.locator_params(axis="x", nbins=4)
    for axis in panels[len(objectives) :]:
        axis.set_axis_off()
    figure.supxlabel("our AUC − the model's, 95 % interval; positives in brackets", fontsize=8)
    save_svg(figure, file)
    pyplot.close(figure)


def _summary(results: Results) -> Iterator[str]:
    yield "| objective | positives | our AUC | our O/E | best other by AUC | ours − its | best by NE | ours − its |"
    yield "|---|---|---|---|---|---|---|---|"
    for index, objective in enumerate(results.feed.config.objective_names):
        ours, rivals = results.judged[OURS][index], _rivals(results, index)
        by_auc, by_entropy = _best(rivals, "auc"), _best(rivals, "normalized_entropy")
        cells = (
            objective,
            f"{results.positives[index]:,}",
            f"{ours.auc:.4f}",
            f"{ours.o_over_e:.3f}",
            by_auc,
            _difference(ours.auc, rivals[by_auc].auc, ours.auc_draws - rivals[by_auc].auc_draws),
            by_entropy,
            _difference(
                *(ours.normalized_entropy, rivals[by_entropy].normalized_entropy),
                ours.entropy_draws - rivals[by_entropy].entropy_draws,
            ),
        )
        yield f"| {' | '.join(cells)} |"


def _rivals(results: Results, objective: int) -> dict[str, Judged]:
    return {name: judged[objective] for name, judged in results.judged.items() if name not in (OURS, CEILING)}


def _best(rivals: dict[str, Judged], metric: Literal["auc", "normalized_entropy"]) -> str:
    sign = 1 if metric == "auc" else -1
    return max(rivals, key=lambda name: sign * getattr(rivals[name], metric))


def _table(judged: dict[str, Judged]) -> Iterator[str]:
    yield "| model | AUC | sd of seeds | normalized entropy | O/E | ECE | ours − its AUC | ours − its NE |"
    yield "|---|---|---|---|---|---|---|---|"
    ours = judged[OURS]
    for name, found in judged.items():
        numbers = (
            _with_interval(found.auc, found.auc_draws, 4),
            f"{found.auc_seeds_sd:.4f}",
            _with_interval(found.normalized_entropy, found.entropy_draws, 4),
            _with_interval(found.o_over_e, found.o_over_e_draws, 3),
            _with_interval(found.calibration_error, found.calibration_error_draws, 5),
        )
        differences = ("–", "–")
        if name != OURS:
            differences = (
                _difference(ours.auc, found.auc, ours.auc_draws - found.auc_draws),
                _difference(
                    *(ours.normalized_entropy, found.normalized_entropy), ours.entropy_draws - found.entropy_draws
                ),
            )
        yield f"| {' | '.join((name, *numbers, *differences))} |"


def _by_slice(results: Results) -> Iterator[str]:
    """O/E of ours, and of the truth where it is known: its distance from 1 is the labels' noise and nothing else."""
    shown = [name for name in (OURS, CEILING) if name in results.judged]
    yield f"## O/E by slice, where it has {LEAST_POSITIVES} positives or more"
    yield ""
    for name in shown:
        ratios = [cell.o_over_e[name] for cell in results.cells]
        within = sum(_SLICE_LIMITS[0] <= ratio <= _SLICE_LIMITS[1] for ratio in ratios)
        yield (
            f"- {name}: {within} of {len(ratios)} are in [{_SLICE_LIMITS[0]}, {_SLICE_LIMITS[1]}]; the least is "
            f"{min(ratios):.3f} and the largest {max(ratios):.3f}."
        )
    yield ""
    yield f"| slice | objective | positives | {' | '.join(f'O/E of {name}' for name in shown)} |"
    yield f"|---|---|---|{'---|' * len(shown)}"
    for cell in results.cells:
        ratios = [cell.o_over_e[name] for name in shown]
        yield f"| {cell.slice} | {cell.objective} | {cell.positives:,} | {' | '.join(f'{r:.3f}' for r in ratios)} |"


def _with_interval(value: float, draws: NDArray[np.float64], digits: int) -> str:
    low, high = interval(draws)
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _difference(ours: float, other: float, draws: NDArray[np.float64]) -> str:
    low, high = interval(draws)
    return f"{ours - other:+.4f} ({low:+.4f} to {high:+.4f})"
