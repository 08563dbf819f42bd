"""Fits the effects of one level: every entity's regression, in batches of entities with about as many rows."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ranker.effects.newton import Fit, Floats, Likelihood, fit, likelihood, summed
from ranker.effects.rows import UNOBSERVED, RowFile, Rows, partitions
from ranker.effects.table import EffectTable, joined

BATCH_ROWS = 16_384
"""Rows of a batch with padding. Its arrays then fit into a core's cache, which matters more than few calls."""

_GROWTH = 1.25
"""Ratio of the row counts that entities are padded to, so at most a fifth of a batch is padding."""


@dataclass(frozen=True)
class LevelSettings:
    """How a level is fitted.

    Attributes:
        level: number of its id in the rows.
        inputs: which of the rows' inputs it reads; an intercept comes before them.
        variance: [1 + inputs], of the prior of an entity that has not been seen before.
    """

    level: int
    inputs: tuple[int, ...]
    variance: tuple[float, ...]


def fit_level(rows: RowFile, settings: LevelSettings, before: EffectTable, batch_rows: int = BATCH_ROWS) -> EffectTable:
    """Fits all entities of the rows.

    Args:
        rows: the impressions.
        settings: of the level.
        before: what is known of the entities without these rows: their priors.
        batch_rows: rows of a batch; an entity with more is read from disk once per step.

    Returns:
        The effects of the entities of the rows, and unchanged those of all others in `before`.

    Raises:
        NotConvergedError: an entity did not converge.
    """
    with tempfile.TemporaryDirectory(prefix="effects-", dir=rows.path.parent) as folder:
        fitted = [
            fit_partition(part.mapped(), settings, before, batch_rows)
            for part in partitions(rows, settings.level, Path(folder))
        ]
    return before.updated(joined(fitted)) if fitted else before


def fit_partition(rows: Rows, settings: LevelSettings, before: EffectTable, batch_rows: int) -> EffectTable:
    """Fits the entities of some rows, which are all rows of these entities; see `fit_level`."""
    owners = np.asarray(rows["ids"][:, settings.level])
    order = np.argsort(owners, kind="stable")
    ids, starts, counts = np.unique(owners[order], return_index=True, return_counts=True)
    known = before.find(ids)
    objectives, inputs = rows["y"].shape[1], len(settings.variance)
    mean = np.zeros((len(ids), objectives, inputs))
    variance = np.broadcast_to(np.array(settings.variance), mean.shape).copy()
    mean[known >= 0] = before.mean[known[known >= 0]]
    variance[known >= 0] = before.variance[known[known >= 0]]
    for batch in _batches(counts, batch_rows):
        for objective in range(objectives):
            if len(batch) == 1 and counts[batch[0]] > batch_rows:
                own = order[starts[batch[0]] : starts[batch[0]] + counts[batch[0]]]
                found = _fit_large(rows, own, settings, objective, mean[batch], variance[batch], batch_rows)
            else:
                found = _fit_batch(
                    rows, order, starts[batch], counts[batch], settings, objective, mean[batch], variance[batch]
                )
            mean[batch, objective], variance[batch, objective] = found.mean, found.variance
    seen = counts.astype(np.float32)
    seen[known >= 0] += before.rows[known[known >= 0]]
    return EffectTable(ids, mean.astype(np.float32), variance.astype(np.float32), seen)


def padded_sizes(largest: int) -> NDArray[np.int64]:
    """The row counts that entities are padded to, up to one that is at least `largest`."""
    sizes = [1]
    while sizes[-1] < largest:
        sizes.append(max(sizes[-1] + 1, int(sizes[-1] * _GROWTH)))
    return np.array(sizes)


def _batches(counts: NDArray[np.int64], batch_rows: int) -> Iterator[NDArray[np.int64]]:
    """Indices of entities with the same padded number of rows, as many as a batch has room for."""
    sizes = padded_sizes(int(counts.max()))
    size = np.searchsorted(sizes, counts)
    by_size = np.argsort(size, kind="stable")
    ends = np.searchsorted(size[by_size], np.arange(len(sizes) + 1))
    for number, rows in enumerate(sizes):
        alike = by_size[ends[number] : ends[number + 1]]
        together = max(1, batch_rows // int(rows))
        yield from (alike[start : start + together] for start in range(0, len(alike), together))


def _fit_batch(
    rows: Rows,
    order: NDArray[np.int64],
    starts: NDArray[np.int64],
    counts: NDArray[np.int64],
    settings: LevelSettings,
    objective: int,
    mean: Floats,
    variance: Floats,
) -> Fit:
    sizes = padded_sizes(int(counts.max()))
    place = np.arange(sizes[-1])
    filled = place < counts[:, None]
    index = order[np.where(filled, starts[:, None] + place, starts[:, None])]
    x, y, offset, weight = _columns(rows[index.reshape(-1)], settings, objective)
    shape = index.shape
    x, y, offset = x.reshape(*shape, -1), y.reshape(shape), offset.reshape(shape)
    weight = weight.reshape(shape) * filled
    return fit(
        lambda coefficients: likelihood(x, y, offset, weight, coefficients),
        mean[:, objective],
        variance[:, objective],
    )


def _fit_large(
    rows: Rows,
    own: NDArray[np.int64],
    settings: LevelSettings,
    objective: int,
    mean: Floats,
    variance: Floats,
    batch_rows: int,
) -> Fit:
    """One entity with more rows than a batch: its likelihood is a sum over parts that are read one by one."""

    def evaluate(coefficients: Floats) -> Likelihood:
        parts = []
        for start in range(0, len(own), batch_rows):
            x, y, offset, weight = _columns(rows[own[start : start + batch_rows]], settings, objective)
            parts.append(likelihood(x[None], y[None], offset[None], weight[None], coefficients))
        return summed(parts)

    return fit(evaluate, mean[:, objective], variance[:, objective])


def _columns(rows: Rows, settings: LevelSettings, objective: int) -> tuple[Floats, Floats, Floats, Floats]:
    """x [rows, 1 + inputs], y, offset and weight [rows] of one objective."""
    x = np.ones((len(rows), 1 + len(settings.inputs)))
    x[:, 1:] = rows["x"][:, list(settings.inputs)]
    label = rows["y"][:, objective]
    observed = label != UNOBSERVED
    return x, np.where(observed, label, 0).astype(np.float64), rows["offset"][:, objective].astype(np.float64), observed
