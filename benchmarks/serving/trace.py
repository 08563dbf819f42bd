"""A profile of a session: a trace by TensorFlow's profiler, and its ops summed by type."""

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
    """A type of op in the trace.

    Attributes:
        op: its type.
        calls: per session.
        milliseconds: per session, all calls together.
    """

    op: str
    calls: float
    milliseconds: float


def op_times(score: Callable[[], object], folder: Path | None = None) -> list[OpTime]:
    """Profiles sessions, one after the other; op types by descending time.

    Args:
        score: scores one session.
        folder: folder for TensorBoard's trace; None stores none.
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
                # Ops are events with the name NAME:TYPE; the executor's own events have no op type after the colon.
                _, colon, op = plane.event_metadata[event.metadata_id].name.rpartition(":")
                if colon and (op.startswith("_") or hasattr(tf.raw_ops, op)):
                    picoseconds[op] += event.duration_ps
                    calls[op] += 1
    return [OpTime(op, calls[op] / _RUNS, total / _RUNS / 1e9) for op, total in picoseconds.most_common()]
