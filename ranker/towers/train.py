"""Fits the two-tower network."""

import functools
import math
import operator
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf
from keras.optimizers.schedules import LearningRateSchedule

from ranker.config.objectives import Objective
from ranker.config.towers import Towers
from ranker.config.training import Length, Training
from ranker.progress import ProgressReporter
from ranker.towers.blend import Blend
from ranker.towers.data import LabelCounts
from ranker.towers.history import TrainingHistory
from ranker.towers.inputs import TowerBatch, TowerInputs
from ranker.towers.loss_watch import ExplosionWatch, Position, TrainingDivergedError, check_inputs, check_losses
from ranker.towers.network import TwoTowerNetwork
from ranker.towers.optimizer import make_optimizer
from ranker.towers.pull import Pull
from ranker.towers.schedule import make_schedule
from ranker.towers.state import Snapshot, restore, snapshot
from ranker.towers.step import ChunkFunction, ChunkReport, float_inputs, make_chunk, make_step, through_xla
from ranker.towers.tensorboard import TensorBoardLog
from ranker.towers.workers import distributed, is_chief, make_shared_chunk

_POINTS = 200  # points of the loss curve, about
_LEAST_CHUNK_STEPS = 10
_COMPILED_FROM = 200_000  # impressions from which XLA saves more than the 5 s that compiling takes


@dataclass(frozen=True)
class TrainedTowers:
    """A fitted network and its training history."""

    network: TwoTowerNetwork
    history: TrainingHistory


def train_towers(
    batches: tf.data.Dataset,
    counts: LabelCounts,
    inputs: TowerInputs,
    objectives: Sequence[Objective],
    towers: Towers,
    training: Training,
    log_dir: str | None = None,
    start: Snapshot | None = None,
    pull: Pull | None = None,
    strategy: tf.distribute.Strategy | None = None,
    blend: Blend | None = None,
    leaf_embeddings: bool = True,
) -> TrainedTowers:
    """Minimises the cross entropy, summed over the objectives and averaged over all impressions.

    No impression is dropped for any objective, unless the batches are sampled (`ranker.towers.sampling`). The same
    input, config and machine give the same weights bit for bit.

    Args:
        batches: all epochs' batches, `training.length(counts.rows, continued=start is not None).steps(counts.rows)` of
            them, as `data.training_batches` yields them.
        counts: rows and positives of one epoch.
        inputs: sizes of the batch's tensors.
        objectives: in the order of the labels.
        towers: the network's architecture.
        training: how it is fitted.
        log_dir: folder for TensorBoard's event files; None writes none.
        start: the weights to continue from; None starts from random ones.
        pull: regularises the weights towards earlier ones; None adds no such term.
        blend: computes the logits of the loss; None uses the towers' own logits.
        strategy: the devices or workers that train together, each of which calls this; None trains on one device.
        leaf_embeddings: whether those are trained, too; False keeps those of `start`, or as they were drawn.

    Raises:
        TrainingDivergedError: the loss became NaN or infinite, or many times that of predicting the base rates.
        ValueError: an input row holds NaN or infinity, or does not match the forest; there are fewer batches than
            `counts` implies; `start` is of another network.
    """
    make_network = functools.partial(TwoTowerNetwork, inputs, towers, objectives, counts.base_rates, training.seed)
    length = training.length(counts.rows, continued=start is not None)
    rate = make_schedule(training, length.steps(counts.rows))
    loop = _Loop(counts, [o.name for o in objectives], float_inputs(batches.element_spec), length, rate)
    if strategy is None:
        network = make_network()
        if start is not None:
            restore(network, start)
        optimizer = make_optimizer(training, rate)
        step = make_step(network, optimizer, pull, blend, leaf_embeddings)
        full = rest = make_chunk(step)
        if length.epochs * counts.rows >= _COMPILED_FROM:
            # Not for an epoch's smaller last batch: another size would have to be compiled again.
            full = make_chunk(through_xla(step))
        history = loop.run(batches, full, rest, log_dir)
    else:
        with strategy.scope():
            mirrored = make_network()
            if start is not None:
                restore(mirrored, start)
            optimizer = make_optimizer(replace(training, gradient_clip_norm=None), rate)
            optimizer.build(mirrored.trained_weights(leaf_embeddings))
        clip_norm = training.gradient_clip_norm
        chunk = make_shared_chunk(strategy, mirrored, optimizer, clip_norm, pull, blend, leaf_embeddings)
        history = loop.run(distributed(batches, strategy), chunk, chunk, log_dir if is_chief(strategy) else None)
        # Later steps do not handle strategies: they get a plain copy of the network.
        network = make_network()
        restore(network, snapshot(mirrored))
    for variable in network.variables:
        if not np.all(np.isfinite(variable.numpy())):
            raise TrainingDivergedError(f"towers: the weights {variable.path} are not finite after the last step")
    return TrainedTowers(network, history)


class _Loop:
    """Runs all steps in chunks; checks, records and reports each chunk."""

    def __init__(
        self,
        counts: LabelCounts,
        objectives: list[str],
        float_names: list[str],
        length: Length,
        rate: LearningRateSchedule,
    ) -> None:
        self._objectives = objectives
        self._float_names = float_names
        self._steps = length.steps(counts.rows)
        self._rows = counts.rows
        self._batch_size = length.batch_size
        self._epochs = length.epochs
        self._rate = rate
        p = counts.rates_in_loss[counts.has_labels]
        base_rate_loss = float(-np.sum(p * np.log(p) + (1 - p) * np.log1p(-p)))
        self._watch = ExplosionWatch(base_rate_loss)
        self._progress = ProgressReporter("training the towers", counts.rows * length.epochs)
        self._history = TrainingHistory(
            objectives=objectives,
            base_rate_loss=base_rate_loss,
            epochs=length.epochs,
            batch_size=length.batch_size,
        )

    def run(
        self, batches: Iterable[TowerBatch], full: ChunkFunction, rest: ChunkFunction, log_dir: str | None
    ) -> TrainingHistory:
        """Runs full batches through `full` and the smaller last batch of an epoch through `rest`."""
        log = TensorBoardLog(log_dir) if log_dir else None
        iterator = iter(batches)
        clock = _Clock()
        done = 0
        try:
            for full_steps, rest_steps in self._chunks():
                parts = [(full, full_steps), (rest, rest_steps)]
                reports = [clock.run(chunk, iterator, steps, done) for chunk, steps in parts if steps]
                reported = functools.reduce(operator.add, reports)
                self._check(done, reported)
                self._record(done, reported, clock, log)
                done += len(reported.rows)
        finally:
            if log:
                log.close()
        return self._history

    def _chunks(self) -> Iterator[tuple[int, int]]:
        """Steps with full batches and steps with smaller ones in each chunk; no chunk spans two epochs."""
        chunk_steps = max(_LEAST_CHUNK_STEPS, math.ceil(self._steps / _POINTS))
        full, rest = divmod(self._rows, self._batch_size)
        for _ in range(self._epochs):
            for first in range(0, max(full, 1), chunk_steps):
                steps = min(chunk_steps, full - first)
                yield steps, int(rest > 0 and first + steps == full)

    def _check(self, done: int, reported: ChunkReport) -> None:
        broken = np.flatnonzero(~(np.all(np.isfinite(reported.losses), axis=1) & np.all(reported.finite, axis=1)))
        if len(broken):
            at = int(broken[0])
            position = self._position(done + at + 1)
            check_inputs(reported.finite[at], self._float_names, position)
            check_losses(reported.losses[at], self._objectives, position)
        self._watch.add(reported.losses.sum(axis=1), reported.rows)
        self._watch.check(self._position(done + len(reported.rows)))

    def _position(self, step: int) -> Position:
        """The position of step `step`, counted from 1."""
        epoch = math.ceil(step * self._epochs / self._steps)
        return Position(step, self._steps, epoch, float(self._rate(step - 1)))

    def _record(self, done: int, reported: ChunkReport, clock: "_Clock", log: TensorBoardLog | None) -> None:
        history = self._history
        rows = int(reported.rows.sum())
        losses = (reported.losses * reported.rows[:, None]).sum(axis=0) / rows
        history.step.append(done + len(reported.rows))
        history.impressions.append(rows + (history.impressions[-1] if history.impressions else 0))
        history.objective_losses.append([float(loss) for loss in losses])
        history.loss.append(float(losses.sum()))
        history.learning_rate.append(self._position(history.step[-1]).learning_rate)
        history.seconds = clock.seconds
        history.rows_per_second = clock.rows_per_second
        detail = f"loss {history.loss[-1]:.4f}, {history.rows_per_second:,.0f} rows/s"
        self._progress.update(history.impressions[-1], detail)
        if log:
            names = ["loss", "learning_rate", *(f"objective_loss/{name}" for name in self._objectives)]
            values = [history.loss[-1], history.learning_rate[-1], *history.objective_losses[-1]]
            log.scalars(history.step[-1], names, values)


class _Clock:
    """Times the training with and without the calls that compile, which are each function's first."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._compiled: set[ChunkFunction] = set()
        self._rows = 0
        self._compiling_rows = 0
        self._compiling_seconds = 0.0

    def run(self, chunk: ChunkFunction, batches: Iterator[TowerBatch], steps: int, done: int) -> ChunkReport:
        """Runs the next steps."""
        started = time.perf_counter()
        reported = _run_chunk(chunk, batches, steps, done)
        self._rows += int(reported.rows.sum())
        if chunk not in self._compiled:
            self._compiled.add(chunk)
            self._compiling_rows += int(reported.rows.sum())
            self._compiling_seconds += time.perf_counter() - started
        return reported

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.perf_counter() - self._started

    @property
    def rows_per_second(self) -> float:
        """Throughput without the calls that compiled, unless there were no others."""
        if self._rows == self._compiling_rows:
            return self._rows / self.seconds
        return (self._rows - self._compiling_rows) / (self.seconds - self._compiling_seconds)


def _run_chunk(chunk: ChunkFunction, batches: Iterator[TowerBatch], steps: int, done: int) -> ChunkReport:
    """Runs the next steps; turns TensorFlow's errors about the input into readable ones."""
    try:
        return chunk(batches, steps)
    except tf.errors.InvalidArgumentError as error:
        reasons = [line for line in error.message.splitlines() if "assertion failed" in line] or [error.message]
        raise ValueError(f"towers: the input of a step after step {done} could not be used: {reasons[-1]}") from error
    except tf.errors.OutOfRangeError as error:
        raise ValueError(
            f"towers: the input ended before {done + steps} steps: fewer rows than were counted"
        ) from error
