"""Figures for the JSON and tables for the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Literal

from benchmarks import pages
from benchmarks.harness import Figure
from benchmarks.pages import Column, words
from research.intervals import SeedEstimate
from research.quality.names import OURS, WITH_EFFECTS
from research.quality.slices import LEAST_POSITIVES, Cell
from research.quality.study import QualityResults

CEILING = "Bayes optimum"

_Metric = Literal["auc", "gauc", "normalized_entropy", "o_over_e", "calibration_error", "utility_ndcg", "top_utility"]
_OF_OBJECTIVES: tuple[tuple[_Metric, str], ...] = (("auc", "AUC"), ("gauc", "GAUC"), ("normalized_entropy", "NE"))
_LESS_IS_BETTER: tuple[_Metric, ...] = ("normalized_entropy",)
_SLICE_LIMITS = (0.9, 1.1)


def title(feed: str) -> str:
    """The title of a new page."""
    return f"Quality: {feed}"


def figures(results: QualityResults) -> list[Figure]:
    """Our AUC, GAUC and normalized entropy per objective, and our NDCG of the utility, compared with the best rival's
    and with the ceiling's.

    Ours with random effects, where it was trained, is compared with the same rivals, in figures whose names begin with
    `<feed>.with_effects`. A metric without a value, such as the GAUC of an objective without a pair in any session, has
    no figure.
    """
    made = []
    data = results.feed.name
    for row in _summary(results):
        if CEILING in results.judged:
            made += _beside_the_truth(f"{data}.{row.objective}", _model(results, CEILING, row.index))
    if CEILING in results.judged:
        made += _below_the_best_possible(f"{data}.utility.ceiling", "NDCG", "utility_ndcg", _model(results, CEILING))
    made += _against_all(results, data, OURS)
    if WITH_EFFECTS in results.judged:
        made += _against_all(results, f"{data}.with_effects", WITH_EFFECTS)
    return made


def _against_all(results: QualityResults, name: str, ours: str) -> list[Figure]:
    made = []
    for index, objective in enumerate(results.feed.config.objective_names):
        rivals = _rivals(results, index, ours)
        for metric, unit in _OF_OBJECTIVES:
            made += _against_the_best(f"{name}.{metric}.{objective}", unit, metric, rivals)
    ndcg = f"{name}.ndcg_at_{results.feed.config.utility.k}.utility"
    return [*made, *_against_the_best(ndcg, "NDCG", "utility_ndcg", _rivals(results, ours=ours))]


def _against_the_best(name: str, unit: str, metric: _Metric, rivals: Sequence["_Model"]) -> list[Figure]:
    best = _best(rivals, metric)
    ours, its = best.ours[metric].value, best.its[metric].value
    if isnan(ours):
        return []
    beaten = sum(model.is_beaten(metric) for model in rivals)
    note = (
        f"the best rival is {best.name}; difference {_difference(best.difference(metric))}; significantly better than "
        f"{beaten} of {len(rivals)} rivals"
    )
    return [Figure(name, ours, its, unit, 1.0, metric not in _LESS_IS_BETTER, note)]


def _beside_the_truth(name: str, truth: "_Model") -> list[Figure]:
    """Our AUC and GAUC compared with the best possible, and our O/E with that of the true probabilities."""
    expected, true = truth.ours["o_over_e"].value, truth.its["o_over_e"].value
    return [
        *_below_the_best_possible(f"{name}.ceiling", "AUC", "auc", truth),
        *_below_the_best_possible(f"{name}.gauc_ceiling", "GAUC", "gauc", truth),
        Figure(
            f"{name}.o_over_e", expected, true, "O/E", note=f"the true probabilities over ours: {expected / true:.4f}"
        ),
    ]


def _below_the_best_possible(name: str, unit: str, metric: _Metric, truth: "_Model") -> list[Figure]:
    ours, best = truth.ours[metric].value, truth.its[metric].value
    if isnan(ours):
        return []
    missing = truth.its[metric] - truth.ours[metric]
    low, high = missing.interval
    below = f"{missing.value:.4f} below the best possible (95 % interval {low:.4f} to {high:.4f})"
    return [Figure(name, ours, best, unit, note=below)]


def markdown(results: QualityResults, command: str, picture: str | None = None) -> str:
    """A summary, a table of the ranking by utility and one per objective, each with every model and its paired
    difference from ours, and O/E by slice.

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
        "above zero is better, but below for normalized entropy (NE). GAUC is AUC within sessions, weighted by pairs. "
        "Intervals are 95 %, over viewers (bootstrap) and seeds (Student's t). XGBoost, LR, MMoE, PLE, DCN v2 and TabM "
        "chose their settings once per day, on a tenth of the training viewers; all models were then trained on all "
        "rows.",
        pages.table(_SUMMARY, _summary(results)),
    ]
    if WITH_EFFECTS in results.judged:
        blocks.append(f"`{WITH_EFFECTS}` is our model as well, and no rival of it.")
    if picture:
        blocks.append(pages.picture("Differences between our AUC and each model's", picture))
    blocks += _by_utility(results)
    for index, objective in enumerate(results.feed.config.objective_names):
        pairs = pages.counted(results.rankings[OURS].pairs[index], "pair")
        blocks.append(pages.heading(f"{objective} ({results.positives[index]:,} positives, {pairs} within sessions)"))
        blocks.append(pages.table(_MODELS, _models(results, index)))
    if results.cells:
        blocks += _by_slice(results)
    return pages.join(blocks)


@dataclass(frozen=True)
class _Model:
    """A model's metrics, together with ours."""

    name: str
    its: Mapping[_Metric, SeedEstimate]
    ours: Mapping[_Metric, SeedEstimate]

    def difference(self, metric: _Metric) -> SeedEstimate:
        """Ours minus the model's."""
        return self.ours[metric] - self.its[metric]

    def is_beaten(self, metric: _Metric) -> bool:
        """Whether ours is significantly better."""
        low, high = self.difference(metric).interval
        return high < 0 if metric in _LESS_IS_BETTER else low > 0


@dataclass(frozen=True)
class _Objective:
    """Our results for one objective, with those of the other models."""

    index: int
    objective: str
    positives: int
    rivals: Sequence[_Model]

    @property
    def ours(self) -> Mapping[_Metric, SeedEstimate]:
        """Our metrics."""
        return self.rivals[0].ours

    def best(self, metric: _Metric) -> _Model:
        """The best rival by a metric."""
        return _best(self.rivals, metric)


@dataclass(frozen=True)
class _Calibration:
    """O/E of one model over all slices and objectives with enough positives."""

    model: str
    ratios: Sequence[float]

    @property
    def within(self) -> int:
        """The number of cells with O/E within the limits."""
        return sum(_SLICE_LIMITS[0] <= ratio <= _SLICE_LIMITS[1] for ratio in self.ratios)


def _model(results: QualityResults, name: str, index: int | None = None, ours: str = OURS) -> _Model:
    """A model's metrics of an objective, or of the utility alone."""
    return _Model(name, _metrics(results, name, index), _metrics(results, ours, index))


def _metrics(results: QualityResults, name: str, index: int | None) -> dict[_Metric, SeedEstimate]:
    ranking = results.rankings[name]
    if index is None:
        return {"utility_ndcg": ranking.utility_ndcg, "top_utility": ranking.top_utility}
    judged = results.judged[name][index]
    return {
        "auc": judged.auc,
        "gauc": ranking.gauc[index],
        "normalized_entropy": judged.normalized_entropy,
        "o_over_e": judged.o_over_e,
        "calibration_error": judged.calibration_error,
    }


def _models(results: QualityResults, index: int | None = None) -> list[_Model]:
    return [_model(results, name, index) for name in results.judged]


def _rivals(results: QualityResults, index: int | None = None, ours: str = OURS) -> list[_Model]:
    names = [name for name in results.judged if name not in (OURS, WITH_EFFECTS, CEILING)]
    return [_model(results, name, index, ours) for name in names]


def _summary(results: QualityResults) -> list[_Objective]:
    return [
        _Objective(index, objective, results.positives[index], _rivals(results, index))
        for index, objective in enumerate(results.feed.config.objective_names)
    ]


def _best(rivals: Sequence[_Model], metric: _Metric) -> _Model:
    sign = -1 if metric in _LESS_IS_BETTER else 1
    return max(rivals, key=lambda model: sign * model.its[metric].value)


def _by_utility(results: QualityResults) -> list[str]:
    """How well each model ranks sessions by its utility."""
    config = results.feed.config
    k, ours = config.utility.k, results.rankings[OURS]
    columns: list[Column[_Model]] = [
        words("model", lambda row: row.name),
        Column(f"NDCG@{k}", lambda row: _with_interval(row.its["utility_ndcg"], 4)),
        Column("sd of seeds", lambda row: pages.decimal(row.its["utility_ndcg"].deviation, 4)),
        Column(f"utility of the top {k}", lambda row: _with_interval(row.its["top_utility"], 4)),
        Column(f"ours − its NDCG@{k}", lambda row: _less(row, "utility_ndcg")),
        Column("ours − its utility", lambda row: _less(row, "top_utility")),
    ]
    factors = zip(config.objective_names, config.utility.coefficients(config.objectives), strict=True)
    text = (
        f"{pages.counted(ours.sessions, 'session')}, ranked by predicted utility: each objective's probability times "
        f"{', '.join(f'{factor:g} ({name})' for name, factor in factors)}, summed. The observed utility of an "
        f"impression is the same sum over its outcomes. NDCG@{k} takes it as gain, or 0 if it is negative, and is the "
        f"mean over {pages.counted(ours.ndcg_sessions, 'session')} of two impressions or more with a gain. The "
        f"utility of the top {k} is a session's sum, the mean over all sessions; the order matters to it in the "
        f"{pages.counted(ours.longer_sessions, 'session')} of more than {k} impressions only."
    )
    if CEILING in results.judged:
        text += f" The {CEILING} also knows each impression's position and the hidden tastes, which no model reads."
    return [pages.heading("Ranking by utility"), text, pages.table(columns, _models(results))]


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
    """Value and interval; empty without a value."""
    return pages.NONE if isnan(estimate.value) else pages.with_interval(estimate.value, estimate.interval, digits)


def _difference(estimate: SeedEstimate) -> str:
    return pages.with_interval(estimate.value, estimate.interval, 4, signed=True)


def _less(model: _Model, metric: _Metric) -> str:
    """Ours minus the model's; empty for ours and without a value."""
    difference = model.difference(metric)
    return pages.NONE if model.name == OURS or isnan(difference.value) else _difference(difference)


def _value(estimate: SeedEstimate, digits: int) -> str:
    return pages.NONE if isnan(estimate.value) else pages.decimal(estimate.value, digits)


def _best_name(row: _Objective, metric: _Metric) -> str:
    best = row.best(metric)
    return pages.NONE if isnan(best.its[metric].value) else best.name


_SUMMARY: list[Column[_Objective]] = [
    words("objective", lambda row: row.objective),
    Column("positives", lambda row: pages.count(row.positives)),
    Column("our AUC", lambda row: _value(row.ours["auc"], 4)),
    Column("our GAUC", lambda row: _value(row.ours["gauc"], 4)),
    Column("our O/E", lambda row: _value(row.ours["o_over_e"], 3)),
    words("best rival by AUC", lambda row: _best_name(row, "auc")),
    Column("ours − its AUC", lambda row: _less(row.best("auc"), "auc")),
    words("best rival by GAUC", lambda row: _best_name(row, "gauc")),
    Column("ours − its GAUC", lambda row: _less(row.best("gauc"), "gauc")),
    words("best rival by NE", lambda row: _best_name(row, "normalized_entropy")),
    Column("ours − its NE", lambda row: _less(row.best("normalized_entropy"), "normalized_entropy")),
]
_MODELS: list[Column[_Model]] = [
    words("model", lambda row: row.name),
    Column("AUC", lambda row: _with_interval(row.its["auc"], 4)),
    Column("sd of seeds", lambda row: pages.decimal(row.its["auc"].deviation, 4)),
    Column("GAUC", lambda row: _with_interval(row.its["gauc"], 4)),
    Column("normalized entropy", lambda row: _with_interval(row.its["normalized_entropy"], 4)),
    Column("O/E", lambda row: _with_interval(row.its["o_over_e"], 3)),
    Column("ECE", lambda row: _with_interval(row.its["calibration_error"], 5)),
    Column("ours − its AUC", lambda row: _less(row, "auc")),
    Column("ours − its GAUC", lambda row: _less(row, "gauc")),
    Column("ours − its NE", lambda row: _less(row, "normalized_entropy")),
]
