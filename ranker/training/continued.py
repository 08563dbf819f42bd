"""The state that a training continues from, for its own forest."""

from collections.abc import Sequence

import numpy as np

from ranker.config.objectives import Objective
from ranker.config.towers import Towers
from ranker.forest.model import Forest
from ranker.towers.inputs import TowerInputs
from ranker.towers.more_trees import with_more_trees
from ranker.towers.network import TwoTowerNetwork
from ranker.towers.state import TowerState


def continued_state(
    state: TowerState,
    earlier: Forest,
    forest: Forest,
    inputs: TowerInputs,
    objectives: Sequence[Objective],
    towers: Towers,
    seed: int,
) -> TowerState:
    """The state of an earlier training's towers, for a forest that may have got more trees since.

    Args:
        state: of the earlier training.
        earlier: its forest.
        forest: the forest now.
        inputs: sizes of the tensors that the towers read now.
        objectives: in the order of the config.
        towers: the network's shape.
        seed: of the embeddings of the new leaves.

    Raises:
        ValueError: the forest now does not begin with the earlier one's trees, or the state is not of this forest.
    """
    if earlier.fingerprint == forest.fingerprint:
        return state
    if state.forest_fingerprint != earlier.fingerprint or not forest.begins_with(earlier):
        raise ValueError(
            f"warm start: the saved towers embed the leaves of forest {state.forest_fingerprint}, and forest "
            f"{forest.fingerprint} does not begin with its trees; it needs a cold start"
        )
    unused = np.full(len(objectives), 0.5)
    network = TwoTowerNetwork(inputs, towers, objectives, unused, seed)
    return with_more_trees(state, earlier.trees, forest.fingerprint, network)
