"""What the session metrics need of every impression, in compact arrays that merge in any order."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from ranker.evaluation.buckets import Floats, Ints

MAX_ROWS = 1 << 21
"""Impressions kept: beyond it, only a sample of complete sessions is. A row takes 9 bytes, two bits per objective, 4
bytes per model and objective, and 4 bytes per kind of slice."""

NO_SLICE = -1
"""The slice number of an impression in no slice of a kind: the kind was dropped."""

NO_SESSION = 0
"""The hash of an impression without a session id."""

Hashes = npt.NDArray[np.uint64]


def session_hashes(sessions: npt.NDArray[np.object_]) -> Hashes:
    """A 64-bit hash of each session id, [batch], the same in every process; NO_SESSION for b"".

    Two of a million sessions share a hash with a probability of 3e-8.

    Args:
        sessions: [batch] of bytes.
    """
    codes, distinct = pd.factorize(sessions)
    if len(distinct) == 0:
        return np.zeros(len(sessions), np.uint64)
    hashes = np.maximum(pd.util.hash_array(np.asarray(distinct, dtype=object), categorize=False), np.uint64(1))
    hashes[np.array([not session for session in distinct])] = NO_SESSION
    return hashes[codes]


class SessionRows:
    """Scores, labels and slices of impressions with the hash of their session.

    The rows of a session may be added in several batches, and to several instances that are merged later. Beyond
    `max_rows` rows, only the sessions whose hash is below a limit are kept, with all their rows. The limit is halved
    until the rows fit. So which sessions are kept does not depend on the order of batches and merges.

    Args:
        models: number of models.
        objectives: number of objectives.
        specs: number of kinds of slices.
        max_rows: maximum number of rows kept.
    """

    def __init__(self, models: int, objectives: int, specs: int, max_rows: int = MAX_ROWS) -> None:
        self.without_session = 0
        self._max_rows = max_rows
        self._objectives = objectives
        self._halvings = 0
        self._rows = 0
        self._chunks: list[np.ndarray] = []
        self._row = np.dtype(
            [
                ("session", np.uint64),
                ("group", np.uint8),
                ("labels", np.uint8, (-(-objectives // 8),)),
                ("observed", np.uint8, (-(-objectives // 8),)),
                ("scores", np.float32, (models, objectives)),
                ("slices", np.int32, (specs,)),
            ]
        )

    def __len__(self) -> int:
        return self._rows

    @property
    def share(self) -> float:
        """The share of all sessions that is kept: 1, or a negative power of 2."""
        return float(0.5**self._halvings)

    def add(
        self,
        sessions: Hashes,
        groups: Ints,
        labels: npt.NDArray[np.bool_],
        predictions: Floats,
        slices: Ints,
        observed: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        """Adds a batch. An impression without a session is counted and left out.

        Args:
            sessions: `session_hashes`, [batch].
            groups: viewer group of each impression, [batch].
            labels: [objectives, batch].
            predictions: [models, objectives, batch]; NaN where a model predicted no probability.
            slices: slice number of each impression by kind of slice, [specs, batch].
            observed: whether each outcome was observed, [objectives, batch]; None if all were.
        """
        observed = np.ones_like(labels) if observed is None else observed
        self.without_session += int(np.count_nonzero(sessions == NO_SESSION))
        kept = np.flatnonzero(self._is_kept(sessions))
        chunk = np.empty(len(kept), self._row)
        chunk["session"] = sessions[kept]
        chunk["group"] = groups[kept]
        chunk["labels"] = np.packbits(labels[:, kept], axis=0).T
        chunk["observed"] = np.packbits(observed[:, kept], axis=0).T
        chunk["scores"] = np.moveaxis(predictions[:, :, kept], -1, 0)
        chunk["slices"] = slices[:, kept].T
        self._append(chunk)

    def merge(self, other: "SessionRows", numbers: Ints) -> None:
        """Adds the rows of another instance.

        Args:
            other: of the same models, objectives and kinds of slices.
            numbers: this instance's number of each slice number of the other; NO_SLICE where it was dropped.
        """
        self.without_session += other.without_session
        self._halvings = max(self._halvings, other._halvings)
        own, self._chunks, self._rows = self._chunks, [], 0
        for chunk in own:
            self._append(chunk[self._is_kept(chunk["session"])])
        for chunk in other._chunks:
            added = chunk[self._is_kept(chunk["session"])]
            known = (added["slices"] >= 0) & (added["slices"] < len(numbers))
            added["slices"] = np.where(known, numbers[np.where(known, added["slices"], 0)], NO_SLICE)
            self._append(added)

    def clear(self) -> None:
        """Frees the rows; what was counted remains."""
        self._chunks, self._rows = [], 0

    def sessions(self) -> Hashes:
        """The session of each row, [rows]."""
        return self._column("session").astype(np.uint64)

    def groups(self) -> Ints:
        """The viewer group of each row, [rows]."""
        return self._column("group").astype(np.int64)

    def labels(self) -> npt.NDArray[np.bool_]:
        """[objectives, rows]; False where the outcome was not observed."""
        return self._bits("labels")

    def observed(self) -> npt.NDArray[np.bool_]:
        """Whether each outcome was observed, [objectives, rows]."""
        return self._bits("observed")

    def scores(self, model: int) -> npt.NDArray[np.float32]:
        """The predictions of one model, [objectives, rows]."""
        return np.ascontiguousarray(self._column("scores")[:, model].T)

    def slices(self, spec: int) -> Ints:
        """The slice number of each row for one kind of slice, [rows]."""
        return self._column("slices")[:, spec].astype(np.int64)

    def _bits(self, name: str) -> npt.NDArray[np.bool_]:
        bits = np.unpackbits(self._column(name), axis=1, count=self._objectives)
        return np.ascontiguousarray(bits.T).astype(np.bool_)

    def _append(self, chunk: np.ndarray) -> None:
        self._chunks.append(chunk)
        self._rows += len(chunk)
        while self._rows > self._max_rows:
            self._halvings += 1
            rows = np.concatenate(self._chunks)
            self._chunks = [rows[self._is_kept(rows["session"])]]
            self._rows = len(self._chunks[0])

    def _is_kept(self, sessions: Hashes) -> npt.NDArray[np.bool_]:
        known = sessions != NO_SESSION
        if self._halvings == 0:
            return known
        return known & (sessions >> np.uint64(64 - self._halvings) == 0)

    def _column(self, name: str) -> np.ndarray:
        if len(self._chunks) != 1:
            self._chunks = [np.concatenate([np.empty(0, self._row), *self._chunks])]
        return self._chunks[0][name]
