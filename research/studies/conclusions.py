"""What a study says: figures for the JSON, and a sentence or two computed from them."""

from collections.abc import Callable, Mapping
from itertools import product

import numpy as np

from benchmarks.harness import Figure
from research.studies.measuring import Measured, spread
from research.studies.results import Results
from research.studies.studies import DEFAULT_BY_ADAGRAD, LABELS_ALONE, WARMUPS, warmup_name

_DEFAULT_WARMUP = 0.1
_OPTIMIZERS = ("adam", "adamw", "adagrad")


def figures(results: Results) -> list[Figure]:
    """The study's figures."""
    return _FIGURES[results.study.name](results)


def conclusion(results: Results) -> str:
    """What the figures come to, as Markdown list items."""
    return "\n".join(f"- {figure.note}." for figure in figures(results) if figure.note)


def _variance(results: Results) -> list[Figure]:
    objective = list(results.objectives)[results.rarest]
    made = []
    for optimizer in _OPTIMIZERS:
        none, some = (results.variants[warmup_name(optimizer, w)] for w in (0.0, _DEFAULT_WARMUP))
        without, with_warmup = (v.spread("auc", results.rarest) for v in (none, some))
        made.append(
            Figure(
                f"{results.data}.auc_deviation.{optimizer}",
                with_warmup.deviation,
                without.deviation,
                "AUC",
                0.5,
                target_is_least=False,
                note=f"{optimizer}: over {results.seeds} seeds the AUC of {objective}, the rarest objective, has a "
                f"standard deviation of {without.deviation:.4f} without warm-up and of {with_warmup.deviation:.4f} "
                f"with a warm-up of {_DEFAULT_WARMUP:.0%}; its means are {without.mean:.4f} and {with_warmup.mean:.4f}",
            )
        )
    made.append(_steadiest(results))
    alone = results.variants[warmup_name("adam", _DEFAULT_WARMUP)].spread("auc", results.rarest)
    taught = results.variants[f"default, warm-up {_DEFAULT_WARMUP:.0%}"].spread("auc", results.rarest)
    made.append(
        Figure(
            f"{results.data}.auc_deviation.default",
            taught.deviation,
            alone.deviation,
            "AUC",
            note="distillation and the forest's share of a prediction: with both the standard deviation is "
            f"{taught.deviation:.4f} and not {alone.deviation:.4f}, and the mean "
            f"{taught.mean:.4f} and not {alone.mean:.4f}",
        )
    )
    made.append(_default_less(results, "default, warm-up 0%", "without warm-up"))
    made.append(_default_less(results, DEFAULT_BY_ADAGRAD, "trained by Adagrad"))
    return made


def _steadiest(results: Results) -> Figure:
    """The setting that moves least from seed to seed, of those whose mean AUC is not told apart from the best one's."""
    alone = {name: results.variants[name] for name in (warmup_name(*pair) for pair in product(_OPTIMIZERS, WARMUPS))}

    def mean(name: str) -> float:
        return float(alone[name].values["auc"].mean())

    def deviation(name: str) -> float:
        return _mean_deviation(alone[name], len(results.objectives))

    best = max(alone, key=mean)
    behind = {name: alone[best].mean_less(variant, "auc") for name, variant in alone.items()}
    good = [name for name, less in behind.items() if less.mean <= less.half_width]
    least, default = min(good, key=deviation), warmup_name("adam", _DEFAULT_WARMUP)
    return Figure(
        f"{results.data}.auc_deviation.least",
        deviation(default),
        deviation(least),
        "AUC",
        note=f"of the settings whose mean AUC is within the noise of seeds of the best, {best} ({mean(best):.4f}), "
        f"{least} ({mean(least):.4f}) moves least from seed to seed: on average over the objectives by a standard "
        f"deviation of {deviation(least):.4f}; {default} ({mean(default):.4f}) by {deviation(default):.4f}. Within the "
        f"noise are {', '.join(good)}",
    )


def _default_less(results: Results, other: str, what: str) -> Figure:
    """How far the default moves from seed to seed, and what it is worth, beside another variant of it."""
    default, changed = (results.variants[name] for name in (f"default, warm-up {_DEFAULT_WARMUP:.0%}", other))
    ours, its = (_mean_deviation(variant, len(results.objectives)) for variant in (default, changed))
    auc, entropy = (default.mean_less(changed, metric) for metric in ("auc", "normalized_entropy"))
    return Figure(
        f"{results.data}.auc_deviation.default, {what}",
        ours,
        its,
        "AUC",
        note=f"the default's AUC has a standard deviation of {ours:.4f} on average over the objectives, and "
        f"{what} of {its:.4f}; what it gains or loses by that: AUC {auc.mean:+.4f} ± {auc.half_width:.4f}, "
        f"normalized entropy {entropy.mean:+.4f} ± {entropy.half_width:.4f}",
    )


def _mean_deviation(variant: Measured, objectives: int) -> float:
    return float(np.mean([variant.spread("auc", index).deviation for index in range(objectives)]))


def _sampling(results: Results) -> list[Figure]:
    made = []
    for name, variant in results.variants.items():
        base = "default, no sampling" if name.startswith("default") else results.study.base
        if name == base:
            continue
        ratios = [spread(r) for r in (variant.values["o_over_e"] / results.variants[base].values["o_over_e"]).T]
        worst = int(np.argmax([abs(np.log(ratio.mean)) for ratio in ratios]))
        each = ", ".join(
            f"{objective} {ratio.mean:.3f} ± {ratio.half_width:.3f}"
            for objective, ratio in zip(results.objectives, ratios, strict=True)
        )
        entropy = variant.mean_less(results.variants[base], "normalized_entropy")
        made.append(
            Figure(
                f"{results.data}.o_over_e.{name}",
                float(variant.values["o_over_e"].mean(axis=0)[worst]),
                float(results.variants[base].values["o_over_e"].mean(axis=0)[worst]),
                "O/E",
                note=f"{name}: O/E, times that without sampling, is {each}; normalized entropy is "
                f"{entropy.mean:+.4f} ± {entropy.half_width:.4f} on average over the objectives",
            )
        )
    return made


def _less_each(results: Results) -> list[Figure]:
    """What the base has more or less than each of the others."""
    made = []
    for name, variant in results.variants.items():
        base = LABELS_ALONE if name.startswith(f"{LABELS_ALONE},") else results.study.base
        if name == base:
            continue
        compared = results.variants[base]
        entropy, auc = (compared.mean_less(variant, metric) for metric in ("normalized_entropy", "auc"))
        made.append(
            Figure(
                f"{results.data}.normalized_entropy.{name}",
                float(compared.values["normalized_entropy"].mean()),
                float(variant.values["normalized_entropy"].mean()),
                "NE",
                note=f"{base}, less {name}: normalized entropy {entropy.mean:+.5f} ± {entropy.half_width:.5f}, AUC "
                f"{auc.mean:+.5f} ± {auc.half_width:.5f}, on average over the objectives",
            )
        )
    return made


def _isotonic(results: Results) -> list[Figure]:
    made = []
    for name, variant in results.variants.items():
        base = "labels alone, none" if name.startswith("labels alone") else results.study.base
        if name == base:
            continue
        other = results.variants[base]
        entropy, error = (variant.mean_less(other, metric) for metric in ("normalized_entropy", "calibration_error"))
        made.append(
            Figure(
                f"{results.data}.normalized_entropy.{name}",
                float(variant.values["normalized_entropy"].mean()),
                float(other.values["normalized_entropy"].mean()),
                "NE",
                1.0,
                target_is_least=False,
                note=f"{name}, less {base}: normalized entropy {entropy.mean:+.5f} ± {entropy.half_width:.5f}, "
                f"expected calibration error {error.mean:+.5f} ± {error.half_width:.5f}, on average over the "
                "objectives",
            )
        )
    return made


def _dense(results: Results) -> list[Figure]:
    made = []
    names = [name.removesuffix(", × 1") for name in results.variants if name.endswith(", × 1")]
    for name in names:
        plain, disturbed = (results.variants[f"{name}, × {scale}"] for scale in ("1", "100"))
        entropy = disturbed.mean_less(plain, "normalized_entropy")
        made.append(
            Figure(
                f"{results.data}.disturbed_auc.{name}",
                float(disturbed.values["auc"].mean()),
                float(plain.values["auc"].mean()),
                "AUC",
                note=f"{name}: multiplying the embedding by 100 changes the mean AUC from "
                f"{plain.values['auc'].mean():.4f} to {disturbed.values['auc'].mean():.4f} and normalized entropy by "
                f"{entropy.mean:+.4f} ± {entropy.half_width:.4f}",
            )
        )
    return made


_FIGURES: Mapping[str, Callable[[Results], list[Figure]]] = {
    "variance": _variance,
    "choices": _less_each,
    "finalists": _less_each,
    "forest": _less_each,
    "sampling": _sampling,
    "isotonic": _isotonic,
    "dense": _dense,
}
