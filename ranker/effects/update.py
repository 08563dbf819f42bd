"""Continues effects with new impressions."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from ranker.config.effects import Effects
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
    elapsed = max(0, through - before.through) / _MS_PER_DAY if before.through else 0.0
    settings = settings_of(effects.levels, layout.of_level)
    known = [
        table.after(elapsed, effects.half_life_days, np.array(of_level.variance, np.float32))
        for table, of_level in zip(before.tables, settings, strict=True)
    ]
    tables = fit_levels(rows, effects.levels, layout.of_level, known)
    return replace(
        before,
        through=max(through, before.through),
        days=tuple(sorted({*before.days, *days})),
        tables=tuple(tables),
    )
