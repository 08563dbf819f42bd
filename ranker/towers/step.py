"""Training steps, several per call.

A step may run as one XLA cluster. On CPU this fuses the optimizer's passes over the weights and the scatter of the
embedding gradient, which run op by op cost more than a matrix product. It saves a quarter of the step's time. Python is
called once per chunk of steps, not once per step.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from ranker import keys
from ranker.towers.blend import Blend
from ranker.towers.inputs import TowerBatch
from ranker.towers.network import TwoTowerNetwork
from ranker.towers.pull import Pull
from ranker.towers.relevance import examined


@dataclass(frozen=True)
class ChunkReport:
    """The measurements of consecutive steps.

    Attributes:
        losses: float32 [steps, objectives], the cross entropy per objective, averaged over the step's impressions.
        rows: int32 [steps], impressions of each step.
        finite: bool [steps, inputs], whether all values of a float input were finite, in the order of `float_inputs`.
    """

    losses: np.ndarray
    rows: np.ndarray
    finite: np.ndarray

    def __add__(self, other: "ChunkReport") -> "ChunkReport":
        """This report followed by the other."""
        return ChunkReport(
            np.concatenate([self.losses, other.losses]),
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.finite, other.finite]),
        )


_NO_INPUTS = (keys.LABELS, keys.LOSS_WEIGHTS, keys.LOGIT_OFFSET, keys.LOG_EXAMINATION)

Measured = tuple[tf.Tensor, tf.Tensor, tf.Tensor]
"""The losses per objective, the number of impressions, and whether each float input was finite."""

Step = Callable[[TowerBatch], tf.Tensor]
"""One optimizer step on a batch; returns the losses per objective."""

ChunkFunction = Callable[[Iterator[TowerBatch], int], ChunkReport]


def float_inputs(batch: Mapping[str, tf.Tensor | tf.TensorSpec]) -> list[str]:
    """Names of the batch's tensors that could hold NaN or infinity."""
    return sorted(name for name, tensor in batch.items() if tensor.dtype == tf.float32 and name not in _NO_INPUTS)


def cross_entropies(
    network: TwoTowerNetwork, batch: TowerBatch, training: bool, blend: Blend | None = None
) -> tf.Tensor:
    """The cross entropy per objective, averaged over the batch; [objectives], in nats."""
    return tf.reduce_mean(logit_losses(network, batch, training, blend), axis=0)


def logit_losses(network: TwoTowerNetwork, batch: TowerBatch, training: bool, blend: Blend | None = None) -> tf.Tensor:
    """The cross entropy per impression and objective; [batch, objectives], in nats.

    Where impressions are weighted, labels are not observed or negatives are dropped, it is weighted
    (`ranker.towers.weighing`), or its log-odds are shifted (`ranker.towers.sampling`).
    With an examination model, the logits are of relevance and the loss is of examination × relevance. The members of an
    ensemble have a loss each, and the mean is returned: the loss of their mean would train them as one wider network.
    """
    losses = [_losses(logits, batch, blend) for logits in network.member_logits(batch, training)]
    return tf.add_n(losses) / len(losses)


def _losses(logits: tf.Tensor, batch: TowerBatch, blend: Blend | None) -> tf.Tensor:
    if blend is not None:
        logits = blend(logits, batch[keys.LEAVES])
    logits = examined(logits, batch)
    if keys.LOGIT_OFFSET in batch:
        logits += batch[keys.LOGIT_OFFSET]
    losses = tf.nn.sigmoid_cross_entropy_with_logits(batch[keys.LABELS], logits)
    return batch[keys.LOSS_WEIGHTS] * losses if keys.LOSS_WEIGHTS in batch else losses


def make_step(
    network: TwoTowerNetwork,
    optimizer: keras.optimizers.Optimizer,
    pull: Pull | None = None,
    blend: Blend | None = None,
    leaf_embeddings: bool = True,
) -> Step:
    """A function that makes one optimizer step on the summed cross entropies and returns them as [objectives].

    Args:
        network: gives the logits [batch, objectives].
        optimizer: updates the network's weights that are trained.
        pull: its term is added to the loss, but is not part of the returned losses.
        blend: computes the logits of the loss; None uses the towers' own logits.
        leaf_embeddings: whether the step changes those, too.
    """
    variables = network.trained_weights(leaf_embeddings)
    if not optimizer.built:
        optimizer.build(variables)

    @tf.function(autograph=False)
    def step(batch: TowerBatch) -> tf.Tensor:
        with tf.GradientTape() as tape:
            losses = cross_entropies(network, batch, training=True, blend=blend)
            total = tf.reduce_sum(losses)
            if pull is not None:
                total += pull.penalty(network.trainable_weights)
        gradients = tape.gradient(total, [variable.value for variable in variables])
        optimizer.apply([tf.convert_to_tensor(gradient) for gradient in gradients], variables)
        return losses

    return step


def through_xla(step: Step) -> Step:
    """The same step through XLA. It recompiles for every batch size, which takes longer than many steps.

    Both are one traced function, as tracing takes as long as many steps, too.
    """

    @tf.function(jit_compile=True, autograph=False)
    def compiled(batch: TowerBatch) -> tf.Tensor:
        return step(batch)

    return compiled


def make_chunk(step: Step) -> ChunkFunction:
    """A function that runs `step` on an iterator's next batches, the given number of them in one call."""

    def measured(batch: TowerBatch) -> Measured:
        return step(batch), tf.shape(batch[keys.LABELS])[0], finite_inputs(batch)

    @tf.function(autograph=False)
    def run(batches: Iterator[TowerBatch], steps: tf.Tensor) -> Measured:
        return run_steps(lambda: measured(next(batches)), steps)

    def chunk(batches: Iterator[TowerBatch], steps: int) -> ChunkReport:
        return ChunkReport(*(tensor.numpy() for tensor in run(batches, tf.constant(steps))))

    return chunk


def run_steps(step: Callable[[], Measured], steps: tf.Tensor) -> Measured:
    """Runs a step repeatedly, in a loop of the graph, and stacks what each measured.

    The loop is written out: converting a Python loop costs the first training of a process a second.

    Args:
        step: runs the next step.
        steps: int32 scalar, how often.

    Returns:
        [steps, objectives], [steps] and [steps, inputs].
    """

    def body(done: tf.Tensor, arrays: tuple[tf.TensorArray, ...]) -> tuple[tf.Tensor, tuple[tf.TensorArray, ...]]:
        return done + 1, tuple(array.write(done, value) for array, value in zip(arrays, step(), strict=True))

    empty = tuple(tf.TensorArray(dtype, steps) for dtype in (tf.float32, tf.int32, tf.bool))
    _, (losses, rows, finite) = tf.while_loop(lambda done, arrays: done < steps, body, (0, empty))
    return losses.stack(), rows.stack(), finite.stack()


def finite_inputs(batch: TowerBatch) -> tf.Tensor:
    """[float inputs], whether all values of each float input are finite."""
    finite = [tf.reduce_all(tf.math.is_finite(batch[name])) for name in float_inputs(batch)]
    return tf.stack(finite) if finite else tf.zeros([0], tf.bool)
