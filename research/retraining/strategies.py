"""The daily retraining strategies, and their cost."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker import keys
from ranker.config.pipeline import PipelineConfig
from ranker.config.retraining import Start
from ranker.forest.added import with_added_trees
from ranker.forest.margins import ForestMargins
from ranker.forest.model import Forest
from ranker.forest.refresh import refreshed
from ranker.forest.train import train_forest
from ranker.forest.traverse import Traversal
from ranker.towers.data import LabelCounts
from ranker.towers.inputs import TowerInputs, calibration_keys, category_codes
from ranker.towers.network import TwoTowerNetwork
from ranker.towers.retrain import Task, retrain
from ranker.towers.state import TowerState
from ranker.training.continued import continued_state
from research.quality.rows import Rows, shuffled_batches
from research.retraining.days import Replay, ReplayDay, replay_count

_SCORE_ROWS = 4096


@dataclass(frozen=True, eq=False)
class DayModel:
    """A trained model, and the state that the next day continues from."""

    forest: Forest
    network: TwoTowerNetwork
    state: TowerState


@dataclass(frozen=True)
class DayResult:
    """The result of a strategy on one day.

    Attributes:
        labels: of the day's impressions, [rows, objectives].
        buckets: viewer bucket of each of them, [rows].
        probabilities: float32 [rows, objectives].
        seconds: seconds of training for that day, by part; empty if nothing was trained.
    """

    labels: NDArray[np.float32]
    buckets: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def total_seconds(self) -> float:
        """The sum over all parts."""
        return sum(self.seconds.values())


Strategy = Callable[[Replay, DayModel, int], Iterator[DayResult]]


def first_model(replay: Replay, start: Start, seed: int) -> tuple[DayModel, DayResult]:
    """The cold start of the first day, which all strategies share.

    Args:
        start: the start of later days, which determines the state in the model.
    """
    return _cold(replay.config, replay.days[0], start, seed)


def frozen(replay: Replay, first: DayModel, seed: int) -> Iterator[DayResult]:
    """No training after the first day."""
    for day in replay.days[1:]:
        yield _predicted(replay.config, first, day.test_by_first, {})


def cold(replay: Replay, first: DayModel, seed: int) -> Iterator[DayResult]:
    """Fits everything from scratch on the full window every day."""
    for day in replay.days[1:]:
        yield _cold(replay.config, day, "cold", seed)[1]


def warm(replay: Replay, first: DayModel, seed: int) -> Iterator[DayResult]:
    """Refreshes the forest with the newest day, and trains on that day and the replayed ones: new trees, and towers."""
    return _continued(replay, first, "warm", seed)


def incremental(replay: Replay, first: DayModel, seed: int) -> Iterator[DayResult]:
    """The same, regularised towards the weights of the day before and of the cold start."""
    return _continued(replay, first, "incremental", seed)


STRATEGIES: dict[str, Strategy] = {"frozen": frozen, "cold": cold, "warm": warm, "incremental": incremental}


def _cold(config: PipelineConfig, day: ReplayDay, start: Start, seed: int) -> tuple[DayModel, DayResult]:
    seconds: dict[str, float] = {}
    with _timed(seconds, "forest"):
        forest, _ = train_forest(
            day.window.batches(),
            replace(config.forest, seed=seed),
            config.features.forest_names,
            config.objective_names,
        )
    model = _towers(config, forest, day.window, "cold", start, None, seed, seconds)
    return model, _predicted(config, model, day.test, seconds)


def _continued(replay: Replay, first: DayModel, start: Start, seed: int) -> Iterator[DayResult]:
    model, config = first, replay.config
    seen = list(replay.seen)
    for before, day in zip(replay.days[:-1], replay.days[1:], strict=True):
        seconds: dict[str, float] = {}
        forest = model.forest
        seen = [*seen, before.test_by_first][-1 - replay_count(config) :]
        rows = _joined(seen)
        if config.retraining.refresh_forest:
            with _timed(seconds, "refresh"):
                forest = _refreshed(forest, before.test_by_first, config.forest.learning_rate)
            with _timed(seconds, "added trees"):
                forest = _with_added_trees(config, forest, rows, seed)
        model = _towers(config, forest, rows, start, start, model, seed, seconds)
        yield _predicted(config, model, day.test_by_first, seconds)


def _refreshed(forest: Forest, rows: Rows, learning_rate: float) -> Forest:
    traversal = Traversal(forest)
    return refreshed(forest, ((traversal(features), labels) for features, labels, _ in rows.batches()), learning_rate)


def _with_added_trees(config: PipelineConfig, forest: Forest, rows: Rows, seed: int) -> Forest:
    settings, retraining = replace(config.forest, seed=seed), config.retraining
    return with_added_trees(
        *(forest, rows.batches(), settings, config.objective_names),
        *(retraining.added_rounds, retraining.added_learning_rate_fraction),
    )


def _joined(days: Sequence[Rows]) -> Rows:
    return Rows(
        np.concatenate([rows.features for rows in days]),
        {name: np.concatenate([rows.towers[name] for rows in days]) for name in days[0].towers},
        np.concatenate([rows.labels for rows in days]),
        np.concatenate([rows.buckets for rows in days]),
    )


def _towers(
    config: PipelineConfig,
    forest: Forest,
    rows: Rows,
    start: Start,
    following: Start,
    parent: DayModel | None,
    seed: int,
    seconds: dict[str, float],
) -> DayModel:
    with _timed(seconds, "leaves"):
        leaves = Traversal(forest)(rows.features).astype(np.int32)
    batch = {keys.LEAVES: leaves, **_read_by_towers(config, rows), keys.LABELS: rows.labels}
    training = replace(config.training, seed=seed)
    inputs = _inputs(config, forest, rows)
    task = Task(
        LabelCounts(len(rows.labels), rows.labels.sum(axis=0)),
        inputs,
        config.objectives,
        config.towers,
        training,
        replace(config.retraining, start=following),
        forest.fingerprint,
        ForestMargins(forest),
    )

    def batches() -> tf.data.Dataset:
        length = training.length(len(rows.labels), continued=start != "cold")
        return shuffled_batches(batch, length.batch_size, length.epochs, training.seed)

    with _timed(seconds, "towers"):
        before = None
        if parent is not None:
            earlier = parent.state, parent.forest
            before = continued_state(*earlier, forest, inputs, config.objectives, config.towers, seed)
        trained, state = retrain(start, task, batches, before)
    return DayModel(forest, trained.network, state)


def _inputs(config: PipelineConfig, forest: Forest, rows: Rows) -> TowerInputs:
    read = _read_by_towers(config, rows)
    numeric = read[keys.NUMERIC].shape[1] if keys.NUMERIC in read else 0
    dense = config.features.vectors
    codes = calibration_keys(config.features, config.towers), category_codes(config.features, config.towers)
    return TowerInputs(forest.trees, forest.leaves, numeric, dense, *codes)


def _read_by_towers(config: PipelineConfig, rows: Rows) -> dict[str, NDArray[np.float32]]:
    return {name: x for name, x in rows.towers.items() if name != keys.NUMERIC or config.towers.numeric_input}


def _predicted(config: PipelineConfig, model: DayModel, rows: Rows, seconds: dict[str, float]) -> DayResult:
    leaves = Traversal(model.forest)(rows.features).astype(np.int32)
    tensors = {keys.LEAVES: leaves, **_read_by_towers(config, rows)}
    parts = []
    for begin in range(0, len(leaves), _SCORE_ROWS):
        batch = {name: tf.constant(values[begin : begin + _SCORE_ROWS]) for name, values in tensors.items()}
        parts.append(np.asarray(model.network(batch, training=False)))
    logits = np.concatenate(parts)
    share = config.towers.forest_share
    if share:
        logits = (1.0 - share) * logits + share * model.forest.margins(leaves)
    return DayResult(rows.labels, rows.buckets, (1.0 / (1.0 + np.exp(-logits))).astype(np.float32), seconds)


@contextmanager
def _timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[part] = time.perf_counter() - started
