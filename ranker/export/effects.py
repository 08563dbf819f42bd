"""Random effects inside the served graph, and replacing them without touching anything else of a SavedModel.

The effects of a level are a sorted array of fingerprints and a matrix of coefficients, both of any length. A look-up is
a binary search: twenty comparisons per candidate for a million entities. Unlike a hash table, which is filled key by
key when a model is loaded, arrays are read as they are.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker.config.columns import Features
from ranker.config.effects import Effects
from ranker.effects.inputs import EffectInputs
from ranker.effects.state import EffectState
from ranker.effects.table import EffectTable
from ranker.export.fingerprint import renew_fingerprint
from ranker.features.fingerprints import LARGEST, fingerprints

_CHECKPOINT = "variables/variables"


class ServedEffects(tf.Module):
    """Ids and Transform's outputs → what is added to the log-odds.

    There is no entity until `replace_effects` puts fitted effects into an exported model, so every effect is 0.

    Args:
        effects: the config's.
        features: the config's columns.
        objectives: number of objectives.
    """

    def __init__(self, effects: Effects, features: Features, objectives: int) -> None:
        super().__init__(name="effects")
        self.inputs = EffectInputs(effects, features)
        self.columns = effects.columns
        self._objectives = objectives
        self.ids, self.coefficients = [], []
        for number, own in enumerate(self.inputs.layout.of_level):
            ids, coefficients = _arrays(EffectTable.empty(objectives, 1 + len(own)))
            # Of any length, so that a checkpoint with more or fewer entities can be read.
            self.ids.append(tf.Variable(ids, trainable=False, shape=[None], name=f"ids_{number}"))
            self.coefficients.append(
                tf.Variable(
                    coefficients, trainable=False, shape=[None, coefficients.shape[1]], name=f"coefficients_{number}"
                )
            )

    def __call__(self, ids: Sequence[tf.Tensor], batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """The sum of the effects of all levels, float32 [batch, objectives].

        Args:
            ids: of each level, string [batch]; "" or an unknown one has no effect.
            batch: Transform's outputs that the regressions read, finite.
        """
        one = tf.ones([tf.shape(ids[0])[0], 1])
        x = self.inputs(batch) if self.inputs.layout.widths else None
        total: tf.Tensor | None = None
        for level, own in enumerate(self.inputs.layout.of_level):
            read = one if x is None or not own else tf.concat([one, tf.gather(x, own, axis=1)], axis=1)
            rows = tf.gather(self.coefficients[level], self._row(level, ids[level]))
            shaped = tf.reshape(rows, [-1, self._objectives, 1 + len(own)])
            effect = tf.reduce_sum(shaped * read[:, tf.newaxis], axis=2)
            total = effect if total is None else total + effect
        return total

    def _row(self, level: int, ids: tf.Tensor) -> tf.Tensor:
        """The row of each id's coefficients; the last row is that of all ids that are not there."""
        known, wanted = self.ids[level].read_value(), fingerprints(ids)
        at = tf.searchsorted(known, wanted)
        # The last entry is above every fingerprint, so an index is always inside.
        return tf.where(tf.equal(tf.gather(known, at), wanted), at, tf.shape(known)[0] - 1)


def replace_effects(folder: Path, effects: Effects, features: Features, state: EffectState, graph: str) -> None:
    """Exchanges the effects in a SavedModel's folder; graph, weights and everything else stay as they are.

    The model's `fingerprint.pb` is that of the new variables.

    Args:
        folder: of a SavedModel that was exported with `ServedEffects`; changed in place.
        effects: the config's, as when the model was exported.
        features: the config's columns.
        state: the fitted effects.
        graph: folder of the model's Transform graph.

    Raises:
        ValueError: the model was exported without effects, or with those of other settings.
    """
    checkpoint = str(folder / _CHECKPOINT)
    reader = tf.train.load_checkpoint(checkpoint)
    shapes = reader.get_variable_to_shape_map()
    replaced = {_key(name): value for name, value in _values(effects, features, state, graph).items()}
    for key, value in replaced.items():
        if key not in shapes or shapes[key][1:] != list(value.shape[1:]):
            found = f"the shape {shapes[key]}" if key in shapes else "no such variable"
            raise ValueError(
                f"effects: {folder}: {key} should have the shape of {list(value.shape)}, found {found}; a model of "
                "these settings is exported by a run with them"
            )
    names = sorted(shapes)
    temporary = f"{checkpoint}-replaced"
    tf.raw_ops.SaveV2(
        prefix=temporary,
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(replaced.get(name, reader.get_tensor(name))) for name in names],
    )
    for suffix in (".index", ".data-00000-of-00001"):
        os.replace(f"{temporary}{suffix}", f"{checkpoint}{suffix}")
    renew_fingerprint(folder)


def _values(effects: Effects, features: Features, state: EffectState, graph: str) -> dict[str, NDArray[np.generic]]:
    """The path of each variable below `ServedEffects` → its value."""
    values: dict[str, NDArray[np.generic]] = {}
    for number, (origin, matrix) in enumerate(EffectInputs(effects, features).numbers(state.basis, graph)):
        values[f"inputs/origins/{number}"], values[f"inputs/matrices/{number}"] = origin, matrix
    for number, (table, level) in enumerate(zip(state.tables, effects.levels, strict=True)):
        ids, coefficients = _arrays(table.with_at_least(level.min_rows))
        values[f"ids/{number}"], values[f"coefficients/{number}"] = ids, coefficients
    return values


def _key(path: str) -> str:
    """The name in a SavedModel's checkpoint of a variable below the attribute `_effects` of the exported module."""
    return f"_effects/{path}/.ATTRIBUTES/VARIABLE_VALUE"


def _arrays(table: EffectTable) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Fingerprints with one above all of them at the end, and coefficients with a row of zeros for it."""
    flat = table.mean.reshape(len(table), table.mean.shape[1] * table.mean.shape[2])
    return np.append(table.ids, LARGEST), np.concatenate([flat, np.zeros((1, flat.shape[1]), np.float32)])
