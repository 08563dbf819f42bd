"""Networks on the forest's leaves: ours, and the source's earlier and final ones."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ranker.config.training import Training
from ranker.forest.model import Forest
from research.quality.encoded import grown_forest
from research.quality.rows import HeldOutDay, Probabilities
from research.quality.towers import tower_logits


def ours(day: HeldOutDay, seed: int) -> Probabilities:
    """The configured model, as the pipeline trains and serves it."""
    forest, leaves = grown_forest(day, day.config.forest, seed)
    towers = tower_logits(day, day.config.towers, day.config.training, day.config.objectives, forest, leaves, seed)
    return blended(towers, forest, leaves[1], day.config.towers.forest_share)


def blended(
    towers: NDArray[np.float32], forest: Forest, leaves: NDArray[np.int32], forest_share: float
) -> Probabilities:
    """What a model serves, from the towers' logits [rows, objectives] and the leaves [rows, trees].

    Args:
        towers, forest, leaves: of the model and of the rows.
        forest_share: of the forest in the log-odds; a forest without trees has none.
    """
    if not forest_share:
        return _sigmoid(towers)
    return _sigmoid((1 - forest_share) * towers + forest_share * forest.margins(leaves))


def towers_alone(day: HeldOutDay, seed: int) -> Probabilities:
    """The source's final model: two towers on leaves, numeric features and dense embeddings, without distillation."""
    forest, leaves = grown_forest(day, day.config.forest, seed)
    towers = replace(day.config.towers, categorical_embedding_size=0, cross_rank=0, members=1)
    return _sigmoid(tower_logits(day, towers, _untaught(day), day.config.objectives, forest, leaves, seed))


def joint_network(day: HeldOutDay, seed: int) -> Probabilities:
    """One tower for all objectives, the source's first attempt, on all inputs of ours."""
    forest, leaves = grown_forest(day, day.config.forest, seed)
    towers = replace(day.config.towers, shared=True)
    return _sigmoid(tower_logits(day, towers, _untaught(day), day.config.objectives, forest, leaves, seed))


def network_per_objective(day: HeldOutDay, seed: int) -> Probabilities:
    """One network per objective, on all inputs of ours."""
    forest, leaves = grown_forest(day, day.config.forest, seed)
    logits = [
        tower_logits(_only(day, index), day.config.towers, _untaught(day), (objective,), forest, leaves, seed)
        for index, objective in enumerate(day.config.objectives)
    ]
    return _sigmoid(np.concatenate(logits, axis=1))


def _untaught(day: HeldOutDay) -> Training:
    """The config's training on labels only, without distillation."""
    return replace(day.config.training, distillation=0.0)


def _only(day: HeldOutDay, index: int) -> HeldOutDay:
    train = replace(day.train, labels=day.train.labels[:, index : index + 1])
    return replace(day, train=train)


def _sigmoid(logits: NDArray[np.float32]) -> Probabilities:
    return (1 / (1 + np.exp(-logits.astype(np.float64)))).astype(np.float32)
