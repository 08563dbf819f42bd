"""Sessions side by side on all cores: every request has one thread, as in a loaded server.

    uv run python -m benchmarks.serving.side_by_side --work DIR [--quick]

It runs in a separate process, because TensorFlow's threads are set once per process. Prints one JSON line per number of
objectives.
"""

import argparse
import dataclasses
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from benchmarks.harness import Figure
from benchmarks.serving.former import XgboostAlone
from benchmarks.serving.prepare import configs, load
from benchmarks.serving.sessions import CANDIDATES, Session, Workshop
from pipeline_config import FEED
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


def measured(work: Path, quick: bool) -> list[Throughput]:
    """Measures in a process of its own.

    Raises:
        RuntimeError: the process failed.
    """
    command = [sys.executable, "-m", "benchmarks.serving.side_by_side", "--work", str(work)]
    done = subprocess.run([*command, *(["--quick"] if quick else [])], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return [Throughput(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{")]


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


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.side_by_side")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    workshop = Workshop(load(options.work)[FEED.name], configs(options.quick)[FEED.name])
    session = workshop.session()
    for objectives in OBJECTIVES:
        print(json.dumps(dataclasses.asdict(throughput(workshop, session, objectives, options.quick))), flush=True)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    main()
