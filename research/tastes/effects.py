"""Random effects on the model of the features alone, with offsets out of sample."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

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
from ranker.feed_log.layout import window_days
from research.forest_share.inputs import narrowed
from research.forest_share.variants import WHOLE
from research.quality.encoded import grown_forest
from research.quality.logged import DAY_NUMBER, logged_columns
from research.quality.models import ComparedModel
from research.quality.networks import blended
from research.quality.rows import HeldOutDay, Probabilities
from research.quality.rows import Rows as TransformedRows
from research.quality.towers import tower_logits

_NEVER = 1e-6  # probabilities this close to 0 and 1 are taken for it, so that log-odds are finite


def default_effects(config: PipelineConfig) -> Effects:
    """Effects of viewers, which read the dense embeddings, of authors and of items."""
    inputs = tuple(column.name for column in config.features.dense)
    levels = (
        EffectLevel(config.keys.viewer, inputs, min_rows=1),
        EffectLevel("author_id", min_rows=5),
        EffectLevel(config.keys.item, min_rows=5),
    )
    return Effects(levels)


@dataclass(frozen=True)
class OutOfSample:
    """Predicts the training rows, each by a model of other days, as a model of `research.quality`.

    The pipeline offsets a day by the model pushed before it. Here, each half of the training days is predicted by a
    model of the other half, which is out of sample too and needs no earlier days.

    Attributes:
        log: folder of the feed log.
    """

    log: Path

    def __call__(self, day: HeldOutDay, seed: int) -> Probabilities:
        """The probabilities of the training rows [train rows, objectives]."""
        config = WHOLE.config(day.config)
        own = narrowed(day, config)
        numbers = logged_columns(self.log, _training_days(day), own, own.train, ())[DAY_NUMBER].to_numpy()
        first = numbers < (config.train_days + 1) // 2
        predicted = np.empty(day.train.labels.shape, np.float32)
        for half in (first, ~first):
            other = replace(own, train=_rows(own.train, ~half), test=_rows(own.train, half))
            forest, leaves = grown_forest(other, config.forest, seed)
            logits = tower_logits(other, config.towers, config.training, config.objectives, forest, leaves, seed)
            predicted[half] = blended(logits, forest, leaves[1], config.towers.forest_share)
        return predicted


def out_of_sample(log: Path) -> ComparedModel:
    """The predictions of the training rows as a model of `research.quality.study.predictions_of`."""

    def reads(config: PipelineConfig) -> tuple[object, ...]:
        own = WHOLE.config(config)
        return own.features, own.forest, own.towers, own.training

    return ComparedModel(OutOfSample(log), ("ranker.forest", "ranker.towers", "research.tastes.effects"), reads)


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
    """
    layout = input_layout(effects, day.config.features)
    basis = {name: principal_components(day.train.towers[name], width) for name, width in layout.widths.items()}
    shape = RowShape(len(effects.levels), layout.width, predicted.shape[1])
    train = _effect_rows(shape, effects, basis, log, _training_days(day), day, day.train, offsets)
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


def _training_days(day: HeldOutDay) -> list[date]:
    return window_days(day.day, day.config.train_days)[:-1]


def _rows(rows: TransformedRows, chosen: NDArray[np.bool_]) -> TransformedRows:
    towers: dict[str, NDArray[Any]] = {name: values[chosen] for name, values in rows.towers.items()}
    return TransformedRows(rows.features[chosen], towers, rows.labels[chosen], rows.buckets[chosen])
