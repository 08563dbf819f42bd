"""Judges updated effects by impressions that they have not been fitted on, compared with those that serve."""

from collections.abc import Iterable, Sequence
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from ranker.config.effects import EffectLevel
from ranker.effects.entities import LevelSettings
from ranker.effects.levels import level_effect
from ranker.effects.rows import UNOBSERVED, Rows
from ranker.effects.table import EffectTable

GROUPS = 100
"""Groups of entities of the first level, between which the cross entropy varies independently."""

_LEVEL = 0.05
"""Chance that any of the verdicts refuses effects that are no worse."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LossVerdict:
    """The verdict on one objective and one part of the impressions.

    Attributes:
        objective: its name.
        part: `all`; or `COLUMN many` or `COLUMN few`, the impressions of a level's entities with at least or with
            fewer than the median of impressions.
        impressions: in this part.
        growth: of the cross entropy, as a share of the served effects'; None where nothing was observed.
        lower: of the interval of the growth.
        upper: of the interval of the growth.
        limit: the largest growth.
        outcome: `refused` if the entire interval is beyond the limit.
    """

    objective: str
    part: str
    impressions: int
    growth: float | None
    lower: float | None
    upper: float | None
    limit: float
    outcome: Literal["refused", "passed", "too few"]

    @property
    def text(self) -> str:
        """The verdict as a sentence."""
        if self.growth is None or self.lower is None or self.upper is None:
            return f"{self.objective}, {self.part}: no interval from {self.impressions} impressions"
        return (
            f"{self.objective}, {self.part}: cross entropy {self.growth:+.2%} ({self.lower:+.2%} to {self.upper:+.2%}) "
            f"on {self.impressions} impressions, at most {self.limit:+.2%}: {self.outcome}"
        )


class LossGate:
    """Sums the cross entropy with served and with updated effects, block by block.

    Args:
        levels: of the config.
        settings: how the rows hold the levels.
        served: of each level, the effects that serve.
        candidate: of each level, the updated effects.
    """

    def __init__(
        self,
        levels: Sequence[EffectLevel],
        settings: Sequence[LevelSettings],
        served: Sequence[EffectTable],
        candidate: Sequence[EffectTable],
    ) -> None:
        self._levels, self._settings = levels, settings
        least = [level.min_rows for level in levels]
        self._served = [table.with_at_least(rows) for table, rows in zip(served, least, strict=True)]
        self._candidate = [table.with_at_least(rows) for table, rows in zip(candidate, least, strict=True)]
        self._median = [float(np.median(table.rows)) if len(table) else 0.0 for table in self._candidate]
        self._parts = ["all", *(f"{level.column} {size}" for level in levels for size in ("many", "few"))]
        # [parts, objectives, groups]: losses with served effects, growth, and impressions.
        self._sums: Floats | None = None
        self.changed_without_effect = 0

    def add(self, rows: Rows) -> None:
        """Adds impressions that neither of the effects was fitted on; their offsets are those without effects."""
        offset = rows["offset"].astype(np.float64)
        observed = rows["y"] != UNOBSERVED
        effects = []
        for tables in (self._served, self._candidate):
            parts = zip(tables, self._settings, strict=True)
            effects.append(sum(level_effect(table, settings, rows) for table, settings in parts))
        served, candidate = (np.where(observed, _cross_entropy(offset + effect, rows["y"]), 0.0) for effect in effects)
        inside = list(self._inside(rows))
        without = ~self._known(rows)
        self.changed_without_effect += int((candidate[without] != served[without]).any(axis=1).sum())
        group = rows["ids"][:, 0] % GROUPS
        sums = np.zeros((len(self._parts), offset.shape[1], 3, GROUPS))
        for objective in range(offset.shape[1]):
            columns = (served[:, objective], candidate[:, objective] - served[:, objective], observed[:, objective])
            for part, mask in enumerate(inside):
                for number, column in enumerate(columns):
                    sums[part, objective, number] = np.bincount(group[mask], column[mask], GROUPS)
        self._sums = sums if self._sums is None else self._sums + sums

    def verdicts(self, objectives: Sequence[str], max_growth: float) -> list[LossVerdict]:
        """The verdict on every objective and part.

        Intervals are those of a ratio of sums over groups (delta method), wide enough that all verdicts together refuse
        effects that are no worse with a chance of 5 %.
        """
        if self._sums is None:
            return []
        z = NormalDist().inv_cdf(1 - _LEVEL / (len(self._parts) * len(objectives)))
        found = []
        for part, name in enumerate(self._parts):
            for number, objective in enumerate(objectives):
                losses, growths, impressions = self._sums[part, number]
                total, count = losses.sum(), int(impressions.sum())
                seen = impressions > 0
                if total <= 0 or seen.sum() < 2:
                    found.append(LossVerdict(objective, name, count, None, None, None, max_growth, "too few"))
                    continue
                growth = growths.sum() / total
                groups = int(seen.sum())
                residual = (growths - growth * losses)[seen]
                error = float(np.sqrt(groups / (groups - 1) * (residual**2).sum()) / total)
                lower, upper = growth - z * error, growth + z * error
                outcome: Literal["refused", "passed"] = "refused" if lower > max_growth else "passed"
                found.append(
                    LossVerdict(objective, name, count, float(growth), float(lower), float(upper), max_growth, outcome)
                )
        return found

    def _inside(self, rows: Rows) -> Iterable[NDArray[np.bool_]]:
        yield np.ones(len(rows), bool)
        for table, settings, median in zip(self._candidate, self._settings, self._median, strict=True):
            at = table.find(rows["ids"][:, settings.level])
            count = np.where(at >= 0, table.rows[at] if len(table) else 0.0, 0.0)
            yield (at >= 0) & (count >= median)
            yield (at >= 0) & (count < median)

    def _known(self, rows: Rows) -> NDArray[np.bool_]:
        known = np.zeros(len(rows), bool)
        for tables in (self._served, self._candidate):
            for table, settings in zip(tables, self._settings, strict=True):
                known |= table.find(rows["ids"][:, settings.level]) >= 0
        return known


def _cross_entropy(log_odds: Floats, y: NDArray[np.int8]) -> Floats:
    loss: Floats = np.logaddexp(0.0, log_odds) - (y == 1) * log_odds
    return loss
