"""The cost of a request by its number of candidates, at 8 objectives, compared with XGBoost alone.

It runs in a worker, see `benchmarks.serving.worker`.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import tensorflow as tf

from benchmarks.harness import Figure, alternate
from benchmarks.serving.former import XgboostAlone
from benchmarks.serving.sessions import Session, Workshop, built_in_workshop
from benchmarks.serving.worker import Task
from ranker import keys

SIZES = (1, 25, 100, 500, 2000)
QUICK_SIZES = (1, 500)
OBJECTIVES = 8
MOST_FOR_ONE = 0.002

_ROUNDS, _QUICK_ROUNDS = 61, 5


@dataclass(frozen=True)
class BatchCost:
    """Median seconds for one request.

    Attributes:
        candidates: in the request.
        threads: number of threads of each program.
        ours: from tf.Examples by `serving_default`.
        tensors: from raw tensors by `score_features`.
        xgboost: from tf.Examples by Transform and one XGBoost model per objective.
        xgboost_ready: the models' `inplace_predict` on a ready matrix.
    """

    candidates: int
    threads: int
    ours: float
    tensors: float
    xgboost: float
    xgboost_ready: float


def figures(costs: Sequence[BatchCost]) -> list[Figure]:
    """One candidate by `score_features`, compared with the longest that it may take."""
    return [
        Figure(
            "one_candidate",
            ours=1000 * cost.tensors,
            rival=1000 * MOST_FOR_ONE,
            unit="ms",
            target=1.0,
            target_is_least=False,
            note=f"one candidate by score_features with {OBJECTIVES} objectives, {cost.threads} thread(s), compared "
            "with the longest that it may take",
        )
        for cost in costs
        if cost.candidates == 1
    ]


def costs(workshop: Workshop, sizes: Sequence[int], threads: int, quick: bool) -> list[BatchCost]:
    """Measures all sizes, each in turns."""
    ranker = workshop.ranker(OBJECTIVES)
    alone = XgboostAlone([workshop.former_forest(number).booster for number in range(OBJECTIVES)], threads)
    with tempfile.TemporaryDirectory(prefix="serving-benchmark-") as folder:
        tf.saved_model.save(ranker, folder, signatures=ranker.signatures())
        model = tf.saved_model.load(folder)

    def scored(signature: str, **tensors: tf.Tensor) -> object:
        return [scores.numpy() for scores in model.signatures[signature](**tensors).values()]

    def by_xgboost(session: Session) -> object:
        return alone.score(workshop.transform(session.examples)[keys.FOREST_FEATURES].numpy())

    found = []
    for size in sizes:
        session = workshop.session(size)
        matrix = session.transformed[keys.FOREST_FEATURES].numpy()
        runs: dict[str, Callable[[], object]] = {
            "ours": partial(scored, "serving_default", examples=session.examples),
            "tensors": partial(scored, "score_features", **session.features),
            "xgboost": partial(by_xgboost, session),
            "xgboost_ready": partial(alone.score, matrix),
        }
        for run in runs.values():
            run()
        found.append(BatchCost(size, threads, **alternate(runs, _QUICK_ROUNDS if quick else _ROUNDS)))
    return found


def results(task: Task) -> list[BatchCost]:
    """The costs of all sizes, in a process that has measured nothing before."""
    tf.config.threading.set_intra_op_parallelism_threads(task.threads)
    tf.config.threading.set_inter_op_parallelism_threads(task.threads)
    return costs(
        built_in_workshop(task.work, task.quick), QUICK_SIZES if task.quick else SIZES, task.threads, task.quick
    )
