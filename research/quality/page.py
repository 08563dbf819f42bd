"""Figures for the JSON and tables for the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks import pages
from benchmarks.harness import Figure
from benchmarks.pages import Column, words
from research.intervals import SeedEstimate
from research.quality.slices import LEAST_POSITIVES, Cell
from research.quality.statistics import Judged
from research.quality.study import QualityResults

OURS = "ours"
CEILING = "Bayes optimum"

_SLICE_LIMITS = (0.9, 1.1)


def title(feed: str) -> str:
    """The title of a new page."""
    return f"Quality: {feed}"


def figures(results: QualityResults) -> list[Figure]:
    """Our AUC and normalized entropy per objective, compared with the best rival's and with the ceiling's."""
    made = []
    data = results.feed.name
    for row in _summary(results):
        ours = row.ours
        if CEILING in results.judged:
            made += _beside_the_truth(f"{data}.{row.objective}", ours, results.judged[CEILING][row.index])
        auc, entropy = row.best_auc, row.best_entropy
        made.append(
            Figure(
                f"{data}.auc.{row.objective}",
                ours.auc.value,
                auc.judged.auc.value,
                "AUC",
                1.0,
                note=f"the best rival is {auc.name}; difference {_difference(ours.auc - auc.judged.auc)}",
            )
        )
        difference = ours.normalized_entropy - entropy.judged.normalized_entropy
        made.append(
            Figure(
                f"{data}.normalized_entropy.{row.objective}",
                ours.normalized_entropy.value,
                entropy.judged.normalized_entropy.value,
                "NE",
                1.0,
                target_is_least=False,
                note=f"the best rival is {entropy.name}; difference {_difference(difference)}",
            )
        )
    return made


def _beside_the_truth(name: str, ours: Judged, truth: Judged) -> list[Figure]:
    """Our AUC compared with the best possible, and our O/E with that of the true probabilities."""
    missing = truth.auc - ours.auc
    low, high = missing.interval
    below = f"{missing.value:.4f} below the best possible (95 % interval {low:.4f} to {high:.4f})"
    expected, true = ours.o_over_e.value, truth.o_over_e.value
    return [
        Figure(f"{name}.ceiling", ours.auc.value, truth.auc.value, "AUC", note=below),
        Figure(
            f"{name}.o_over_e", expected, true, "O/E", note=f"the true probabilities over ours: {expected / true:.4f}"
        ),
    ]


def markdown(results: QualityResults, command: str, picture: str | None = None) -> str:
    """A summary, one table per objective with every model and its paired difference from ours, and O/E by slice.

    Args:
        results: of one feed.
        command: the command of the run.
        picture: file name of the picture by `drawing.draw`, in the page's folder.
    """
    days = ", ".join(str(day) for _, day in results.feed.days)
    blocks = [
        pages.origin(command),
        f"Held-out days: {days}; {results.rows:,} impressions, pooled; "
        f"{pages.counted(results.seeds, 'seed')}. Differences are ours minus the model's: "
        "above zero is better for AUC, below for normalized entropy (NE). Intervals are 95 %, over "
        "viewers (bootstrap) and seeds (Student's t). XGBoost, LR, MMoE and PLE chose their settings (the last two "
        "only their number of epochs) once per day, on a tenth of the training viewers; all models were then trained "
        "on all rows.",
        pages.table(_SUMMARY, _summary(results)),
    ]
    if picture:
        blocks.append(pages.picture("Differences between our AUC and each model's", picture))
    for index, objective in enumerate(results.feed.config.objective_names):
        blocks.append(pages.heading(f"{objective} ({results.positives[index]:,} positives)"))
        blocks.append(pages.table(_MODELS, _models(results, index)))
    if results.cells:
        blocks += _by_slice(results)
    return pages.join(blocks)


@dataclass(frozen=True)
class _Model:
    """A model's results for one objective, together with ours."""

    name: str
    judged: Judged
    ours: Judged


@dataclass(frozen=True)
class _Objective:
    """Our results for one objective, with the best other model per metric."""

    index: int
    objective: str
    positives: int
    ours: Judged
    best_auc: _Model
    best_entropy: _Model


@dataclass(frozen=True)
class _Calibration:
    """O/E of one model over all slices and objectives with enough positives."""

    model: str
    ratios: Sequence[float]

    @property
    def within(self) -> int:
        """The number of cells with O/E within the limits."""
        return sum(_SLICE_LIMITS[0] <= ratio <= _SLICE_LIMITS[1] for ratio in self.ratios)


def _models(results: QualityResults, index: int) -> list[_Model]:
    ours = results.judged[OURS][index]
    return [_Model(name, judged[index], ours) for name, judged in results.judged.items()]


def _summary(results: QualityResults) -> list[_Objective]:
    made = []
    for index, objective in enumerate(results.feed.config.objective_names):
        rivals = [model for model in _models(results, index) if model.name not in (OURS, CEILING)]
        best = _best(rivals, "auc"), _best(rivals, "normalized_entropy")
        made.append(_Objective(index, objective, results.positives[index], results.judged[OURS][index], *best))
    return made


def _best(rivals: Sequence[_Model], metric: Literal["auc", "normalized_entropy"]) -> _Model:
    sign = 1 if metric == "auc" else -1
    return max(rivals, key=lambda model: sign * getattr(model.judged, metric).value)


def _by_slice(results: QualityResults) -> list[str]:
    """O/E of ours, and of the true probabilities if known: their distance from 1 is only the labels' noise."""
    shown = [name for name in (OURS, CEILING) if name in results.judged]
    low, high = _SLICE_LIMITS
    overall: list[Column[_Calibration]] = [
        words("model", lambda row: row.model),
        Column("slices and objectives", lambda row: pages.count(len(row.ratios))),
        Column(f"O/E in [{low}, {high}]", lambda row: pages.count(row.within)),
        Column("least", lambda row: pages.decimal(min(row.ratios), 3)),
        Column("largest", lambda row: pages.decimal(max(row.ratios), 3)),
    ]

    def ratio_of(name: str) -> Column[Cell]:
        return Column(f"O/E of {name}", lambda cell: pages.decimal(cell.o_over_e[name], 3))

    each: list[Column[Cell]] = [
        words("slice", lambda cell: cell.slice),
        words("objective", lambda cell: cell.objective),
        Column("positives", lambda cell: pages.count(cell.positives)),
        *(ratio_of(name) for name in shown),
    ]
    return [
        pages.heading(f"O/E by slice, where it has {LEAST_POSITIVES} positives or more"),
        pages.table(overall, [_Calibration(name, [c.o_over_e[name] for c in results.cells]) for name in shown]),
        pages.table(each, results.cells),
    ]


def _with_interval(estimate: SeedEstimate, digits: int) -> str:
    return pages.with_interval(estimate.value, estimate.interval, digits)


def _difference(estimate: SeedEstimate) -> str:
    return pages.with_interval(estimate.value, estimate.interval, 4, signed=True)


def _less(model: _Model, metric: Literal["auc", "normalized_entropy"]) -> str:
    """Ours minus the model's; empty for ours."""
    if model.name == OURS:
        return pages.NONE
    return _difference(getattr(model.ours, metric) - getattr(model.judged, metric))


_SUMMARY: list[Column[_Objective]] = [
    words("objective", lambda row: row.objective),
    Column("positives", lambda row: pages.count(row.positives)),
    Column("our AUC", lambda row: pages.decimal(row.ours.auc.value, 4)),
    Column("our O/E", lambda row: pages.decimal(row.ours.o_over_e.value, 3)),
    words("best other by AUC", lambda row: row.best_auc.name),
    Column("ours − its AUC", lambda row: _less(row.best_auc, "auc")),
    words("best other by NE", lambda row: row.best_entropy.name),
    Column("ours − its NE", lambda row: _less(row.best_entropy, "normalized_entropy")),
]
_MODELS: list[Column[_Model]] = [
    words("model", lambda row: row.name),
    Column("AUC", lambda row: _with_interval(row.judged.auc, 4)),
    Column("sd of seeds", lambda row: pages.decimal(row.judged.auc.deviation, 4)),
    Column("normalized entropy", lambda row: _with_interval(row.judged.normalized_entropy, 4)),
    Column("O/E", lambda row: _with_interval(row.judged.o_over_e, 3)),
    Column("ECE", lambda row: _with_interval(row.judged.calibration_error, 5)),
    Column("ours − its AUC", lambda row: _less(row, "auc")),
    Column("ours − its NE", lambda row: _less(row, "normalized_entropy")),
]
