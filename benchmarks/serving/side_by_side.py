"""Sessions side by side on all cores: every request has one thread, as in a loaded server.

It runs in a worker, see `benchmarks.serving.worker`.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from benchmarks.harness import Figure
from benchmarks.serving.former import XgboostAlone
from benchmarks.serving.sessions import CANDIDATES, Session, Workshop, built_in_workshop
from benchmarks.serving.worker import Task
from ranker import keys

OBJECTIVES = (8, 12)
TARGET = 2.0

_ROUNDS, _QUICK_ROUNDS = 9, 2
_SECONDS, _QUICK_SECONDS = 1.0, 0.3


@dataclass(frozen=True)
class Throughput:
    """Sessions per second from serialised tf.Examples, all requests together.

    Attributes:
        objectives: number of objectives.
        requests: side by side, one per core.
        ours: one multi-task model.
        bfloat16: the same with a leaf table in bfloat16.
        xgboost: Transform, and one XGBoost model per objective.
    """

    objectives: int
    requests: int
    ours: float
    bfloat16: float
    xgboost: float


def figures(found: Sequence[Throughput]) -> list[Figure]:
    """Ours compared with XGBoost alone."""
    return [
        Figure(
            f"xgboost_at_{one.objectives}.side_by_side{suffix}",
            ours=getattr(one, name),
            rival=one.xgboost,
            unit="sessions/s",
            target=TARGET if one.objectives == 8 and not suffix else None,
            note=f"{one.requests} requests of {CANDIDATES} candidates side by side, one thread each, compared with "
            f"Transform and one XGBoost model per objective{about}",
        )
        for one in found
        for name, suffix, about in (("ours", "", ""), ("bfloat16", ".bfloat16", "; the leaf table in bfloat16"))
    ]


def throughput(workshop: Workshop, session: Session, objectives: int, quick: bool) -> Throughput:
    """Measures one number of objectives, in turns."""
    alone = XgboostAlone([workshop.former_forest(number).booster for number in range(objectives)], threads=1)
    with tempfile.TemporaryDirectory(prefix="serving-benchmark-") as folder:
        runs: dict[str, Callable[[], object]] = {
            "ours": workshop.by_examples(workshop.ranker(objectives), session, Path(folder, "float32")),
            "bfloat16": workshop.by_examples(
                workshop.ranker(objectives, leaf_table="bfloat16"), session, Path(folder, "bfloat16")
            ),
            "xgboost": lambda: alone.score(workshop.transform(session.examples)[keys.FOREST_FEATURES].numpy()),
        }
        for run in runs.values():
            run()
        requests = os.cpu_count() or 1
        rates: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(_QUICK_ROUNDS if quick else _ROUNDS):
            for name, run in runs.items():
                rates[name].append(_rate(run, requests, _QUICK_SECONDS if quick else _SECONDS))
    return Throughput(objectives, requests, **{name: statistics.median(found) for name, found in rates.items()})


def _rate(run: Callable[[], object], requests: int, seconds: float) -> float:
    start = time.perf_counter()

    def repeated() -> int:
        done = 0
        while time.perf_counter() < start + seconds:
            run()
            done += 1
        return done

    with ThreadPoolExecutor(requests) as pool:
        done = sum(pool.map(lambda _: repeated(), range(requests)))
    return done / (time.perf_counter() - start)


def results(task: Task) -> Iterator[Throughput]:
    """The throughput at all numbers of objectives, in a process that has measured nothing before."""
    tf.config.threading.set_intra_op_parallelism_threads(task.threads)
    workshop = built_in_workshop(task.work, task.quick)
    session = workshop.session()
    for objectives in OBJECTIVES:
        yield throughput(workshop, session, objectives, task.quick)
