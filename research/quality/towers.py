"""Trains and scores a config's towers on rows in memory, as the pipeline does from files."""

import gc
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker import keys
from ranker.config.objectives import Objective
from ranker.config.towers import Towers
from ranker.config.training import Training
from ranker.forest.margins import ForestMargins
from ranker.forest.model import Forest
from ranker.towers.data import LabelCounts
from ranker.towers.distillation import mixed_labels, teacher_shares
from ranker.towers.inputs import TowerInputs, calibration_keys, category_codes
from ranker.towers.network import TwoTowerNetwork
from ranker.towers.sampling import make_sampler
from ranker.towers.train import train_towers
from research.quality.rows import HeldOutDay, Rows, shuffled_batches

Leaves = tuple[NDArray[np.int32], NDArray[np.int32]]

_SCORE_ROWS = 4096


def tower_logits(
    day: HeldOutDay,
    towers: Towers,
    training: Training,
    objectives: tuple[Objective, ...],
    forest: Forest,
    leaves: Leaves,
    seed: int,
) -> NDArray[np.float32]:
    """Trains towers on the training days and returns their logits of the held-out rows [rows, objectives].

    Args:
        day: its training labels are those of the objectives, in the same order.
        towers: the network's config.
        training: the training's config; a distillation of 0 disables distillation.
        objectives: the objectives.
        forest: the forest that encoded the leaves.
        leaves: of the training rows and of the held-out rows.
        seed: replaces the config's.
    """
    inputs = inputs_of(day, towers, forest)
    training = replace(training, seed=seed)
    rows = {keys.LEAVES: leaves[0], keys.LABELS: day.train.labels, **read_by_towers(day.train, inputs)}
    rows, counts = _sampled(rows, training, objectives)
    length = training.length(counts.rows)
    batches = shuffled_batches(rows, length.batch_size, length.epochs, seed)
    if training.distillation:
        batches = mixed_labels(batches, ForestMargins(forest), teacher_shares(training, counts))
    network = train_towers(batches, counts, inputs, objectives, towers, training).network
    logits = scored(network, {keys.LEAVES: leaves[1], **read_by_towers(day.test, inputs)})
    # Compiled functions are in reference cycles: otherwise their rows would stay in memory during the next training.
    del batches, network
    gc.collect()
    return logits


def scored(network: TwoTowerNetwork, tensors: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    """The network's logits of all rows [rows, objectives]."""
    parts = []
    for begin in range(0, len(tensors[keys.LEAVES]), _SCORE_ROWS):
        batch = {name: tf.constant(values[begin : begin + _SCORE_ROWS]) for name, values in tensors.items()}
        parts.append(network(batch, training=False).numpy())
    return np.concatenate(parts)


def inputs_of(day: HeldOutDay, towers: Towers, forest: Forest) -> TowerInputs:
    """Sizes of the tensors that towers read of the rows of a day and of the leaves of a forest."""
    numeric = day.train.towers.get(keys.NUMERIC)
    columns = numeric.shape[1] if numeric is not None and towers.numeric_input else 0
    dense = day.config.features.vectors
    features = day.config.features
    codes = calibration_keys(features, towers), category_codes(features, towers)
    return TowerInputs(forest.trees, forest.leaves, columns, dense, *codes, ids=features.ids)


def read_by_towers(rows: Rows, inputs: TowerInputs) -> dict[str, NDArray[Any]]:
    """The tensors of the rows that towers with these inputs read, except the leaves."""
    return {name: values for name, values in rows.towers.items() if name in inputs.tensor_specs()}


def _sampled(
    rows: dict[str, NDArray[Any]], training: Training, objectives: tuple[Objective, ...]
) -> tuple[dict[str, NDArray[Any]], LabelCounts]:
    sampler = make_sampler(training.sampling, [o.name for o in objectives], training.seed)
    if sampler is None:
        labels = rows[keys.LABELS]
        return rows, LabelCounts(len(labels), labels.sum(axis=0))
    # All rows are one block.
    kept = sampler({name: tf.constant(values) for name, values in rows.items()}, tf.constant(0, tf.int64))
    arrays = {name: tensor.numpy() for name, tensor in kept.items()}
    labels, weights = arrays[keys.LABELS], arrays[keys.LOSS_WEIGHTS]
    sums = weights.sum(axis=0, dtype=np.float64)
    arrays[keys.LOSS_WEIGHTS] = (weights * (len(labels) / sums)).astype(np.float32)
    return arrays, LabelCounts(len(labels), (labels * weights).sum(axis=0), sums, sampler.log_odds)
