"""Fits the random effects of a model, and puts them into its folder."""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import tensorflow as tf

from ranker.config.columns import Features
from ranker.config.effects import Effects
from ranker.effects.rows import RowFile, Rows
from ranker.effects.state import EffectState
from ranker.effects.update import no_effects, updated
from ranker.export.effect_rows import Offsets, RowReader
from ranker.export.effects import replace_effects
from ranker.registry.layout import EFFECT_STATE, MANIFEST, STATE, TRANSFORM_GRAPH
from ranker.registry.manifest import FittedEffects, Manifest

Batches = Callable[[], Iterable[tf.Tensor]]
"""Gives serialised tf.Examples, string [rows], in the same order each time."""


@dataclass(frozen=True)
class DayRows:
    """The impressions of a day.

    Attributes:
        batches: of the day.
        offsets: of a model that was not trained on the day.
    """

    batches: Batches
    offsets: Offsets


@dataclass(frozen=True, eq=False)
class FittedState:
    """The result of a fit.

    Attributes:
        state: the effects.
        rows: number of impressions that they were fitted on.
        data: a hash of the ids and outcomes of these impressions; see `batch_digest`.
    """

    state: EffectState
    rows: int
    data: str


def fit_effects(
    reader: RowReader,
    effects: Effects,
    objectives: tuple[str, ...],
    days: Mapping[str, DayRows],
    before: EffectState | None,
    scratch: Path | None = None,
    until: int | None = None,
) -> FittedState | None:
    """Fits the effects on all impressions that are not in `before`.

    Args:
        reader: reads rows; it is given the basis here.
        effects: the config's.
        objectives: names, in the order of the labels.
        days: YYYY-MM-DD → impressions.
        before: what is continued; None starts from nothing.
        scratch: folder for temporary files.
        until: milliseconds since 1970; later impressions are left out. None takes all.

    Returns:
        None where there is neither an impression nor anything to continue.
    """
    if before is None:
        if not days:
            return None
        examples = chain.from_iterable(day.batches() for day in days.values())
        before = first_state(reader, effects, objectives, examples)
    reader.use(before.basis)
    through, used, data = before.through, [], hashlib.sha256()
    with tempfile.TemporaryDirectory(prefix="effects-", dir=scratch) as folder:
        rows = RowFile(Path(folder) / "rows", reader.shape)
        for name, day in days.items():
            count = len(rows)
            for examples in day.batches():
                found, times = reader.rows(examples, day.offsets, before.through, until)
                if len(found):
                    rows.append(found)
                    data.update(batch_digest(found))
                    through = max(through, int(times.max()) + 1)
            if len(rows) > count:
                used.append(name)
        state = updated(before, rows, effects, reader.layout, through, used)
        return FittedState(state, len(rows), data.hexdigest())


def first_state(
    reader: RowReader, effects: Effects, objectives: tuple[str, ...], batches: Iterable[tf.Tensor]
) -> EffectState:
    """The state before any impression; the basis of its inputs comes from the first of these impressions."""
    return no_effects(effects, reader.layout, objectives, reader.basis(batches))


def batch_digest(rows: Rows) -> bytes:
    """The digest of a batch; the hash of the digests of all batches in order identifies the impressions."""
    return hashlib.sha256(rows["ids"].tobytes() + rows["y"].tobytes()).digest()


def install_effects(
    folder: Path, effects: Effects, features: Features, fitted: FittedState, prior: str = "", update: str = ""
) -> FittedEffects:
    """Puts fitted effects into a model's folder: tables, state and manifest.

    Args:
        folder: of a SavedModel with a training state; changed in place.
        effects: the config's, as when the model was exported.
        features: the config's columns.
        fitted: the effects.
        prior: the version whose effects were continued.
        update: see `FittedEffects.update`.

    Raises:
        ValueError: the model was exported without effects, or with those of other settings.
    """
    replace_effects(folder, effects, features, fitted.state, str(folder / STATE / TRANSFORM_GRAPH))
    fitted.state.save(str(folder / STATE / EFFECT_STATE))
    record = FittedEffects(
        settings=fitted.state.settings,
        through=fitted.state.through,
        days=list(fitted.state.days),
        rows=fitted.rows,
        entities={
            level.column: len(table.with_at_least(level.min_rows))
            for level, table in zip(effects.levels, fitted.state.tables, strict=True)
        },
        prior=prior,
        update=update,
    )
    manifest = Manifest.from_json((folder / MANIFEST).read_text(), str(folder / MANIFEST))
    (folder / MANIFEST).write_text(replace(manifest, effects=record, rollback=None).to_json())
    return record
