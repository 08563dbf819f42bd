"""Standard deviation of the AUC over the seeds: with and without warm-up, by setting, and of the default."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from benchmarks import pages
from benchmarks.harness import Figure
from benchmarks.pages import Column, words
from research.studies.measuring import Measured, Spread
from research.studies.results import StudyComparison, StudyResults
from research.studies.studies import DEFAULT_BY_ADAGRAD, WARMUPS, warmup_name

_DEFAULT_WARMUP = 0.1
_OPTIMIZERS = ("adam", "adamw", "adagrad")
_DEFAULT = f"default, warm-up {_DEFAULT_WARMUP:.0%}"


def variance(results: StudyResults) -> StudyComparison:
    """Standard deviation of the AUC over the seeds: by warm-up, by setting, and of the default."""
    changed, steadiest = _default_changed(results), _steadiest(results)
    figures = [*_warmups(results), steadiest.figure(results), *(row.figure(results) for row in changed)]
    return StudyComparison(figures, [*steadiest.tables(), pages.table(_CHANGED, changed)])


def _warmups(results: StudyResults) -> list[Figure]:
    """For the rarest objective: each optimizer with and without warm-up, the default with and without the forest."""
    objective = list(results.objectives)[results.rarest]
    alone = warmup_name("adam", _DEFAULT_WARMUP)
    pairs = {name: (warmup_name(name, _DEFAULT_WARMUP), warmup_name(name, 0.0)) for name in _OPTIMIZERS}
    figures = []
    for name, (ours, rival) in {**pairs, "default": (_DEFAULT, alone)}.items():
        taken, other = (results.variants[variant].spread("auc", results.rarest) for variant in (ours, rival))
        figures.append(
            Figure(
                f"{results.data}.auc_deviation.{name}",
                taken.deviation,
                other.deviation,
                "AUC",
                0.5 if name in pairs else None,
                target_is_least=False,
                note=f"standard deviation over {results.seeds} seeds of the AUC of {objective}, the rarest objective; "
                f"{ours} compared with {rival}; means {taken.mean:.4f} and {other.mean:.4f}",
            )
        )
    return figures


@dataclass(frozen=True)
class _Setting:
    """A setting's AUC, mean over the objectives.

    Attributes:
        role: its role in the table.
        name: of the variant.
        mean: AUC.
        deviation: standard deviation over the seeds, mean over the objectives.
    """

    role: str
    name: str
    mean: float
    deviation: float


@dataclass(frozen=True)
class _Steadiest:
    """The settings of towers that learn from the labels only, compared by their mean AUC and its deviation.

    Attributes:
        best: the setting with the highest mean AUC.
        least: the setting with the lowest deviation of those in `good`.
        default: the setting with the default's optimizer and warm-up.
        good: the settings whose mean AUC is not significantly below the best's.
    """

    best: _Setting
    least: _Setting
    default: _Setting
    good: list[str]

    def figure(self, results: StudyResults) -> Figure:
        """The default's deviation compared with the lowest."""
        return Figure(
            f"{results.data}.auc_deviation.least",
            self.default.deviation,
            self.least.deviation,
            "AUC",
            note=f"standard deviation, mean over the objectives: {self.default.name} compared with {self.least.name}, "
            f"the least of the settings whose mean AUC is not significantly below that of {self.best.name}",
        )

    def tables(self) -> list[str]:
        """The table of the three settings, and the names of the settings in `good`."""
        columns: list[Column[_Setting]] = [
            words("of the settings that learn from labels alone", lambda row: row.role),
            words("setting", lambda row: row.name),
            Column("mean AUC", lambda row: pages.decimal(row.mean, 4)),
            Column("mean sd of the AUC", lambda row: pages.decimal(row.deviation, 4)),
        ]
        return [
            pages.table(columns, [self.best, self.least, self.default]),
            f"Not significantly below the highest mean AUC: {'; '.join(self.good)}.",
        ]


def _steadiest(results: StudyResults) -> _Steadiest:
    alone = {name: results.variants[name] for name in (warmup_name(*pair) for pair in product(_OPTIMIZERS, WARMUPS))}

    def mean(name: str) -> float:
        return float(alone[name].values["auc"].mean())

    def setting(role: str, name: str) -> _Setting:
        return _Setting(role, name, mean(name), _mean_deviation(alone[name], len(results.objectives)))

    best = max(alone, key=mean)
    behind = {name: alone[best].mean_less(variant, "auc") for name, variant in alone.items()}
    # With one seed the half width is NaN, and no difference is significant.
    good = [name for name, less in behind.items() if not less.mean > less.half_width]
    least = min(good, key=lambda name: _mean_deviation(alone[name], len(results.objectives)))
    return _Steadiest(
        setting("highest mean AUC", best),
        setting("least sd of those not significantly below it", least),
        setting("the default's optimizer and warm-up", warmup_name("adam", _DEFAULT_WARMUP)),
        good,
    )


@dataclass(frozen=True)
class _Changed:
    """The default compared with a changed default.

    Attributes:
        change: description of the change.
        default, changed: mean over the objectives of the AUC's standard deviation over the seeds.
        auc, entropy: the default's minus the other's, mean over the objectives.
    """

    change: str
    default: float
    changed: float
    auc: Spread
    entropy: Spread

    def figure(self, results: StudyResults) -> Figure:
        """The deviations compared."""
        return Figure(
            f"{results.data}.auc_deviation.default, {self.change}",
            self.default,
            self.changed,
            "AUC",
            note=f"standard deviation, mean over the objectives: the default compared with it {self.change}; default − "
            f"changed: AUC {self.auc.text(4, signed=True)}, normalized entropy {self.entropy.text(4, signed=True)}",
        )


_CHANGED: list[Column[_Changed]] = [
    words("the default", lambda row: row.change),
    Column("mean sd of the AUC, default", lambda row: pages.decimal(row.default, 4)),
    Column("changed", lambda row: pages.decimal(row.changed, 4)),
    Column("AUC, default − changed", lambda row: row.auc.text(4, signed=True)),
    Column("NE, default − changed", lambda row: row.entropy.text(4, signed=True)),
]


def _default_changed(results: StudyResults) -> list[_Changed]:
    default, objectives = results.variants[_DEFAULT], len(results.objectives)
    made = []
    for name, change in (("default, warm-up 0%", "without warm-up"), (DEFAULT_BY_ADAGRAD, "trained by Adagrad")):
        changed = results.variants[name]
        deviations = _mean_deviation(default, objectives), _mean_deviation(changed, objectives)
        differences = (default.mean_less(changed, metric) for metric in ("auc", "normalized_entropy"))
        made.append(_Changed(change, *deviations, *differences))
    return made


def _mean_deviation(variant: Measured, objectives: int) -> float:
    return float(np.mean([variant.spread("auc", index).deviation for index in range(objectives)]))
