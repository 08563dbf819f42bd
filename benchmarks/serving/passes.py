"""The first pass compared with the second: a small model chooses which of many candidates the large one ranks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from benchmarks.harness import Figure, alternate
from benchmarks.serving.prepare import PreparedModel
from benchmarks.serving.quality import aucs, labels, probabilities
from benchmarks.serving.sessions import CANDIDATES, Session, Workshop
from ranker.forest.model import Forest

MOST_LOAD_SECONDS = 3.0
MOST_OF_LOAD_BEFORE = 0.5

_ROUNDS, _QUICK_ROUNDS = 31, 3
_LOADS = 5
_BEFORE = "before"


@dataclass(frozen=True, eq=False)
class Pass:
    """One of the two models.

    Attributes:
        name: of its config.
        trees, leaves: of its forest.
        load_seconds: for loading the SavedModel.
        load_before: the same for a SavedModel of an earlier version, in turns; None without one.
        features_seconds: median for a session's candidates by `score_features`.
        leaves_seconds: the same by `score_leaves`, without Transform and forest.
        auc: [objectives], on the held-out day.
    """

    name: str
    trees: int
    leaves: int
    load_seconds: float
    features_seconds: float
    leaves_seconds: float
    auc: NDArray[np.float64]
    load_before: float | None = None


def passes(
    workshop: Workshop,
    prepared: Mapping[str, PreparedModel],
    session: Session,
    quick: bool,
    before: Path | None = None,
) -> list[Pass]:
    """Measures the models of all configs, interleaved.

    Args:
        workshop: of the first config.
        prepared: name of the config → its artifacts.
        session: to score.
        quick: few rounds.
        before: folder of a SavedModel of the first config, as an earlier version exports it.
    """
    objectives, files = workshop.config.objective_names, workshop.eval_files
    outcomes = labels(files, objectives)
    models = {name: tf.saved_model.load(parts.model) for name, parts in prepared.items()}
    loading: dict[str, Callable[[], object]] = {
        name: partial(tf.saved_model.load, parts.model) for name, parts in prepared.items()
    }
    if before is not None:
        loading[_BEFORE] = partial(tf.saved_model.load, str(before))
    load_seconds = alternate(loading, _QUICK_ROUNDS if before is None else _LOADS)
    forests = {name: Forest.load(parts.forest) for name, parts in prepared.items()}
    scores: dict[str, NDArray[np.float32]] = {}
    runs: dict[str, Callable[[], object]] = {}
    for name, model in models.items():
        signatures = model.signatures
        scores[name] = probabilities(signatures["serving_default"], files, objectives)
        specs = signatures["score_leaves"].structured_input_signature[1]
        inputs = {key: tf.zeros([CANDIDATES, *spec.shape[1:]], spec.dtype) for key, spec in specs.items()}
        inputs["leaves"] += tf.constant(forests[name].first_leaf[:-1])
        runs[f"{name}, features"] = partial(signatures["score_features"], **session.features)
        runs[f"{name}, leaves"] = partial(signatures["score_leaves"], **inputs)
    for run in runs.values():
        run()
    seconds = alternate(runs, _QUICK_ROUNDS if quick else _ROUNDS)
    return [
        Pass(
            name,
            forests[name].trees,
            forests[name].leaves,
            load_seconds[name],
            seconds[f"{name}, features"],
            seconds[f"{name}, leaves"],
            aucs(scores[name], outcomes),
            load_seconds.get(_BEFORE) if name == workshop.config.name else None,
        )
        for name in models
    ]


def figures(measured: Sequence[Pass]) -> list[Figure]:
    """The cost and the AUC of the small model compared with the large one's."""
    second, first = measured
    return [
        _load_figure(second),
        Figure(
            "first_pass",
            ours=1000 * first.features_seconds,
            rival=1000 * second.features_seconds,
            unit="ms",
            note=f"{CANDIDATES} candidates by score_features, {first.trees} trees compared with {second.trees}; by "
            f"score_leaves {1000 * first.leaves_seconds:.1f} compared with {1000 * second.leaves_seconds:.1f} ms",
        ),
        Figure(
            "first_pass_auc",
            ours=float(first.auc.mean()),
            rival=float(second.auc.mean()),
            unit="AUC",
            note="mean over the objectives on the held-out day",
        ),
    ]


def _load_figure(second: Pass) -> Figure:
    rival, target, than = MOST_LOAD_SECONDS, 1.0, "the longest that it may take"
    if second.load_before is not None:
        rival, target, than = second.load_before, MOST_OF_LOAD_BEFORE, "that of an earlier version, in turns"
    return Figure(
        "load",
        ours=second.load_seconds,
        rival=rival,
        unit="s",
        target=target,
        target_is_least=False,
        note=f"loading the SavedModel of {second.trees} trees, compared with {than}",
    )
