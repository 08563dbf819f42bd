"""What a session of 500 candidates costs with more and more objectives, in four setups."""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from benchmarks.harness import Figure, alternate
from benchmarks.serving.former import FormerSetup, XgboostAlone
from benchmarks.serving.sessions import CANDIDATES, Session, Workshop
from ranker import keys

OBJECTIVES = (1, 2, 4, 8, 12)
QUICK_OBJECTIVES = (1, 8, 12)
MOST_GROWTH, LEAST_SAVING = 1.15, 5.0

_ROUNDS, _QUICK_ROUNDS = 31, 3


@dataclass(frozen=True)
class ObjectiveCost:
    """Median seconds for a session's candidates, from serialised tf.Examples of raw features to all probabilities.

    Every setup reads the examples and runs the Transform graph once.

    Attributes:
        objectives: how many.
        ours: one multi-task model.
        networks: one network an objective, with a forest of its own.
        former: one forest and one logistic regression an objective, from libraries.
        former_tuned: the same written for speed.
        xgboost: one XGBoost model an objective.
        transform: the part that all have in common.
    """

    objectives: int
    ours: float
    networks: float
    former: float
    former_tuned: float
    xgboost: float
    transform: float


def costs(workshop: Workshop, session: Session, quick: bool) -> list[ObjectiveCost]:
    """Measures all setups, in turns."""
    with tempfile.TemporaryDirectory(prefix="serving-benchmark-") as folder:
        return [
            _cost(workshop, session, count, quick, Path(folder, str(count)))
            for count in (QUICK_OBJECTIVES if quick else OBJECTIVES)
        ]


def figures(measured: Sequence[ObjectiveCost]) -> list[Figure]:
    """How ours grows, and what it saves against the former setup."""
    by_count = {cost.objectives: cost for cost in measured}
    one, eight, twelve = by_count[1], by_count[8], by_count[12]
    return [
        Figure(
            "objectives_12_over_1",
            ours=1000 * twelve.ours,
            rival=1000 * one.ours,
            unit="ms",
            target=MOST_GROWTH,
            target_is_least=False,
            note=f"ours with 12 objectives beside ours with 1, {CANDIDATES} candidates from tf.Examples to "
            "probabilities; with 1 there is only one tower",
        ),
        Figure(
            "former_setup_at_8",
            ours=1 / eight.ours,
            rival=1 / eight.former,
            unit="sessions/s",
            target=LEAST_SAVING,
            note=f"beside a forest of a third of the trees and a logistic regression for each objective, by XGBoost's "
            f"pred_leaf and scikit-learn's OneHotEncoder and LogisticRegression; beside the same written for speed "
            f"{eight.former_tuned / eight.ours:.2f} times",
        ),
        Figure(
            "networks_at_8",
            ours=1 / eight.ours,
            rival=1 / eight.networks,
            unit="sessions/s",
            note="beside one network with a forest of its own for each objective",
        ),
        Figure(
            "xgboost_at_8",
            ours=1 / eight.ours,
            rival=1 / eight.xgboost,
            unit="sessions/s",
            note="beside one XGBoost model of a third of the trees for each objective, without the "
            "dense embedding, which it cannot use",
        ),
    ]


def _cost(workshop: Workshop, session: Session, count: int, quick: bool, folder: Path) -> ObjectiveCost:
    threads = os.cpu_count() or 1
    ranker = workshop.ranker(count)
    tf.saved_model.save(ranker, str(folder), signatures=ranker.signatures())
    model = tf.saved_model.load(str(folder))
    networks = [workshop.network_of_one(objective) for objective in range(count)]
    former = FormerSetup([workshop.recipe(objective, threads) for objective in range(count)])
    tuned = FormerSetup([workshop.tuned(objective, threads) for objective in range(count)])
    alone = XgboostAlone([workshop.former_forest(objective).booster for objective in range(count)], threads)

    def run_former(setup: FormerSetup) -> object:
        transformed = {name: tensor.numpy() for name, tensor in workshop.transform(session.examples).items()}
        return setup.score(transformed[keys.FOREST_FEATURES], workshop.dense(transformed), threads)

    def run_networks() -> object:
        transformed = workshop.transform(session.examples)
        return [network(transformed).numpy() for network in networks]

    def run_ours() -> object:
        scores = model.signatures["serving_default"](examples=session.examples)
        return [probabilities.numpy() for probabilities in scores.values()]

    runs: dict[str, Callable[[], object]] = {
        "ours": run_ours,
        "networks": run_networks,
        "former": lambda: run_former(former),
        "former_tuned": lambda: run_former(tuned),
        "xgboost": lambda: alone.score(workshop.transform(session.examples)[keys.FOREST_FEATURES].numpy()),
        "transform": lambda: workshop.transform(session.examples)[keys.FOREST_FEATURES].numpy(),
    }
    for run in runs.values():
        run()
    return ObjectiveCost(count, **alternate(runs, _QUICK_ROUNDS if quick else _ROUNDS))
