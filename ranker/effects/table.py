"""The effects of one level: coefficients of all entities, with what is known about how certain they are."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Numbers = NDArray[np.float32]

FORGOTTEN_BELOW = 0.5
"""An entity is dropped once its impressions, each halved per half-life, sum to less."""


@dataclass(frozen=True, eq=False)
class EffectTable:
    """The effects of one level.

    Attributes:
        ids: int64 [entities], the fingerprints of their ids, ascending.
        mean: float32 [entities, objectives, inputs], the coefficients.
        variance: float32 [entities, objectives, inputs], of the coefficients.
        rows: float32 [entities], impressions, where an old one counts less.

    Raises:
        ValueError: an entity occurs twice, or the ids are not ascending.
    """

    ids: Ids
    mean: Numbers
    variance: Numbers
    rows: Numbers

    def __post_init__(self) -> None:
        if (np.diff(self.ids) <= 0).any():
            raise ValueError("effects: the entities of a table must be ascending, each once")

    @staticmethod
    def empty(objectives: int, inputs: int) -> "EffectTable":
        """The table of no entity."""
        numbers = np.zeros((0, objectives, inputs), np.float32)
        return EffectTable(np.zeros(0, np.int64), numbers, numbers, np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self.ids)

    def find(self, ids: Ids) -> NDArray[np.int64]:
        """The index of each id in the table, -1 where it is not there."""
        if not len(self):
            return np.full(len(ids), -1)
        index = np.minimum(np.searchsorted(self.ids, ids), len(self) - 1)
        return np.where(self.ids[index] == ids, index, -1)

    def take(self, index: NDArray[Any]) -> "EffectTable":
        """The entities at an index or a mask, which must keep their order."""
        return EffectTable(self.ids[index], self.mean[index], self.variance[index], self.rows[index])

    def with_at_least(self, rows: float) -> "EffectTable":
        """The entities with as many impressions."""
        return self.take(self.rows >= rows)

    def effect(self, ids: Ids, x: NDArray[Any]) -> NDArray[np.float64]:
        """What the entities add to the log-odds, [rows, objectives]; 0 for those that are not in the table.

        Args:
            ids: [rows].
            x: [rows, inputs].
        """
        index = self.find(ids)
        found = np.zeros((len(ids), self.mean.shape[1]))
        known = index >= 0
        found[known] = np.einsum("rki,ri->rk", self.mean[index[known]].astype(np.float64), x[known])
        return found

    def after(self, days: float, half_life_days: float | None, prior_variance: Numbers) -> "EffectTable":
        """What is known of the entities some days later, if they are not seen in between.

        A coefficient reverts to 0 and its variance to that of the prior, as in an Ornstein-Uhlenbeck process. So the
        result is also the prior for the impressions of these days.

        Args:
            days: 0 or more.
            half_life_days: time in which the mean falls to half; None keeps everything.
            prior_variance: [inputs].
        """
        if half_life_days is None or days <= 0:
            return self
        kept = np.float32(0.5 ** (days / half_life_days))
        variance = kept**2 * self.variance + (1 - kept**2) * prior_variance
        later = replace(self, mean=kept * self.mean, variance=variance, rows=kept * self.rows)
        return later.with_at_least(FORGOTTEN_BELOW)

    def updated(self, other: "EffectTable") -> "EffectTable":
        """This table with the entities of another one, which replace those that are here already."""
        others = self.take(other.find(self.ids) < 0)
        return joined([others, other])


def joined(tables: list[EffectTable]) -> EffectTable:
    """Tables of different entities as one."""
    ids = np.concatenate([table.ids for table in tables])
    order = np.argsort(ids)
    return EffectTable(
        ids[order],
        np.concatenate([table.mean for table in tables])[order],
        np.concatenate([table.variance for table in tables])[order],
        np.concatenate([table.rows for table in tables])[order],
    )
