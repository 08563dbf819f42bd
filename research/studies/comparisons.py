"""The comparisons of a study: each variant with its base, as a table for the page and as figures for the JSON."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks import pages
from benchmarks.harness import Figure
from benchmarks.pages import Column, words
from research.studies.measuring import Measured, Spread, spread
from research.studies.results import StudyComparison, StudyResults
from research.studies.studies import LABELS_ALONE
from research.studies.variance import variance


def comparison(results: StudyResults) -> StudyComparison:
    """The comparison of the study."""
    return _COMPARISONS[results.study.name](results)


@dataclass(frozen=True)
class _Pair:
    """A variant and its base."""

    variant: str
    base: str
    ours: Measured
    other: Measured

    def less(self, metric: str) -> Spread:
        """The variant's mean over the objectives minus the base's."""
        return self.ours.mean_less(self.other, metric)

    def gain(self, metric: str) -> Spread:
        """The base's mean over the objectives minus the variant's."""
        return self.other.mean_less(self.ours, metric)


def _pairs(results: StudyResults, base_of: Callable[[str], str]) -> list[_Pair]:
    """Every variant except the bases, with its base."""
    names = [(name, base_of(name)) for name in results.variants]
    return [_Pair(name, base, results.variants[name], results.variants[base]) for name, base in names if name != base]


def _columns() -> list[Column[_Pair]]:
    return [words("variant", lambda pair: pair.variant), words("base", lambda pair: pair.base)]


def _choices(results: StudyResults) -> StudyComparison:
    """The base's metrics minus each variant's."""
    pairs = _pairs(results, lambda name: LABELS_ALONE if name.startswith(f"{LABELS_ALONE},") else results.study.base)
    columns = [
        *_columns(),
        Column("NE, base − variant", lambda pair: pair.gain("normalized_entropy").text(5, signed=True)),
        Column("AUC, base − variant", lambda pair: pair.gain("auc").text(5, signed=True)),
    ]
    figures = [
        Figure(
            f"{results.data}.normalized_entropy.{pair.variant}",
            float(pair.other.values["normalized_entropy"].mean()),
            float(pair.ours.values["normalized_entropy"].mean()),
            "NE",
            note=f"{pair.base} − {pair.variant}, mean over the objectives: normalized entropy "
            f"{pair.gain('normalized_entropy').text(5, signed=True)}, AUC {pair.gain('auc').text(5, signed=True)}",
        )
        for pair in pairs
    ]
    return StudyComparison(figures, [pages.table(columns, pairs)])


def _isotonic(results: StudyResults) -> StudyComparison:
    """The effect of calibration."""
    pairs = _pairs(
        results, lambda name: f"{LABELS_ALONE}, none" if name.startswith(LABELS_ALONE) else results.study.base
    )
    columns = [
        *_columns(),
        Column("NE, variant − base", lambda pair: pair.less("normalized_entropy").text(5, signed=True)),
        Column("ECE, variant − base", lambda pair: pair.less("calibration_error").text(5, signed=True)),
    ]
    figures = [
        Figure(
            f"{results.data}.normalized_entropy.{pair.variant}",
            float(pair.ours.values["normalized_entropy"].mean()),
            float(pair.other.values["normalized_entropy"].mean()),
            "NE",
            1.0,
            target_is_least=False,
            note=f"{pair.variant} − {pair.base}, mean over the objectives: normalized entropy "
            f"{pair.less('normalized_entropy').text(5, signed=True)}, expected calibration error "
            f"{pair.less('calibration_error').text(5, signed=True)}",
        )
        for pair in pairs
    ]
    return StudyComparison(figures, [pages.table(columns, pairs)])


def _sampling(results: StudyResults) -> StudyComparison:
    """The effect of sampling on O/E, per objective."""
    pairs = _pairs(results, lambda name: "default, no sampling" if name.startswith("default") else results.study.base)

    def ratio_of(index: int, objective: str) -> Column[_Pair]:
        return Column(f"O/E of {objective}, ÷ base", lambda pair: _ratios(pair)[index].text(3))

    columns = [
        *_columns(),
        *(ratio_of(index, objective) for index, objective in enumerate(results.objectives)),
        Column("NE, variant − base", lambda pair: pair.less("normalized_entropy").text(4, signed=True)),
    ]
    figures = []
    for pair in pairs:
        ratios = _ratios(pair)
        worst = int(np.argmax([abs(np.log(ratio.mean)) for ratio in ratios]))
        each = ", ".join(
            f"{objective} {ratio.text(3)}" for objective, ratio in zip(results.objectives, ratios, strict=True)
        )
        figures.append(
            Figure(
                f"{results.data}.o_over_e.{pair.variant}",
                float(pair.ours.values["o_over_e"].mean(axis=0)[worst]),
                float(pair.other.values["o_over_e"].mean(axis=0)[worst]),
                "O/E",
                note=f"{list(results.objectives)[worst]}, whose O/E changed most; O/E ÷ that of {pair.base}: {each}; "
                f"normalized entropy, mean over the objectives: {pair.less('normalized_entropy').text(4, signed=True)}",
            )
        )
    return StudyComparison(figures, [pages.table(columns, pairs)])


def _ratios(pair: _Pair) -> list[Spread]:
    """The variant's O/E divided by the base's, per objective."""
    return [spread(ratio) for ratio in (pair.ours.values["o_over_e"] / pair.other.values["o_over_e"]).T]


def _dense(results: StudyResults) -> StudyComparison:
    """The effect of a scale of 100 on each form of the dense input."""
    names = [name.removesuffix(", × 1") for name in results.variants if name.endswith(", × 1")]
    pairs = [
        _Pair(name, f"{name}, × 1", results.variants[f"{name}, × 100"], results.variants[f"{name}, × 1"])
        for name in names
    ]
    columns: list[Column[_Pair]] = [
        words("dense input", lambda pair: pair.variant),
        Column("mean AUC, × 1", lambda pair: pages.decimal(float(pair.other.values["auc"].mean()), 4)),
        Column("mean AUC, × 100", lambda pair: pages.decimal(float(pair.ours.values["auc"].mean()), 4)),
        Column("NE, × 100 − × 1", lambda pair: pair.less("normalized_entropy").text(4, signed=True)),
    ]
    figures = [
        Figure(
            f"{results.data}.disturbed_auc.{pair.variant}",
            float(pair.ours.values["auc"].mean()),
            float(pair.other.values["auc"].mean()),
            "AUC",
            note="the embedding × 100 compared with × 1, mean over the objectives; normalized entropy "
            f"{pair.less('normalized_entropy').text(4, signed=True)}",
        )
        for pair in pairs
    ]
    return StudyComparison(figures, [pages.table(columns, pairs)])


_COMPARISONS: Mapping[str, Callable[[StudyResults], StudyComparison]] = {
    "variance": variance,
    "choices": _choices,
    "finalists": _choices,
    "forest": _choices,
    "sampling": _sampling,
    "isotonic": _isotonic,
    "dense": _dense,
}
