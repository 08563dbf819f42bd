"""What the random effects of a model add to the log-odds of single rows."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker.config.columns import Features
from ranker.config.effects import Effects
from ranker.effects.inputs import EffectInputs
from ranker.effects.state import EffectState
from ranker.effects.table import EffectTable
from ranker.features.fingerprints import fingerprints


class EffectExplainer:
    """Ids and Transform's outputs → the effect of each level.

    Args:
        effects: the config's.
        features: the config's columns.
        state: the fitted effects; None where there are none yet.
        graph: folder of the model's Transform graph.
        objectives: number of objectives.
    """

    def __init__(
        self, effects: Effects, features: Features, state: EffectState | None, graph: str, objectives: int
    ) -> None:
        self.columns = effects.columns
        self._objectives = objectives
        self._inputs = EffectInputs(effects, features)
        self._tables: tuple[EffectTable, ...] = ()
        if state is not None:
            self._inputs.assign(state.basis, graph)
            tables = zip(state.tables, effects.levels, strict=True)
            self._tables = tuple(table.with_at_least(level.min_rows) for table, level in tables)

    def __call__(self, ids: Sequence[tf.Tensor], transformed: Mapping[str, tf.Tensor]) -> NDArray[np.float64]:
        """The effects, [rows, objectives, levels].

        Args:
            ids: of each level, string [rows]; "" or an unknown one has no effect.
            transformed: Transform's outputs.
        """
        rows = int(tf.shape(ids[0])[0])
        found = np.zeros((rows, self._objectives, len(self.columns)))
        layout = self._inputs.layout
        x = self._inputs(transformed).numpy() if layout.widths else np.zeros((rows, 0))
        for level, table in enumerate(self._tables):
            own = np.concatenate([np.ones((rows, 1)), x[:, list(layout.of_level[level])]], axis=1)
            found[:, :, level] = table.effect(fingerprints(ids[level]).numpy(), own)
        return found
