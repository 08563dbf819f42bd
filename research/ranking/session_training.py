"""Trains a config's towers with a loss of sessions beside the cross entropy of impressions."""

import gc
from collections.abc import Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker import keys
from ranker.config.objectives import Objective
from ranker.config.pipeline import PipelineConfig
from ranker.forest.margins import ForestMargins
from ranker.forest.model import Forest
from ranker.progress import ProgressReporter
from ranker.towers.data import LabelCounts
from ranker.towers.distillation import mixed_labels, teacher_shares
from ranker.towers.inputs import TowerBatch
from ranker.towers.network import TwoTowerNetwork
from ranker.towers.optimizer import make_optimizer
from ranker.towers.schedule import make_schedule
from ranker.towers.step import Step, make_chunk, through_xla
from research.quality.rows import HeldOutDay
from research.quality.towers import Leaves, inputs_of, read_by_towers, scored
from research.ranking.session_batches import SESSION, session_batches
from research.ranking.session_losses import SessionLoss

_CHUNK_STEPS = 100


@dataclass(frozen=True)
class Ranking:
    """What is added to the cross entropy.

    Attributes:
        loss: of sessions; None adds nothing.
        weight: of the loss, that of the cross entropy being 1.
        paired: whether an objective has an output for having its label and one for not having it, as JRC needs.
    """

    loss: SessionLoss | None = None
    weight: float = 0.0
    paired: bool = False


def session_logits(
    day: HeldOutDay,
    sessions: NDArray[np.int32],
    config: PipelineConfig,
    ranking: Ranking,
    forest: Forest,
    leaves: Leaves,
    seed: int,
) -> NDArray[np.float32]:
    """Trains towers on batches of sessions, and returns their log-odds of the held-out rows [rows, objectives].

    Args:
        day: the training days and the held-out day.
        sessions: the code of each training row's session.
        config: gives the network and how it is trained, batches and loss excepted.
        ranking: what is added to the cross entropy.
        forest: the forest that encoded the leaves.
        leaves: of the training rows and of the held-out rows.
        seed: replaces the config's.
    """
    training, labels = replace(config.training, seed=seed), day.train.labels
    inputs, counts = inputs_of(day, config.towers, forest), LabelCounts(len(labels), labels.sum(axis=0))
    length = training.length(counts.rows)
    rows = {keys.LEAVES: leaves[0], keys.LABELS: labels, **read_by_towers(day.train, inputs)}
    batches = session_batches(rows, sessions, length.batch_size, length.epochs, seed)
    batches = mixed_labels(batches, ForestMargins(forest), teacher_shares(training, counts))

    objectives: Sequence[Objective] = config.objectives
    rates = counts.base_rates
    if ranking.paired:
        objectives = [*objectives, *(replace(one, name=f"not_{one.name}") for one in objectives)]
        rates = np.concatenate([rates, np.full_like(rates, 0.5)])
    network = TwoTowerNetwork(inputs, config.towers, objectives, rates, seed)
    optimizer = make_optimizer(training, make_schedule(training, length.steps(counts.rows)))
    step = ranking_step(network, optimizer, ranking)
    full, rest = make_chunk(through_xla(step)), make_chunk(step)
    progress, done = ProgressReporter("training the towers", counts.rows * length.epochs), 0
    iterator = iter(batches)
    for _ in range(length.epochs):
        steps, left = divmod(counts.rows, length.batch_size)
        for begin in range(0, steps, _CHUNK_STEPS):
            done += int(full(iterator, min(_CHUNK_STEPS, steps - begin)).rows.sum())
            progress.update(done)
        if left:
            done += int(rest(iterator, 1).rows.sum())
    outputs = scored(network, {keys.LEAVES: leaves[1], **read_by_towers(day.test, inputs)})
    if not np.isfinite(outputs).all():
        raise ValueError(f"{day.day}: the training with {ranking} diverged")
    # Compiled functions are in reference cycles: otherwise their rows would stay in memory during the next training.
    del iterator, batches, network, optimizer, step, full, rest
    gc.collect()
    return log_odds(outputs, ranking)


def log_odds(outputs: NDArray[np.float32], ranking: Ranking) -> NDArray[np.float32]:
    """The network's outputs → the log-odds of each objective."""
    if not ranking.paired:
        return outputs
    having, lacking = np.split(outputs, 2, axis=1)
    return having - lacking


def ranking_step(network: TwoTowerNetwork, optimizer: keras.optimizers.Optimizer, ranking: Ranking) -> Step:
    """An optimizer step on the cross entropy and the loss of sessions; it returns the cross entropy [objectives].

    Args:
        network: gives the outputs of a batch.
        optimizer: updates the network's trainable variables.
        ranking: what is added.
    """
    variables = network.trainable_variables
    optimizer.build(variables)

    def losses(outputs: tf.Tensor, batch: TowerBatch) -> tuple[tf.Tensor, tf.Tensor]:
        logits = outputs
        if ranking.paired:
            having, lacking = tf.split(outputs, 2, axis=1)
            logits = having - lacking
        entropy = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(batch[keys.LABELS], logits), axis=0)
        if ranking.loss is None:
            return entropy, entropy
        return entropy, entropy + ranking.weight * ranking.loss(outputs, batch[keys.LABELS], batch[SESSION])

    @tf.function(autograph=False)
    def step(batch: TowerBatch) -> tf.Tensor:
        with tf.GradientTape() as tape:
            # As in `ranker.towers.step`: the members of an ensemble have a loss each.
            members = [losses(outputs, batch) for outputs in network.member_logits(batch, training=True)]
            total = tf.add_n([loss for _, loss in members]) / len(members)
        gradients = tape.gradient(total, [variable.value for variable in variables])
        optimizer.apply([tf.convert_to_tensor(gradient) for gradient in gradients], variables)
        return tf.add_n([entropy for entropy, _ in members]) / len(members)

    return step
