"""The cost of a session of 500 candidates by number of objectives, of our model and of others.

It runs in a worker, see `benchmarks.serving.worker`.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from benchmarks.harness import Figure, alternate
from benchmarks.serving.compiled import ONNX, TREELITE, CompiledForests
from benchmarks.serving.former import FormerSetup, XgboostAlone
from benchmarks.serving.sessions import CANDIDATES, Session, Workshop, built_in_workshop
from benchmarks.serving.worker import Task
from ranker import keys

OBJECTIVES = (1, 2, 4, 8, 12)
QUICK_OBJECTIVES = (1, 8, 12)
MOST_GROWTH, LEAST_SAVING = 1.10, 5.0
LEAST_OVER_XGBOOST = {8: 2.0, 12: 3.0}

_ROUNDS, _QUICK_ROUNDS = 31, 3


@dataclass(frozen=True)
class ObjectiveCost:
    """Median seconds for a session's candidates, from serialised tf.Examples of raw features to all probabilities.

    Every setup reads the examples and runs the Transform graph once, unless it is said to have a ready matrix.

    Attributes:
        objectives: number of objectives.
        threads: number of threads of each setup.
        ours: one multi-task model.
        bfloat16: the same with a leaf table in bfloat16.
        tensors: the same as `ours`, from raw tensors by `score_features`.
        networks: one network per objective, each with its own forest.
        former: one forest and one logistic regression per objective, from libraries.
        former_tuned: the same written for speed.
        xgboost: one XGBoost model per objective.
        transform: the part that all setups share.
        xgboost_ready: XGBoost's `inplace_predict` alone, on a ready matrix of forest features.
        treelite: the same models as C code by tl2cgen, on a ready matrix; None where not measured.
        onnxruntime: the same models by ONNX Runtime, on a ready matrix; None where not measured.
    """

    objectives: int
    threads: int
    ours: float
    bfloat16: float
    tensors: float
    networks: float
    former: float
    former_tuned: float
    xgboost: float
    transform: float
    xgboost_ready: float
    treelite: float | None = None
    onnxruntime: float | None = None


def costs(
    workshop: Workshop, session: Session, threads: int, quick: bool, rivals: str | None = None
) -> list[ObjectiveCost]:
    """Measures all setups, in turns."""
    with tempfile.TemporaryDirectory(prefix="serving-benchmark-") as folder:
        return [
            _cost(workshop, session, count, threads, quick, Path(folder, str(count)), rivals)
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
            "former_tuned_at_8" + suffix,
            ours=1 / eight.ours,
            rival=1 / eight.former_tuned,
            unit="sessions/s",
            note="compared with a forest of a third of the trees and a logistic regression for each objective, written "
            "for speed: contiguous leaf numbers, and a sum of weights instead of one-hot vectors",
        ),
        Figure(
            "networks_at_8" + suffix,
            ours=1 / eight.ours,
            rival=1 / eight.networks,
            unit="sessions/s",
            note="compared with one network with a forest of its own for each objective",
        ),
        *(figure for cost in (eight, twelve) for figure in _over_xgboost(cost, suffix)),
    ]


def _over_xgboost(cost: ObjectiveCost, suffix: str) -> list[Figure]:
    """Our cost compared with that of one XGBoost model for each objective, by several programs."""
    models = "one XGBoost model of a third of the trees for each objective, without the dense embedding"
    at = f"at_{cost.objectives}{suffix}"
    found = [
        Figure(
            f"xgboost_{at}",
            ours=1 / cost.ours,
            rival=1 / cost.xgboost,
            unit="sessions/s",
            target=None if suffix else LEAST_OVER_XGBOOST[cost.objectives],
            note=f"compared with {models}, both from tf.Examples, Transform included",
        ),
        Figure(
            f"xgboost_{at}.bfloat16",
            ours=1 / cost.bfloat16,
            rival=1 / cost.xgboost,
            unit="sessions/s",
            note="the same with our leaf table in bfloat16",
        ),
    ]
    ready = {
        "xgboost_ready": (cost.xgboost_ready, "inplace_predict"),
        "treelite": (cost.treelite, "tl2cgen"),
        "onnxruntime": (cost.onnxruntime, "ONNX Runtime"),
    }
    return found + [
        Figure(
            f"{name}_{at}",
            ours=1 / cost.ours,
            rival=1 / seconds,
            unit="sessions/s",
            note=f"ours from tf.Examples, compared with {models}, by {program} on a ready matrix of features",
        )
        for name, (seconds, program) in ready.items()
        if seconds is not None
    ]


def _cost(
    workshop: Workshop, session: Session, count: int, threads: int, quick: bool, folder: Path, rivals: str | None
) -> ObjectiveCost:
    ranker = workshop.ranker(count)
    ours = workshop.by_examples(ranker, session, folder / "float32")
    bfloat16 = workshop.by_examples(workshop.ranker(count, leaf_table="bfloat16"), session, folder / "bfloat16")
    by_tensors = tf.saved_model.load(str(folder / "float32"))
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

    def run_tensors() -> object:
        scores = by_tensors.signatures["score_features"](**session.features)
        return [probabilities.numpy() for probabilities in scores.values()]

    matrix = workshop.transform(session.examples)[keys.FOREST_FEATURES].numpy()
    runs: dict[str, Callable[[], object]] = {
        "ours": ours,
        "bfloat16": bfloat16,
        "tensors": run_tensors,
        "networks": run_networks,
        "former": lambda: run_former(former),
        "former_tuned": lambda: run_former(tuned),
        "xgboost": lambda: alone.score(workshop.transform(session.examples)[keys.FOREST_FEATURES].numpy()),
        "transform": lambda: workshop.transform(session.examples)[keys.FOREST_FEATURES].numpy(),
        "xgboost_ready": lambda: alone.score(matrix),
    }
    rounds = _QUICK_ROUNDS if quick else _ROUNDS
    if rivals is None:
        for run in runs.values():
            run()
        return ObjectiveCost(count, threads, **alternate(runs, rounds))
    boosters = [workshop.former_forest(objective).booster for objective in range(count)]
    (folder / "rivals").mkdir()
    with CompiledForests(rivals, boosters, matrix, threads, folder / "rivals") as compiled:
        runs |= {TREELITE: lambda: compiled.score(TREELITE), ONNX: lambda: compiled.score(ONNX)}
        for run in runs.values():
            run()
        return ObjectiveCost(count, threads, **alternate(runs, rounds))


def results(task: Task) -> list[ObjectiveCost]:
    """The costs of all numbers of objectives, in a process that has measured nothing before."""
    tf.config.threading.set_intra_op_parallelism_threads(task.threads)
    tf.config.threading.set_inter_op_parallelism_threads(task.threads)
    workshop = built_in_workshop(task.work, task.quick)
    return costs(workshop, workshop.session(), task.threads, task.quick, task.rivals)
