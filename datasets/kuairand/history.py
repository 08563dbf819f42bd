"""Counts and smoothed rates per user, video, author, …, from earlier days only."""

from typing import Any

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_NEVER = -1


class History:
    """Impressions and outcome sums per entity over the days added so far.

    For each day, read it first and `add` the day afterwards. Then no outcome of a day leaks into its own features.
    Entities are codes in [0, entities); -1 stands for an unknown entity.

    Args:
        entities: number of entities.
        outcomes: number of averaged values per impression.
    """

    def __init__(self, entities: int, outcomes: int) -> None:
        self._impressions = np.zeros(entities)
        self._sums = np.zeros((entities, outcomes))
        self._last_day = np.full(entities, _NEVER)

    def impressions(self, codes: Codes) -> Floats:
        """Impressions of each row's entity [rows]; NaN where it is unknown."""
        return _known(codes, _pick(self._impressions, codes))

    def rates(self, codes: Codes, prior: Floats, strength: float) -> Floats:
        """Mean outcomes of each row's entity, shrunk towards a prior [rows, outcomes]; NaN where either is unknown.

        An entity with n impressions and outcome sum s gets (s + strength * prior) / (n + strength), the posterior mean
        under a beta prior worth `strength` impressions.

        Args:
            codes: the entity of each row [rows].
            prior: [outcomes] or [rows, outcomes].
            strength: weight of the prior in impressions.
        """
        impressions = _pick(self._impressions, codes)[:, None]
        return _known(codes, (_pick(self._sums, codes) + strength * prior) / (impressions + strength))

    def means(self) -> Floats:
        """Mean outcomes over all impressions [outcomes]; NaN where there were none."""
        impressions = self._impressions.sum()
        return self._sums.sum(axis=0) / (impressions or np.nan)

    def days_since_seen(self, codes: Codes, day: int) -> Floats:
        """Days from each row's entity's latest impression to `day` [rows]; NaN where there was none."""
        last = _pick(self._last_day, codes)
        return np.where((codes < 0) | (last == _NEVER), np.nan, day - last)

    def add(self, codes: Codes, outcomes: Floats, day: int) -> None:
        """Adds the impressions of one day, later than all before: entity [rows] and outcomes [rows, outcomes]."""
        known = codes >= 0
        codes, outcomes = codes[known], outcomes[known]
        entities = len(self._impressions)
        self._impressions += np.bincount(codes, minlength=entities)
        for column in range(outcomes.shape[1]):
            self._sums[:, column] += np.bincount(codes, weights=outcomes[:, column], minlength=entities)
        self._last_day[codes] = day


def _pick(values: npt.NDArray[Any], codes: Codes) -> npt.NDArray[Any]:
    return values[np.maximum(codes, 0)]


def _known(codes: Codes, values: Floats) -> Floats:
    return np.where((codes < 0).reshape(-1, *[1] * (values.ndim - 1)), np.nan, values)
