"""The state of towers, for a forest that has got more trees at the end.

Each tree has its own rows in the first layer's kernels and in the table of leaf embeddings. Those of the new trees are
added: embeddings as in a new network, kernels of 0. So the towers predict exactly what they did before, until they have
learnt what the new leaves are worth.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ranker.towers.network import TwoTowerNetwork
from ranker.towers.state import Arrays, Snapshot, TowerState


def with_more_trees(state: TowerState, trees: int, forest_fingerprint: str, network: TwoTowerNetwork) -> TowerState:
    """The same towers, reading more trees.

    Args:
        state: of the earlier training.
        trees: number of trees that its towers read, which are the first trees of the forest now.
        forest_fingerprint: of the forest now.
        network: a new network of the same config that reads the forest now; its leaf embeddings are used.

    Raises:
        ValueError: the state is of a network with other weights.
    """
    growing = _Growing(network, trees)
    latest = growing.snapshot(state.latest)
    if state.cold is None:
        return TowerState(forest_fingerprint, latest)
    return TowerState(
        forest_fingerprint, latest, latest if state.cold is state.latest else growing.snapshot(state.cold)
    )


class _Growing:
    """Adds rows to the weights of each new tree."""

    def __init__(self, network: TwoTowerNetwork, trees: int) -> None:
        weights = [id(weight) for weight in network.trainable_weights]
        table = network.leaf_embedding.embeddings
        self._table = weights.index(id(table))
        self._kernels = [weights.index(id(kernel)) for kernel in network.first_layer.kernels]
        self._new_table = table.numpy()
        self._rows_before = trees * table.shape[1]
        self._shapes = [tuple(weight.shape) for weight in network.trainable_weights]

    def snapshot(self, before: Snapshot) -> Snapshot:
        if len(before.trainable) != len(self._shapes):
            raise ValueError(
                f"warm start: the saved towers have {len(before.trainable)} weights, the configured ones "
                f"{len(self._shapes)}; another network needs a cold start"
            )
        fisher: Arrays = self._grown(before.fisher, np.zeros_like(self._new_table)) if before.fisher else ()
        return replace(before, trainable=self._grown(before.trainable, self._new_table), fisher=fisher)

    def _grown(self, arrays: Sequence[NDArray[np.float32]], table: NDArray[np.float32]) -> Arrays:
        grown = list(arrays)
        old = arrays[self._table]
        grown[self._table] = np.concatenate([old, table[len(old) :]])
        for index in self._kernels:
            old, begin = arrays[index], self._rows_before
            new = np.zeros((self._shapes[index][0] - len(old), old.shape[1]), np.float32)
            grown[index] = np.concatenate([old[:begin], new, old[begin:]])
        return tuple(grown)
