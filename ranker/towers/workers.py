"""Data-parallel training of the towers on several devices or machines, with TensorFlow's distribution strategies.

Every replica computes the gradient on its share of each batch's rows. The gradients are summed, and all replicas take
the same step. The sum is divided by the rows of the complete batch. So the step equals that of a single process,
whatever the sizes of the shares, except for the order in which floats are summed.
"""

import os
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from ranker import keys
from ranker.config.training import Strategy
from ranker.towers.blend import Blend
from ranker.towers.inputs import TowerBatch
from ranker.towers.network import TwoTowerNetwork
from ranker.towers.pull import Pull
from ranker.towers.step import ChunkFunction, ChunkReport, Measured, finite_inputs, logit_losses, run_steps


class StrategyError(ValueError):
    """The devices that `training.strategy` asks for are missing; the message says which."""


def check_strategy(kind: Strategy) -> None:
    """Refuses a strategy whose devices this process does not have; TensorFlow would silently use one CPU instead.

    Raises:
        StrategyError: `mirrored` without a GPU, or `multi_worker` without workers in TF_CONFIG.
    """
    if kind == "mirrored" and not tf.config.list_physical_devices("GPU"):
        raise StrategyError(
            "training.strategy: mirrored trains on all GPUs of this machine, but TensorFlow finds none; use "
            "one_device, or install TensorFlow with CUDA on a machine with GPUs"
        )
    if kind == "multi_worker" and not os.environ.get("TF_CONFIG"):
        raise StrategyError(
            "training.strategy: multi_worker needs TF_CONFIG to name the workers, as Kubeflow's training "
            "operator sets it; see docs/beyond_one_machine.md"
        )


def make_strategy(kind: Strategy) -> tf.distribute.Strategy | None:
    """The strategy of a config; None for one device.

    Raises:
        StrategyError: as `check_strategy`.
    """
    check_strategy(kind)
    match kind:
        case "one_device":
            return None
        case "mirrored":
            return tf.distribute.MirroredStrategy()
        case "multi_worker":
            return tf.distribute.MultiWorkerMirroredStrategy()


def is_chief(strategy: tf.distribute.Strategy | None) -> bool:
    """Whether this process is the one that writes the trained model."""
    resolver = strategy.cluster_resolver if strategy else None
    if resolver is None or not resolver.task_type:
        return True
    return resolver.task_type in ("chief", "master") or (resolver.task_type == "worker" and resolver.task_id == 0)


def distributed(batches: tf.data.Dataset, strategy: tf.distribute.Strategy) -> Any:
    """Each replica's share of every batch: with n replicas, replica i gets every n-th row, starting with row i.

    Every worker reads all rows and drops those of the others. That costs less than a training step, and the batches
    stay the same as in a single process.
    """

    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        replicas = context.num_replicas_in_sync
        here = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * here

        def shares(batch: TowerBatch) -> tf.data.Dataset:
            numbers = tf.data.Dataset.range(first, first + here)
            return numbers.map(lambda number: {name: tensor[number::replicas] for name, tensor in batch.items()})

        return batches.flat_map(shares)

    return strategy.distribute_datasets_from_function(of_worker)


def make_shared_chunk(
    strategy: tf.distribute.Strategy,
    network: TwoTowerNetwork,
    optimizer: keras.optimizers.Optimizer,
    clip_norm: float | None,
    pull: Pull | None = None,
    blend: Blend | None = None,
    leaf_embeddings: bool = True,
) -> ChunkFunction:
    """Like `step.make_chunk(step.make_step(...))`, with each step distributed over the replicas.

    Args:
        strategy: the network and the optimizer were made in its scope.
        network: gives the logits [batch, objectives].
        optimizer: must not clip gradients itself, as that would happen before the sum.
        clip_norm: largest global norm of the summed gradient; None never clips.
        pull: its term is added to the loss once.
        blend: computes the logits of the loss; None uses the towers' own logits.
        leaf_embeddings: whether a step changes those, too.
    """
    variables = network.trained_weights(leaf_embeddings)
    replicas = strategy.num_replicas_in_sync

    def of_replica(batch: TowerBatch) -> Measured:
        context = tf.distribute.get_replica_context()
        all_rows = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.shape(batch[keys.LABELS])[0])
        with tf.GradientTape() as tape:
            # A share is empty if the batch has fewer rows than there are replicas; it then adds nothing.
            losses = tf.reduce_sum(logit_losses(network, batch, training=True, blend=blend), axis=0) / tf.cast(
                all_rows, tf.float32
            )
            total = tf.reduce_sum(losses)
            if pull is not None:
                total += pull.penalty(network.trainable_weights) / replicas
        gradients = tape.gradient(total, [variable.value for variable in variables])
        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, [tf.convert_to_tensor(g) for g in gradients])
        if clip_norm is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, clip_norm)
        # The optimizer sums the replicas' gradients once more.
        optimizer.apply([gradient / replicas for gradient in gradients], variables)
        broken = tf.cast(tf.logical_not(finite_inputs(batch)), tf.int32)
        losses, broken = context.all_reduce(tf.distribute.ReduceOp.SUM, [losses, tf.cast(broken, tf.float32)])
        return losses, all_rows, broken == 0

    def next_step(batches: Iterator[TowerBatch]) -> Measured:
        losses, rows, finite = strategy.run(of_replica, args=(next(batches),))
        return tuple(strategy.experimental_local_results(value)[0] for value in (losses, rows, finite))

    @tf.function(autograph=False)
    def run(batches: Iterator[TowerBatch], steps: tf.Tensor) -> Measured:
        return run_steps(lambda: next_step(batches), steps)

    def chunk(batches: Iterator[TowerBatch], steps: int) -> ChunkReport:
        return ChunkReport(*(tensor.numpy() for tensor in run(batches, tf.constant(steps))))

    return chunk
