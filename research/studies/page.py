"""The tables of a study's page, and the picture of the variance study."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks import pages
from benchmarks.drawing import save_svg
from benchmarks.pages import Column, words
from ranker.figure_text import shortened
from research.studies.comparisons import comparison
from research.studies.measuring import Measured
from research.studies.results import StudyResults
from research.studies.studies import WARMUPS, warmup_name

_METRICS = {
    "auc": ("AUC", 4),
    "o_over_e": ("O/E", 3),
    "normalized_entropy": ("Normalized entropy", 4),
    "calibration_error": ("Expected calibration error", 5),
}
_INTERVALS = (
    "± is a 95 % interval by Student's t over the towers' seeds, not over viewers, days or forests; sd is the standard "
    "deviation between seeds. NE is normalized entropy, ECE the expected calibration error; differences are means over "
    "the objectives."
)

_Variant = tuple[str, Measured]


def markdown(found: Sequence[StudyResults], command: str, pictures: dict[str, str]) -> str:
    """All data sets of one study on a page.

    Args:
        found: results, one per data set.
        command: the command of the run.
        pictures: data set → the picture's file name, if there is one.
    """
    blocks = [found[0].study.about, pages.origin(command), _INTERVALS]
    for results in found:
        positives = ", ".join(f"{name} {count:,}" for name, count in results.objectives.items())
        blocks += [
            pages.heading(results.data),
            f"Held-out days: {', '.join(results.days)}; {results.rows:,} impressions; "
            f"{pages.counted(results.seeds, 'seed')}. Positives: {positives}.",
            pages.heading("Comparison", 3),
            *comparison(results).tables,
        ]
        if results.data in pictures:
            blocks.append(pages.picture("standard deviations of the AUC", pictures[results.data]))
        for metric, (heading, digits) in _METRICS.items():
            blocks += [pages.heading(heading, 3), _table(results, metric, digits)]
    return pages.join(blocks)


def draw(results: StudyResults, file: Path) -> None:
    """Draws the variance study: each objective's standard deviation of the AUC by warm-up and optimizer."""
    from matplotlib import pyplot

    names = list(results.objectives)
    figure, axes = pyplot.subplots(1, len(names), figsize=(2.2 * len(names), 2.8), layout="constrained", sharex=True)
    for index, (axis, name) in enumerate(zip(axes, names, strict=True)):
        for optimizer in ("adam", "adamw", "adagrad"):
            spreads = [results.variants[warmup_name(optimizer, w)].spread("auc", index) for w in WARMUPS]
            axis.plot(range(len(WARMUPS)), [s.deviation for s in spreads], marker="o", markersize=3, label=optimizer)
        axis.set_title(shortened(name), fontsize=9)
        axis.set_xticks(range(len(WARMUPS)), [f"{w:.0%}" for w in WARMUPS], fontsize=8)
        axis.tick_params(axis="y", labelsize=8)
        axis.set_ylim(0, None)
    axes[0].set_ylabel("standard deviation of AUC", fontsize=8)
    figure.supxlabel("warm-up, share of the steps", fontsize=8)
    axes[-1].legend(frameon=False, fontsize=8)
    save_svg(figure, file)
    pyplot.close(figure)


def _table(results: StudyResults, metric: str, digits: int) -> str:
    """Mean per variant and objective, with the standard deviation over the seeds."""

    def column(index: int, objective: str) -> Column[_Variant]:
        def cell(variant: _Variant) -> str:
            found = variant[1].spread(metric, index)
            return f"{pages.decimal(found.mean, digits)} (sd {pages.decimal(found.deviation, digits)})"

        return Column(objective, cell)

    names: Column[_Variant] = words("variant", lambda variant: variant[0])
    columns = [names, *(column(index, objective) for index, objective in enumerate(results.objectives))]
    return pages.table(columns, results.variants.items())
