"""The cost of a session of 500 candidates by number of objectives, in five setups.

    uv run python -m benchmarks.serving.objectives --work DIR --threads N [--quick]

A process of its own, because TensorFlow's threads are set once per process. Prints one JSON
line per number of objectives.
"""

import argparse
import dataclasses
import json
import logging
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from benchmarks.harness import Figure, alternate
from benchmarks.serving.former import FormerSetup, XgboostAlone
from benchmarks.serving.prepare import configs, load
from benchmarks.serving.sessions import CANDIDATES, Session, Workshop
from pipeline_config import FEED
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
        objectives: number of objectives.
        threads: number of threads of each setup.
        ours: one multi-task model.
        networks: one network per objective, each with its own forest.
        former: one forest and one logistic regression per objective, from libraries.
        former_tuned: the same written for speed.
        xgboost: one XGBoost model per objective.
        transform: the part that all setups share.
    """

    objectives: int
    threads: int
    ours: float
    networks: float
    former: float
    former_tuned: float
    xgboost: float
    transform: float


def measured(work: Path, threads: int, quick: bool) -> list[ObjectiveCost]:
    """Measures all numbers of objectives, in a process with `threads` threads.

    Raises:
        RuntimeError: the process failed.
    """
    command = [sys.executable, "-m", "benchmarks.serving.objectives", "--work", str(work), "--threads", str(threads)]
    done = subprocess.run([*command, *(["--quick"] if quick else [])], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return [ObjectiveCost(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{")]


def costs(workshop: Workshop, session: Session, threads: int, quick: bool) -> list[ObjectiveCost]:
    """Measures all setups, in turns."""
    with tempfile.TemporaryDirectory(prefix="serving-benchmark-") as folder:
        return [
            _cost(workshop, session, count, threads, quick, Path(folder, str(count)))
            for count in (QUICK_OBJECTIVES if quick else OBJECTIVES)
        ]


def figures(found: Sequence[ObjectiveCost], suffix: str = "") -> list[Figure]:
    """The growth of our cost with the objectives, and our cost compared with the former setup's."""
    by_count = {cost.objectives: cost for cost in found}
    one, eight, twelve = by_count[1], by_count[8], by_count[12]
    return [
        Figure(
            "objectives_12_over_1" + suffix,
            ours=1000 * twelve.ours,
            rival=1000 * one.ours,
            unit="ms",
            target=MOST_GROWTH,
            target_is_least=False,
            note=f"ours with 12 objectives compared with ours with 1, {CANDIDATES} candidates from tf.Examples to "
            f"probabilities, {one.threads} thread(s); with 1 there is only one tower",
        ),
        Figure(
            "former_setup_at_8" + suffix,
            ours=1 / eight.ours,
            rival=1 / eight.former,
            unit="sessions/s",
            target=LEAST_SAVING,
            note=f"compared with a forest of a third of the trees and a logistic regression for each objective, by "
            f"XGBoost's pred_leaf and scikit-learn's OneHotEncoder and LogisticRegression; compared with the same "
            f"written for speed: "
            f"{eight.former_tuned / eight.ours:.2f} times",
        ),
        Figure(
            "networks_at_8" + suffix,
            ours=1 / eight.ours,
            rival=1 / eight.networks,
            unit="sessions/s",
            note="compared with one network with a forest of its own for each objective",
        ),
        Figure(
            "xgboost_at_8" + suffix,
            ours=1 / eight.ours,
            rival=1 / eight.xgboost,
            unit="sessions/s",
            note="compared with one XGBoost model of a third of the trees for each objective, without the "
            "dense embedding, which it cannot use",
        ),
    ]


def _cost(workshop: Workshop, session: Session, count: int, threads: int, quick: bool, folder: Path) -> ObjectiveCost:
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
    return ObjectiveCost(count, threads, **alternate(runs, _QUICK_ROUNDS if quick else _ROUNDS))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.objectives")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    workshop = Workshop(load(options.work)[FEED.name], configs(options.quick)[FEED.name])
    for cost in costs(workshop, workshop.session(), options.threads, options.quick):
        print(json.dumps(dataclasses.asdict(cost)), flush=True)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    main()
