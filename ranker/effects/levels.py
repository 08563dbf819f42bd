"""Fits the levels of a config one after another, each on the log-odds that those before it have led to."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ranker.config.effects import EffectLevel
from ranker.effects.entities import LevelSettings, fit_level
from ranker.effects.rows import RowFile, Rows
from ranker.effects.table import EffectTable


def settings_of(levels: Sequence[EffectLevel], inputs: Sequence[Sequence[int]]) -> list[LevelSettings]:
    """How the levels of a config are fitted.

    Args:
        levels: of the config.
        inputs: of each level, which of a row's inputs it reads.
    """
    return [
        LevelSettings(number, tuple(own), (level.intercept_variance, *([level.input_variance] * len(own))))
        for number, (level, own) in enumerate(zip(levels, inputs, strict=True))
    ]


def fit_levels(
    rows: RowFile,
    levels: Sequence[EffectLevel],
    inputs: Sequence[Sequence[int]],
    before: Sequence[EffectTable],
) -> list[EffectTable]:
    """Fits all levels, and adds their effects to the rows' offsets.

    An entity with fewer rows than its level's `min_rows` is in the result, so that later rows add to what is known of
    it; but it adds nothing to the log-odds, neither here nor in serving.

    Args:
        rows: the impressions; their offsets are changed in place.
        levels: of the config.
        inputs: of each level, which of a row's inputs it reads.
        before: of each level, what is known of the entities without these rows.
    """
    fitted = []
    for level, settings, known in zip(levels, settings_of(levels, inputs), before, strict=True):
        table = fit_level(rows, settings, known)
        fitted.append(table)
        add_effects(rows, level, settings, table)
    return fitted


def add_effects(rows: RowFile, level: EffectLevel, settings: LevelSettings, table: EffectTable) -> None:
    """Adds the effects of a level to the rows' offsets, in place."""
    served = table.with_at_least(level.min_rows)
    for block in rows.blocks():
        block["offset"] += level_effect(served, settings, block).astype(np.float32)


def level_effect(served: EffectTable, settings: LevelSettings, rows: Rows) -> NDArray[np.float64]:
    """What a level adds to the log-odds of rows, [rows, objectives]."""
    x = np.ones((len(rows), 1 + len(settings.inputs)))
    x[:, 1:] = rows["x"][:, list(settings.inputs)]
    return served.effect(rows["ids"][:, settings.level], x)
