"""A study as Markdown, and the picture of the variance study."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.drawing import save_svg
from research.studies.conclusions import conclusion
from research.studies.measuring import Spread
from research.studies.results import Results
from research.studies.studies import WARMUPS, warmup_name

_TITLES = {
    "auc": "AUC",
    "o_over_e": "O/E",
    "normalized_entropy": "Normalized entropy",
    "calibration_error": "Expected calibration error",
}
_INTERVALS = "± is a 95 % interval by Student's t over the towers' seeds, not over viewers, days or forests."
_DIGITS = {"auc": 4, "o_over_e": 3, "normalized_entropy": 4, "calibration_error": 5}


def markdown(found: Sequence[Results], command: str, pictures: dict[str, str]) -> str:
    """All data sets of one study on a page.

    Args:
        found: one for each data set.
        command: that made them.
        pictures: data set → the picture's file name, where there is one.
    """
    study = found[0].study
    parts = [f"# {study.title}\n\n{study.about}\n\nFrom `{command}`. {_INTERVALS}\n"]
    for results in found:
        objectives = ", ".join(f"{name} {positives:,}" for name, positives in results.objectives.items())
        parts.append(
            f"## {results.data}\n\nHeld out: {', '.join(results.days)}; {results.rows:,} impressions; {results.seeds} "
            f"seeds. Positives: {objectives}.\n\n{conclusion(results)}\n"
        )
        if results.data in pictures:
            parts.append(f"![standard deviations of the AUC]({pictures[results.data]})\n")
        parts += [f"### {title}\n\n{_table(results, metric)}\n" for metric, title in _TITLES.items()]
    return "\n".join(parts)


def draw(results: Results, file: Path) -> None:
    """The variance study: each objective's standard deviation of the AUC against the warm-up, by optimizer."""
    from matplotlib import pyplot

    names = list(results.objectives)
    figure, axes = pyplot.subplots(1, len(names), figsize=(2.2 * len(names), 2.8), layout="constrained", sharex=True)
    for index, (axis, name) in enumerate(zip(axes, names, strict=True)):
        for optimizer in ("adam", "adamw", "adagrad"):
            spreads = [results.variants[warmup_name(optimizer, w)].spread("auc", index) for w in WARMUPS]
            axis.plot(range(len(WARMUPS)), [s.deviation for s in spreads], marker="o", markersize=3, label=optimizer)
        axis.set_title(name, fontsize=9)
        axis.set_xticks(range(len(WARMUPS)), [f"{w:.0%}" for w in WARMUPS], fontsize=8)
        axis.tick_params(axis="y", labelsize=8)
        axis.set_ylim(0, None)
    axes[0].set_ylabel("standard deviation of AUC", fontsize=8)
    figure.supxlabel("warm-up, share of the steps", fontsize=8)
    axes[-1].legend(frameon=False, fontsize=8)
    save_svg(figure, file)
    pyplot.close(figure)


def _table(results: Results, metric: str) -> str:
    return "\n".join(_rows(results, metric))


def _rows(results: Results, metric: str) -> Iterator[str]:
    """Means with the standard deviation between seeds."""
    names = list(results.objectives)
    yield f"| variant | {' | '.join(names)} |"
    yield f"|---|{'---|' * len(names)}"
    for variant, measured in results.variants.items():
        cells = [_cell(measured.spread(metric, index), _DIGITS[metric]) for index in range(len(names))]
        yield f"| {variant} | {' | '.join(cells)} |"


def _cell(spread: Spread, digits: int) -> str:
    return f"{spread.mean:.{digits}f} (sd {spread.deviation:.{digits}f})"
