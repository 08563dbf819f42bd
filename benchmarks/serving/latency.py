"""Latency and throughput of a served model, by batch size and number of concurrent sessions."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from serving.client import FeedRankerClient
from serving.server import serve

SIZES = (1, 25, 100, 500, 2000)
SESSIONS = (1, 2, 4, 8)
QUICK_SIZES, QUICK_SESSIONS = (1, 100), (1, 2)

_SECONDS, _QUICK_SECONDS = 3.0, 0.5
_LEAST_CALLS = 5


@dataclass(frozen=True)
class Load:
    """Latency and throughput for one session size and number of concurrent sessions.

    Attributes:
        over_grpc: whether sessions are scored over gRPC, with a server in Python, or by a call of the model.
        candidates: per session.
        sessions: number of concurrent sessions.
        p50_ms, p95_ms, p99_ms: percentiles of the latency of a session.
        per_second: candidates scored per second, all sessions together.
    """

    over_grpc: bool
    candidates: int
    sessions: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    per_second: float


def loads(model: Path, features: Mapping[str, tf.Tensor], quick: bool) -> list[Load]:
    """Measures every size with every number of concurrent sessions, in this process and over gRPC."""
    score = tf.saved_model.load(str(model)).signatures["score_features"]
    rows = len(next(iter(features.values())))
    found = []
    with serve(model, "feed", workers=max(SESSIONS)) as address, FeedRankerClient(address, "feed", 60.0) as client:
        for candidates in QUICK_SIZES if quick else SIZES:
            take = np.arange(candidates) % rows
            tensors = {name: tf.gather(tensor, take) for name, tensor in features.items()}
            arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
            for sessions in QUICK_SESSIONS if quick else SESSIONS:
                for over_grpc in (False, True):
                    found.append(_load(score, client, tensors, arrays, sessions, over_grpc, quick))
    return found


def _load(
    score: Any,
    client: FeedRankerClient,
    tensors: Mapping[str, tf.Tensor],
    arrays: Mapping[str, Any],
    sessions: int,
    over_grpc: bool,
    quick: bool,
) -> Load:
    call = (lambda: client.score_features(arrays)) if over_grpc else (lambda: score(**tensors))
    call()
    end = time.perf_counter() + (_QUICK_SECONDS if quick else _SECONDS)

    def session() -> list[float]:
        taken: list[float] = []
        while len(taken) < _LEAST_CALLS or time.perf_counter() < end:
            start = time.perf_counter()
            call()
            taken.append(1000 * (time.perf_counter() - start))
        return taken

    start = time.perf_counter()
    with ThreadPoolExecutor(sessions) as pool:
        times: Sequence[float] = np.concatenate(list(pool.map(lambda _: session(), range(sessions)))).tolist()
    seconds = time.perf_counter() - start
    candidates = len(next(iter(arrays.values())))
    p50, p95, p99 = (float(p) for p in np.percentile(times, [50, 95, 99]))
    return Load(over_grpc, candidates, sessions, p50, p95, p99, candidates * len(times) / seconds)
