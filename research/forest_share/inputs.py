"""What the model reads beside the features of its config: ids, histories, both, or nothing.

Transform runs once, for a config with everything. Each other config reads a part of its rows.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ranker import keys
from ranker.config.columns import AnyHistory, EmbeddingHistory, Features, HashedId, History
from ranker.config.pipeline import PipelineConfig
from research.forest_share.names import BOTH, HISTORIES, IDS
from research.quality.logged import AUTHOR
from research.quality.rows import HeldOutDay, Rows

_ACTIONS = 3  # the objectives that histories tell of, the first of the config


def with_inputs(config: PipelineConfig, inputs: str) -> PipelineConfig:
    """The config with ids, histories, both or neither: its own where it has some, otherwise those of viewer and author.

    Args:
        config: of a pipeline.
        inputs: one of `research.forest_share.names.INPUTS`.
    """
    features = config.features
    ids = features.ids or (HashedId(config.keys.viewer), HashedId(AUTHOR))
    histories = features.history or _histories(config)
    own = replace(
        features, ids=ids if inputs in (IDS, BOTH) else (), history=histories if inputs in (HISTORIES, BOTH) else ()
    )
    return replace(config, features=own)


def _histories(config: PipelineConfig) -> tuple[AnyHistory, ...]:
    actions = config.objective_names[:_ACTIONS]
    of_content = (
        EmbeddingHistory(f"{dense.name}_history", of=dense.name, actions=actions, size=dense.size)
        for dense in config.features.dense
    )
    return (History("author_history", of=AUTHOR, actions=actions), *of_content)


def forest_rows(day: HeldOutDay, config: PipelineConfig) -> HeldOutDay:
    """The day as the forest of a config reads it: without ids, and with the histories of the config.

    It is the same object for all configs with the same of them.

    Args:
        day: of a config with ids and histories.
        config: with the same features or fewer.
    """
    # What is vouched for changes no row.
    return _of_features(day, replace(config.features, ids=(), vouched=()))


def narrowed(day: HeldOutDay, config: PipelineConfig) -> HeldOutDay:
    """The day as forest and towers of a config read it; the arguments are those of `forest_rows`."""
    own = replace(forest_rows(day, config), config=config)
    if not config.features.ids:
        return own
    return replace(own, train=_with_ids(day.train, own.train), test=_with_ids(day.test, own.test))


@lru_cache(maxsize=2)
def _of_features(day: HeldOutDay, features: Features) -> HeldOutDay:
    kept = [name in features.forest_names for name in day.config.features.forest_names]
    left_out = {*day.config.features.vectors} - {*features.vectors} | {keys.HASHED_IDS}
    train, test = (_part(rows, kept, left_out) for rows in (day.train, day.test))
    return replace(day, config=replace(day.config, features=features), train=train, test=test)


def _part(rows: Rows, kept: list[bool], left_out: set[str]) -> Rows:
    features: NDArray[np.float32] = rows.features if all(kept) else rows.features[:, kept]
    towers = {name: values for name, values in rows.towers.items() if name not in left_out}
    return replace(rows, features=features, towers=towers)


def _with_ids(everything: Rows, own: Rows) -> Rows:
    return replace(own, towers=own.towers | {keys.HASHED_IDS: everything.towers[keys.HASHED_IDS]})
