"""The cost of a request by its number of candidates, at 8 objectives, compared with XGBoost alone.

    uv run python -m benchmarks.serving.batches --work DIR --threads N [--quick]

It runs in a separate process, because TensorFlow's threads are set once per process. Prints one JSON line per size.
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
from functools import partial
from pathlib import Path

import tensorflow as tf

from benchmarks.harness import Figure, alternate
from benchmarks.serving.former import XgboostAlone
from benchmarks.serving.prepare import configs, load
from benchmarks.serving.sessions import Session, Workshop
from pipeline_config import FEED
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


def measured(work: Path, threads: int, quick: bool) -> list[BatchCost]:
    """Measures all sizes, in a process with `threads` threads.

    Raises:
        RuntimeError: the process failed.
    """
    command = [sys.executable, "-m", "benchmarks.serving.batches", "--work", str(work), "--threads", str(threads)]
    done = subprocess.run([*command, *(["--quick"] if quick else [])], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return [BatchCost(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{")]


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


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.batches")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    workshop = Workshop(load(options.work)[FEED.name], configs(options.quick)[FEED.name])
    for cost in costs(workshop, QUICK_SIZES if options.quick else SIZES, options.threads, options.quick):
        print(json.dumps(dataclasses.asdict(cost)), flush=True)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    main()
