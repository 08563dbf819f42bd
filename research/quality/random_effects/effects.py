"""Random effects on the predictions of a model of a held-out day."""

import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import expit, logit

from ranker.config.effects import EffectLevel, Effects
from ranker.config.pipeline import PipelineConfig
from ranker.effects.inputs import input_layout, principal_components
from ranker.effects.levels import fit_levels, level_effect, settings_of
from ranker.effects.rows import RowFile, Rows, RowShape
from ranker.effects.state import Basis
from ranker.effects.update import no_effects
from ranker.features.fingerprints import fingerprints_of
from research.quality.logged import AUTHOR, logged_columns, training_days
from research.quality.rows import HeldOutDay, Probabilities
from research.quality.rows import Rows as TransformedRows

_NEVER = 1e-6  # probabilities this close to 0 and 1 are taken for it, so that log-odds are finite


def effects_of(config: PipelineConfig) -> Effects:
    """The config's effects, or `default_effects` if it has none."""
    return config.effects or default_effects(config)


def default_effects(config: PipelineConfig) -> Effects:
    """Effects of viewers, which read the first principal components of the dense embeddings.

    The settings are the best of some twenty on the first seed's simulated feed of 100,000 impressions. Effects of
    authors and items added nothing there. A config without dense embeddings has no inputs for them, and gets intercepts
    of viewers, authors and items; their settings were not searched.
    """
    inputs = tuple(column.name for column in config.features.dense)
    if not inputs:
        columns = (config.keys.viewer, AUTHOR, config.keys.item)
        return Effects(tuple(EffectLevel(column, intercept_variance=0.01, min_rows=1) for column in columns))
    viewers = EffectLevel(config.keys.viewer, inputs, intercept_variance=0.01, input_variance=0.04, min_rows=1)
    return Effects((viewers,), components=4)


def with_effects(
    day: HeldOutDay, log: Path, effects: Effects, offsets: Probabilities, predicted: Probabilities
) -> Probabilities:
    """Fits the effects on the training rows, and adds them to the predictions of the held-out rows.

    Args:
        day: of the rows.
        log: folder of the feed log.
        effects: the config's; its inputs are dense embeddings.
        offsets: probabilities of the training rows, out of sample, [train rows, objectives].
        predicted: probabilities of the held-out rows, [test rows, objectives].

    Raises:
        ValueError: an input of the effects is no dense embedding.
    """
    dense = {column.name for column in day.config.features.dense}
    if others := sorted({name for level in effects.levels for name in level.inputs} - dense):
        raise ValueError(f"effects: inputs {others}: research reads dense embeddings alone, here {sorted(dense)}")
    layout = input_layout(effects, day.config.features)
    basis = {name: principal_components(day.train.towers[name], width) for name, width in layout.widths.items()}
    shape = RowShape(len(effects.levels), layout.width, predicted.shape[1])
    train = _effect_rows(shape, effects, basis, log, training_days(log, day), day, day.train, offsets)
    test = _effect_rows(shape, effects, basis, log, [day.day], day, day.test, predicted)
    before = no_effects(effects, layout, day.config.objective_names, Basis(basis, {})).tables
    with tempfile.TemporaryDirectory(prefix="effects-") as folder:
        rows = RowFile(Path(folder) / "rows", shape)
        rows.append(train)
        tables = fit_levels(rows, effects.levels, layout.of_level, before)
    log_odds = test["offset"].astype(np.float64)
    settings = settings_of(effects.levels, layout.of_level)
    for table, level, of_level in zip(tables, effects.levels, settings, strict=True):
        log_odds += level_effect(table.with_at_least(level.min_rows), of_level, test)
    return expit(log_odds).astype(np.float32)


def _effect_rows(
    shape: RowShape,
    effects: Effects,
    basis: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]],
    log: Path,
    days: Sequence[date],
    day: HeldOutDay,
    rows: TransformedRows,
    probabilities: Probabilities,
) -> Rows:
    logged = logged_columns(log, days, day, rows, effects.columns)
    ids = np.stack([fingerprints_of(_texts(logged[column])) for column in effects.columns], axis=1)
    projected = [(rows.towers[name] - origin) @ matrix for name, (origin, matrix) in basis.items()]
    inputs = np.concatenate(projected, axis=1) if projected else np.zeros((len(ids), 0), np.float32)
    return shape.rows(ids, inputs, rows.labels, logit(np.clip(probabilities, _NEVER, 1 - _NEVER)))


def _texts(column: pa.ChunkedArray) -> list[str]:
    return ["" if value is None else str(value) for value in column.to_pylist()]
