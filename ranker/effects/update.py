"""Continues effects with new impressions."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from ranker.config.effects import Effects
from ranker.effects.entities import LevelSettings
from ranker.effects.inputs import InputLayout
from ranker.effects.levels import fit_levels, settings_of
from ranker.effects.rows import RowFile
from ranker.effects.settings import effect_settings
from ranker.effects.state import Basis, EffectState
from ranker.effects.table import EffectTable

_MS_PER_DAY = 86_400_000


def no_effects(effects: Effects, layout: InputLayout, objectives: Sequence[str], basis: Basis) -> EffectState:
    """The state before any impression."""
    tables = tuple(EffectTable.empty(len(objectives), 1 + len(own)) for own in layout.of_level)
    return EffectState(effect_settings(effects, objectives), 0, (), basis, tables)


def updated(
    before: EffectState, rows: RowFile, effects: Effects, layout: InputLayout, through: int, days: Iterable[str]
) -> EffectState:
    """The effects after some more impressions.

    Args:
        before: the effects without them.
        rows: the impressions; their offsets are changed in place, to the log-odds with the effects fitted.
        effects: the config's.
        layout: of the rows' inputs.
        through: milliseconds since 1970, after the last of them.
        days: YYYY-MM-DD, of these impressions.
    """
    known = priors(before, effects, layout, through)
    return continued(before, fit_levels(rows, effects.levels, layout.of_level, known), through, days)


def priors(before: EffectState, effects: Effects, layout: InputLayout, through: int) -> list[EffectTable]:
    """Of each level, what is known of its entities without the impressions up to `through`."""
    return [
        prior(table, before.through, through, effects.half_life_days, settings)
        for table, settings in zip(before.tables, settings_of(effects.levels, layout.of_level), strict=True)
    ]


def prior(
    table: EffectTable, since: int, through: int, half_life_days: float | None, settings: LevelSettings
) -> EffectTable:
    """What is known at `through` of the entities of a table, or of a part of it, that is from `since`.

    Both are in milliseconds since 1970; a table from 0 is that of no impressions.
    """
    elapsed = max(0, through - since) / _MS_PER_DAY if since else 0.0
    return table.after(elapsed, half_life_days, np.array(settings.variance, np.float32))


def continued(before: EffectState, tables: Iterable[EffectTable], through: int, days: Iterable[str]) -> EffectState:
    """The state with the tables that were fitted on further impressions; see `updated`."""
    return replace(
        before,
        through=max(through, before.through),
        days=tuple(sorted({*before.days, *days})),
        tables=tuple(tables),
    )
