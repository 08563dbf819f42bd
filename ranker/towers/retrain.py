"""Trains one day's towers: as a cold start, or continued from the weights of an earlier day."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import tensorflow as tf

from ranker.config.objectives import Objective
from ranker.config.retraining import Retraining, Start
from ranker.config.towers import Towers
from ranker.config.training import Training
from ranker.towers.blend import Blend, Margins
from ranker.towers.data import LabelCounts
from ranker.towers.distillation import mixed_labels, teacher_shares
from ranker.towers.fisher import fisher_diagonal
from ranker.towers.inputs import TowerInputs
from ranker.towers.pull import Pull, incremental_start
from ranker.towers.state import Arrays, Snapshot, TowerState, check_forest, snapshot
from ranker.towers.train import TrainedTowers, train_towers


class Batches(Protocol):
    """Gives the training batches of all epochs, in the same order each time."""

    def __call__(self) -> tf.data.Dataset: ...


@dataclass(frozen=True)
class Task:
    """Data, architecture and settings of one training.

    Attributes:
        counts: rows and positives of one epoch.
        inputs: sizes of the batch's tensors.
        objectives: in the order of the labels.
        towers: the network's shape.
        training: settings of a cold start; a later day lowers the learning rate.
        retraining: how a day continues from an earlier one.
        forest_fingerprint: of the forest that encoded the leaves.
        margins: leaves → the forest's own log-odds; None where the forest has no output per objective. The towers learn
            from them in addition to the labels, unless the forest has not seen the rows (`forest_saw_rows`). With an
            examination model they are the log-odds of relevance.
        examination: whether the batches have `keys.LOG_EXAMINATION`.
        weighted: whether the batches, without sampling, have `keys.LOSS_WEIGHTS`.
    """

    counts: LabelCounts
    inputs: TowerInputs
    objectives: Sequence[Objective]
    towers: Towers
    training: Training
    retraining: Retraining
    forest_fingerprint: str
    margins: Margins | None
    examination: bool = False
    weighted: bool = False

    def forest_saw_rows(self, start: Start) -> bool:
        """Whether the forest was grown on the training rows, or refreshed with them."""
        return start == "cold" or self.retraining.refresh_forest


def retrain(
    start: Start,
    task: Task,
    batches: Batches,
    parent: TowerState | None = None,
    log_dir: str | None = None,
    strategy: tf.distribute.Strategy | None = None,
    everything: Batches | None = None,
) -> tuple[TrainedTowers, TowerState]:
    """Fits the towers and returns them with the state that the next day continues from.

    Args:
        start: `cold` starts from random weights; `warm` from the parent's; `incremental` between the parent's and those
            of the last cold start, with a pull towards both.
        task: data, architecture and settings.
        batches: the training batches.
        parent: the earlier day's state; a cold start needs none.
        log_dir: as in `train_towers`.
        strategy: as in `train_towers`.
        everything: the batches including the negatives that `batches` drops; None where it drops none.

    Raises:
        ValueError: `train_towers` raised it; a warm start has no parent, or one with another forest or network.
    """
    labelled, blend = batches(), None
    if task.margins and task.forest_saw_rows(start):
        labelled = mixed_labels(labelled, task.margins, teacher_shares(task.training, task.counts))
    if task.margins and task.towers.forest_share and not task.retraining.refresh_forest:
        # A forest that is not refreshed cannot teach later days. But it is part of the served blend, so the loss
        # includes it.
        blend = Blend(task.margins, task.towers.forest_share)
    fit = partial(
        train_towers,
        counts=task.counts,
        inputs=task.inputs,
        objectives=task.objectives,
        towers=task.towers,
        log_dir=log_dir,
        strategy=strategy,
    )
    if start == "cold":
        trained = fit(labelled, training=task.training)
    else:
        weights, pull = _continued(start, task, parent)
        rate = task.training.learning_rate * task.retraining.learning_rate_fraction
        slower = replace(task.training, learning_rate=rate)
        trained = fit(
            labelled,
            training=slower,
            start=weights,
            pull=pull,
            blend=blend,
            leaf_embeddings=task.retraining.train_leaf_embeddings,
        )
    fisher: Arrays = ()
    if task.retraining.start == "incremental":
        fisher = fisher_diagonal(
            trained.network,
            (everything or batches)(),
            task.inputs,
            task.retraining.fisher_rows,
            blend,
            examination=task.examination,
            weighted=task.weighted,
        )
    latest = snapshot(trained.network, fisher)
    cold = None
    if fisher:
        cold = latest if start == "cold" or parent is None else parent.cold
    return trained, TowerState(task.forest_fingerprint, latest, cold)


def _continued(start: Start, task: Task, parent: TowerState | None) -> tuple[Snapshot, Pull | None]:
    """The weights that a warm or incremental start begins with, and the pull of an incremental one."""
    if parent is None:
        raise ValueError(f"towers: a start that is {start} needs the state of an earlier training, and has none")
    check_forest(parent, task.forest_fingerprint)
    if start == "incremental":
        return incremental_start(parent, task.retraining.fisher_strength, task.retraining.cold_share)
    return parent.latest, None
