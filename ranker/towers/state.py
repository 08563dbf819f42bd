"""The state of fitted towers that a warm start needs: weights and their Fisher information.

Weights are identified by their position in the network, not by their names: Keras derives some names from a counter of
all layers in the process.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.arrays import read_arrays, write_arrays
from ranker.storage import join
from ranker.towers.network import TwoTowerNetwork

_FILE = "towers.npz"
_FORMAT = 1

Arrays = tuple[NDArray[np.float32], ...]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The weights of a network at one moment.

    Attributes:
        trainable: in the order of `network.trainable_weights`.
        other: moving averages of batch normalisation and the origin of the calibration, in the order of
            `network.non_trainable_weights`.
        fisher: the diagonal of the Fisher information for each trainable weight, from `fisher.fisher_diagonal`; empty
            where none was computed.
    """

    trainable: Arrays
    other: Arrays
    fisher: Arrays = ()


@dataclass(frozen=True, eq=False)
class TowerState:
    """Everything that a later day continues from.

    Attributes:
        forest_fingerprint: of the forest whose leaves the embedding table embeds.
        latest: the exported towers.
        cold: the towers after the cold start that `latest` descends from; None where no training is pulled towards
            them.
    """

    forest_fingerprint: str
    latest: Snapshot
    cold: Snapshot | None = None

    def save(self, folder: str) -> None:
        """Writes one file into `folder`, a path or URI."""
        arrays: dict[str, Any] = {"format": np.array(_FORMAT), "forest_fingerprint": np.array(self.forest_fingerprint)}
        arrays |= _named("latest", self.latest)
        # After a cold start both are the same object, which is written once.
        if self.cold is not None:
            arrays["cold_is_latest"] = np.array(self.cold is self.latest)
            if self.cold is not self.latest:
                arrays |= _named("cold", self.cold)
        write_arrays(join(folder, _FILE), arrays)

    @staticmethod
    def load(folder: str) -> "TowerState":
        """Reads what `save` wrote.

        Raises:
            ValueError: the file is missing, corrupt or of another format; the message names it.
        """
        with read_arrays(join(folder, _FILE), "warm start", _FORMAT) as arrays:
            latest = _snapshot("latest", arrays)
            cold = None
            if "cold_is_latest" in arrays:
                cold = latest if arrays["cold_is_latest"] else _snapshot("cold", arrays)
            return TowerState(str(arrays["forest_fingerprint"]), latest, cold)


def snapshot(network: TwoTowerNetwork, fisher: Sequence[NDArray[np.float32]] = ()) -> Snapshot:
    """Copies a network's weights."""
    return Snapshot(
        trainable=tuple(np.array(weight.numpy()) for weight in network.trainable_weights),
        other=tuple(np.array(weight.numpy()) for weight in network.non_trainable_weights),
        fisher=tuple(fisher),
    )


def restore(network: TwoTowerNetwork, start: Snapshot) -> None:
    """Sets a network's weights to those of a snapshot.

    Raises:
        ValueError: the snapshot is of a network with other weights.
    """
    expected = [tuple(weight.shape) for weight in (*network.trainable_weights, *network.non_trainable_weights)]
    found = [array.shape for array in (*start.trainable, *start.other)]
    if expected != found:
        raise ValueError(
            f"warm start: the saved towers have weights of the shapes {found}, the configured ones {expected}; another "
            "network needs a cold start"
        )
    for weight, array in zip(network.trainable_weights, start.trainable, strict=True):
        weight.assign(array)
    for weight, array in zip(network.non_trainable_weights, start.other, strict=True):
        weight.assign(array)


def check_forest(state: TowerState, forest_fingerprint: str) -> None:
    """Refuses towers that embed the leaves of another forest.

    Raises:
        ValueError: the fingerprints differ.
    """
    if state.forest_fingerprint != forest_fingerprint:
        raise ValueError(
            f"warm start: the saved towers embed the leaves of forest {state.forest_fingerprint}, but the examples "
            f"were encoded by forest {forest_fingerprint}, whose leaves mean something else; it needs a cold start"
        )


def _named(prefix: str, of: Snapshot) -> dict[str, NDArray[np.float32]]:
    parts = {"trainable": of.trainable, "other": of.other, "fisher": of.fisher}
    return {f"{prefix}.{part}.{i:04d}": array for part, arrays in parts.items() for i, array in enumerate(arrays)}


def _snapshot(prefix: str, arrays: Any) -> Snapshot:
    def part(name: str) -> Arrays:
        return tuple(arrays[key] for key in sorted(arrays.files) if key.startswith(f"{prefix}.{name}."))

    return Snapshot(part("trainable"), part("other"), part("fisher"))
