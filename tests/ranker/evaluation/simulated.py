"""Simulated impressions with a known probability of every outcome."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from ranker.evaluation.accumulator import Accumulator
from ranker.evaluation.buckets import viewer_groups
from ranker.evaluation.session_rows import MAX_ROWS, session_hashes
from ranker.evaluation.session_sums import UtilityWeights

OBJECTIVES = ("click", "share")
BASE_RATES = {"click": 0.2, "share": 0.02}
SLICES = (("device",), ("country",), ("device", "country"))
UTILITY = UtilityWeights({"click": 0.5, "share": 4.0}, k=5)
PER_SESSION = 12  # impressions, on average


@dataclass(frozen=True)
class Simulated:
    """Impressions: labels and true probabilities are [objectives, rows]; sessions, viewers and columns are bytes
    [rows].
    """

    labels: npt.NDArray[np.bool_]
    probabilities: npt.NDArray[np.float64]
    viewers: npt.NDArray[np.object_]
    sessions: npt.NDArray[np.object_]
    columns: dict[str, npt.NDArray[np.object_]]

    @property
    def rows(self) -> int:
        return self.labels.shape[1]

    def rows_of(self, rows: slice | npt.NDArray[np.integer]) -> "Simulated":
        """Some of the impressions."""
        return Simulated(
            self.labels[:, rows],
            self.probabilities[:, rows],
            self.viewers[rows],
            self.sessions[rows],
            {name: column[rows] for name, column in self.columns.items()},
        )


def simulate(rows: int, seed: int, viewer_spread: float = 0.5, viewers: int = 400) -> Simulated:
    """Outcomes drawn from probabilities that depend on the impression and on a latent taste of the viewer."""
    random = np.random.default_rng(seed)
    viewer = random.integers(viewers, size=rows)
    taste = random.normal(0.0, viewer_spread, size=viewers)[viewer]
    seen = random.normal(0.0, 1.0, size=(len(OBJECTIVES), rows))
    base = np.array([[logit(BASE_RATES[name])] for name in OBJECTIVES])
    truth = expit(base + seen + taste)
    # A calibrated prediction is the average over the taste, here by the usual probit approximation.
    predicted = expit((base + seen) / np.sqrt(1.0 + np.pi * viewer_spread**2 / 8.0))
    columns = {
        "device": np.array([b"ios", b"android", b""], dtype=object)[random.choice(3, p=[0.5, 0.4, 0.1], size=rows)],
        "country": np.array([b"at", b"in", b"us", b"br"], dtype=object)[random.integers(4, size=rows)],
    }
    return Simulated(
        labels=random.random(truth.shape) < truth,
        probabilities=predicted.astype(np.float32).astype(np.float64),
        viewers=np.array([f"viewer-{i}".encode() for i in viewer], dtype=object),
        sessions=_sessions(viewer, viewers, random),
        columns=columns,
    )


def _sessions(viewer: npt.NDArray[np.int64], viewers: int, random: np.random.Generator) -> npt.NDArray[np.object_]:
    """A session per impression; all impressions of a session have the same viewer."""
    of_viewer = random.integers(max(1, len(viewer) // (PER_SESSION * viewers)), size=len(viewer))
    return np.array([f"session-{v}-{i}".encode() for v, i in zip(viewer, of_viewer, strict=True)], dtype=object)


def accumulate(
    data: Simulated,
    models: dict[str, npt.NDArray[np.float64]],
    slices: tuple[tuple[str, ...], ...] = SLICES,
    batch: int | None = None,
    max_slice_values: int = 500,
    max_rows: int = MAX_ROWS,
) -> Accumulator:
    """An accumulator filled with the predictions of each model, [objectives, rows], `batch` rows at a time."""
    accumulator = Accumulator(list(models), UTILITY, slices, max_slice_values, max_rows)
    predictions = np.stack(list(models.values()))
    groups, sessions = viewer_groups(data.viewers), session_hashes(data.sessions)
    step = batch or max(1, data.rows)
    for start in range(0, data.rows, step):
        rows = slice(start, start + step)
        accumulator.add(
            data.labels[:, rows],
            predictions[:, :, rows],
            groups[rows],
            sessions[rows],
            {name: column[rows] for name, column in data.columns.items()},
        )
    return accumulator
