"""Fitting: batched Newton steps compared with one L-BFGS per entity."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from benchmarks.harness import Figure
from ranker.effects.entities import LevelSettings, fit_level
from ranker.effects.rows import RowFile, RowShape
from ranker.effects.table import EffectTable

INPUTS = 8  # with the intercept
PER_MINUTE = 100_000

_ENTITIES, _QUICK_ENTITIES = 100_000, 2_000
_RIVAL_ENTITIES, _QUICK_RIVAL_ENTITIES = 3_000, 300
_MEAN_ROWS, _MOST_ROWS = 20, 400
_SETTINGS = LevelSettings(0, tuple(range(INPUTS - 1)), (0.5, *([0.2] * (INPUTS - 1))))
_ROUNDS = 3


@dataclass(frozen=True, eq=False)
class Impressions:
    """Impressions of entities with true effects, ordered by entity.

    Attributes:
        starts: [entities + 1], where the rows of each entity begin.
        x: float32 [rows, inputs - 1].
        y: int8 [rows].
        offset: float32 [rows].
    """

    starts: NDArray[np.int64]
    x: NDArray[np.float32]
    y: NDArray[np.int8]
    offset: NDArray[np.float32]


def impressions(entities: int, seed: int = 1) -> Impressions:
    """Entities whose numbers of impressions have a geometric distribution; the outcome has a rate of about a fifth."""
    random = np.random.default_rng(seed)
    counts = np.minimum(random.geometric(1 / _MEAN_ROWS, entities), _MOST_ROWS)
    owner = np.repeat(np.arange(entities), counts)
    effects = random.normal(0, 0.5, (entities, INPUTS))
    x = random.normal(size=(len(owner), INPUTS - 1)).astype(np.float32)
    offset = random.normal(-1.5, 1, len(owner)).astype(np.float32)
    log_odds = offset + effects[owner, 0] + (x * effects[owner, 1:]).sum(axis=1)
    y = (random.random(len(owner)) < expit(log_odds)).astype(np.int8)
    return Impressions(np.concatenate([[0], np.cumsum(counts)]), x, y, offset)


def batched(rows: Impressions, folder: Path) -> tuple[float, NDArray[np.float32]]:
    """Seconds from rows on disk, in random order, to the coefficients [entities, inputs]."""
    owner = np.repeat(np.arange(len(rows.starts) - 1), np.diff(rows.starts))
    order = np.random.default_rng(2).permutation(len(owner))
    shape = RowShape(1, INPUTS - 1, 1)
    file = RowFile(folder / "rows", shape)
    file.append(shape.rows(owner[order, None], rows.x[order], rows.y[order, None], rows.offset[order, None]))
    start = time.perf_counter()
    table = fit_level(file, _SETTINGS, EffectTable.empty(1, INPUTS))
    seconds = time.perf_counter() - start
    file.path.unlink()
    return seconds, table.mean[:, 0]


def one_by_one(rows: Impressions, entities: int) -> tuple[float, NDArray[np.float64]]:
    """Seconds of scipy's L-BFGS for the first entities, whose rows are in memory, and their coefficients."""
    variance = np.array(_SETTINGS.variance)
    found = np.empty((entities, INPUTS))
    start = time.perf_counter()
    for entity in range(entities):
        own = slice(rows.starts[entity], rows.starts[entity + 1])
        x = np.concatenate([np.ones((own.stop - own.start, 1)), rows.x[own]], axis=1)
        y, offset = rows.y[own], rows.offset[own]

        def loss(
            coefficients: NDArray[np.float64],
            x: NDArray[np.float64] = x,
            y: NDArray[np.int8] = y,
            offset: NDArray[np.float32] = offset,
        ) -> tuple[float, NDArray[np.float64]]:
            z = offset + x @ coefficients
            value = (np.logaddexp(0, z) - y * z).sum() + 0.5 * (coefficients**2 / variance).sum()
            return value, x.T @ (expit(z) - y) + coefficients / variance

        found[entity] = minimize(loss, np.zeros(INPUTS), jac=True, method="L-BFGS-B").x
    return time.perf_counter() - start, found


def entities_per_second(quick: bool) -> Figure:
    """The figure; both are measured in turns, so that a temporary slowdown affects both.

    Raises:
        RuntimeError: the coefficients differ by more than L-BFGS's tolerance explains.
    """
    entities = _QUICK_ENTITIES if quick else _ENTITIES
    rivals = _QUICK_RIVAL_ENTITIES if quick else _RIVAL_ENTITIES
    rows = impressions(entities)
    ours, rival = [], []
    with tempfile.TemporaryDirectory(prefix="effects-benchmark-") as folder:
        for _ in range(1 if quick else _ROUNDS):
            seconds, found = batched(rows, Path(folder))
            ours.append(entities / seconds)
            seconds, expected = one_by_one(rows, rivals)
            rival.append(rivals / seconds)
    if (error := float(np.abs(found[:rivals] - expected).max())) > 1e-2:
        raise RuntimeError(f"effects: the coefficients of both solvers differ by {error:.1e}")
    speed = float(np.median(ours))
    return Figure(
        "entities_per_second",
        ours=speed,
        rival=float(np.median(rival)),
        unit="entities/s",
        target=1.0,
        note=f"{entities:,} entities with {len(rows.y):,} impressions in random order on disk, {INPUTS} coefficients "
        f"each, {60 * speed:,.0f} a minute; compared with one L-BFGS per entity, whose rows are sorted and in memory. "
        f"Coefficients differ by {error:.0e} at most",
    )
