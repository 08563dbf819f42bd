"""Where a session's time goes: a trace by TensorFlow's profiler, and its ops added up by kind."""

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

_RUNS = 20


@dataclass(frozen=True)
class OpTime:
    """A kind of op in the trace.

    Attributes:
        op: its type.
        calls: a session.
        milliseconds: a session, all calls together.
    """

    op: str
    calls: float
    milliseconds: float


def op_times(score: Callable[[], object], folder: Path | None = None) -> list[OpTime]:
    """Profiles sessions, one after the other; the longest kind of op first.

    Args:
        score: scores one session.
        folder: where TensorBoard's trace is kept; None keeps none.
    """
    score()
    with tempfile.TemporaryDirectory(prefix="serving-trace-") as temporary:
        log = folder or Path(temporary)
        tf.profiler.experimental.start(str(log))
        for _ in range(_RUNS):
            score()
        tf.profiler.experimental.stop()
        newest = max(log.rglob("*.xplane.pb"), key=lambda file: file.stat().st_mtime)
        space = xplane_pb2.XSpace.FromString(newest.read_bytes())
    picoseconds: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                # Ops are events called NAME:TYPE; the executor's own events have no op's name after the colon.
                _, colon, op = plane.event_metadata[event.metadata_id].name.rpartition(":")
                if colon and (op.startswith("_") or hasattr(tf.raw_ops, op)):
                    picoseconds[op] += event.duration_ps
                    calls[op] += 1
    return [OpTime(op, calls[op] / _RUNS, total / _RUNS / 1e9) for op, total in picoseconds.most_common()]
