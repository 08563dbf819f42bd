"""The entities with histories, and the feature columns from their earlier days."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from datasets.kuairand.history import Codes, Floats, History
from datasets.kuairand.raw import OBJECTIVES

PRIOR_STRENGTH = 20.0
"""Weight, in impressions, of the overall rate of the earlier days in every smoothed rate."""

_MIN_DURATION_MS = 1000
_MAX_PLAY_RATIO = 2.0

_RATES = tuple(f"{objective}_rate" for objective in OBJECTIVES)
_ALL = (*_RATES, "mean_play_ratio")
# A tab says where an impression was shown, and little about what is hated there.
_OF_TAB = tuple(rate for rate in _RATES if rate != "hate_rate")
# A pair has few impressions, so only the frequent outcomes are informative.
_FREQUENT = ("click_rate", "long_view_rate", "mean_play_ratio")


@dataclass(frozen=True)
class Entity:
    """A kind of entity with a history.

    Attributes:
        name: prefix of its columns' names.
        keys: the columns that identify an entity; it is unknown where one of them is null.
        outcomes: the smoothed means that are features, as suffixes of their columns' names.
    """

    name: str
    keys: tuple[str, ...]
    outcomes: tuple[str, ...]


ENTITIES = (
    Entity("user", ("user_id",), _ALL),
    Entity("video", ("video_id",), _ALL),
    Entity("author", ("author_id",), _ALL),
    Entity("tag", ("tag",), _ALL),
    Entity("tab", ("tab",), _OF_TAB),
    Entity("user_author", ("user_id", "author_id"), _FREQUENT),
    Entity("user_tag", ("user_id", "tag"), _FREQUENT),
    Entity("user_tab", ("user_id", "tab"), _FREQUENT),
    Entity("user_duration", ("user_id", "duration_band"), _FREQUENT),
    Entity("video_tab", ("video_id", "tab"), _FREQUENT),
)


class Histories:
    """The histories of all entities, day by day.

    Args:
        keys: the columns that identify entities, one row per impression of the complete log. Only the equality of rows
            is used, so reading all days at once leaks nothing from later days.
        strength: see `PRIOR_STRENGTH`.
    """

    def __init__(self, keys: pd.DataFrame, strength: float) -> None:
        self._strength = strength
        self._codes = {entity.name: _codes(keys, entity.keys) for entity in ENTITIES}
        self._histories = {
            name: History(max(int(codes.max()) + 1, 1), len(_ALL)) for name, codes in self._codes.items()
        }
        self._everything = History(1, len(_ALL))

    def columns(self, rows: slice, day: int) -> dict[str, pa.Array]:
        """The history columns of the impressions `rows`, all of the day numbered `day`, from previously added days."""
        prior = self._everything.means()
        columns: dict[str, Floats] = {}
        for entity in ENTITIES:
            codes, history = self._codes[entity.name][rows], self._histories[entity.name]
            rates = history.rates(codes, prior, self._strength)
            for outcome in entity.outcomes:
                columns[f"{entity.name}_{outcome}"] = rates[:, _ALL.index(outcome)]
            columns[f"{entity.name}_impressions"] = history.impressions(codes)
            columns[f"{entity.name}_days_since_seen"] = history.days_since_seen(codes, day)
        return {name: pa.array(values.astype(np.float32), from_pandas=True) for name, values in columns.items()}

    def add(self, rows: slice, log: pd.DataFrame, day: int) -> None:
        """Adds the outcomes of the impressions `rows`, all of the day numbered `day`."""
        values = _outcomes(log.iloc[rows])
        self._everything.add(np.zeros(len(values), np.int64), values, day)
        for name, history in self._histories.items():
            history.add(self._codes[name][rows], values, day)


def _outcomes(log: pd.DataFrame) -> Floats:
    """The averaged outcomes, in the order of `_ALL` [rows, outcomes]."""
    play_ratio = np.minimum(log["play_time_ms"] / log["duration_ms"].clip(lower=_MIN_DURATION_MS), _MAX_PLAY_RATIO)
    return np.column_stack([*(log[column] for column in OBJECTIVES.values()), play_ratio]).astype(float)


def _codes(keys: pd.DataFrame, columns: tuple[str, ...]) -> Codes:
    """A number per distinct combination, from 0 in the order of the log; -1 where a column is null [rows]."""
    codes = np.zeros(len(keys), np.int64)
    for column in columns:
        part, values = pd.factorize(keys[column])
        codes = np.where((part < 0) | (codes < 0), -1, codes * max(len(values), 1) + part)
    known = codes >= 0
    codes[known] = np.unique(codes[known], return_inverse=True)[1]
    return codes
