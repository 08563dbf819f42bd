"""Towers that learn relevance from a log whose order depends on it, judged on sessions in random order."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from ranker import keys
from ranker.config.columns import Exposure
from ranker.config.examination import Examination
from ranker.config.objectives import Objective
from ranker.config.retraining import Retraining
from ranker.config.towers import Towers
from ranker.config.training import Training
from ranker.features.exposure import exposure_values
from ranker.towers.data import LabelCounts
from ranker.towers.examination import RandomImpressions, fit_examination
from ranker.towers.inputs import TowerInputs
from ranker.towers.relevance import examined, relevance_shift
from ranker.towers.retrain import Task, retrain

pytestmark = pytest.mark.slow

ITEMS, LEAVES_PER_TREE, DEVICES = 15, 8, 3
PATIENCE = np.array([12.0, 6.0, 3.0])
BASES = np.array([-0.8, -3.0])
OBJECTIVES = (Objective("click", tower="passive"), Objective("like", tower="active"))
INPUTS = TowerInputs(trees=2, leaves=2 * LEAVES_PER_TREE, numeric=0, dense={})
TOWERS = Towers(leaf_embedding_size=4, hidden=(16,), categorical_embedding_size=0, cross_rank=0, forest_share=0.3)
TRAINING = Training(epochs=2, batch_size=512, learning_rate=5e-3)
POSITION = Exposure("position", default=1.0)
EFFECTS = np.random.default_rng(0).normal(0, 0.7, (2, LEAVES_PER_TREE))


@dataclass(frozen=True)
class Log:
    """Sessions of `ITEMS` impressions, [rows]; the production ranker knows more of relevance than the leaves say."""

    leaves: np.ndarray
    device: np.ndarray
    position: np.ndarray
    session: np.ndarray
    random: np.ndarray
    labels: np.ndarray

    def batches(self, log_examination: np.ndarray | None, size: int = 512, epochs: int = 1) -> tf.data.Dataset:
        """Shuffled batches for training."""
        rng = np.random.default_rng(5)
        order = np.concatenate([rng.permutation(len(self.session)) for _ in range(epochs)])
        tensors = {keys.LEAVES: self.leaves[order], keys.LABELS: self.labels[order]}
        if log_examination is not None:
            tensors[keys.LOG_EXAMINATION] = log_examination[order]
        return tf.data.Dataset.from_tensor_slices(tensors).batch(size)


def make_log(sessions: int, share_random: float, seed: int) -> Log:
    rng = np.random.default_rng(seed)
    rows = sessions * ITEMS
    session = np.repeat(np.arange(sessions), ITEMS)
    device = rng.integers(0, DEVICES, sessions)[session]
    leaves = rng.integers(0, LEAVES_PER_TREE, (rows, 2)) + np.array([0, LEAVES_PER_TREE])
    relevant = EFFECTS.reshape(-1)[leaves].sum(axis=1) + rng.normal(0, 0.3, rows)
    random = (rng.random(sessions) < share_random)[session]
    score = np.where(random, rng.normal(size=rows), relevant + rng.normal(0, 0.9, rows))
    position = np.empty(rows)
    position[np.lexsort((-score, session))] = np.tile(np.arange(1, ITEMS + 1), sessions)
    seen = 1 / (1 + (position - 1) / PATIENCE[device])
    chance = seen[:, None] / (1 + np.exp(-(relevant[:, None] + BASES)))
    labels = (rng.random(chance.shape) < chance).astype(np.float32)
    return Log(leaves.astype(np.int32), device[:, None], position, session, random, labels)


def values_of(log: Log) -> tf.Tensor:
    return exposure_values([POSITION], [tf.constant(log.position, tf.float32)])


def forest_of(log: Log) -> np.ndarray:
    """[2, leaves per tree, objectives], additive log-odds that know no exposure, as boosting finds them."""
    rates = log.labels.mean(axis=0)
    values = np.zeros((2, LEAVES_PER_TREE, 2))
    for tree in range(2):
        for leaf in range(LEAVES_PER_TREE):
            rate = log.labels[log.leaves[:, tree] == leaf + tree * LEAVES_PER_TREE].mean(axis=0)
            values[tree, leaf] = np.log(rate / (1 - rate)) - np.log(rates / (1 - rates))
    values[0] += np.log(rates / (1 - rates))
    return values.reshape(-1, 2)


def margins_of(values: np.ndarray, shift: np.ndarray | float, leaves: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.gather(values.astype(np.float32), leaves), axis=1) + shift


@pytest.fixture(scope="module")
def logs() -> tuple[Log, Log]:
    """A log with one session in twelve in random order, and later sessions in random order only."""
    return make_log(9_000, 1 / 12, seed=1), make_log(6_000, 1.0, seed=2)


def o_over_e(logs: tuple[Log, Log], with_examination: bool) -> np.ndarray:
    """O/E [objectives] on the later sessions, of towers and forest trained on the log."""
    log, later = logs
    log_examination, expected_examination = None, None
    shift: np.ndarray | float = 0.0
    counts = LabelCounts(len(log.session), log.labels.sum(axis=0))
    values = forest_of(log)
    if with_examination:
        seen = log.random
        random = RandomImpressions(
            values_of(log).numpy()[seen], log.device[seen], log.session[seen], log.labels[seen].sum(axis=1)
        )
        model = fit_examination(random, [POSITION], [DEVICES], Examination(by=("device",)))
        log_examination = model(values_of(log), log.device).numpy()
        expected_examination = model(values_of(later), later.device)
        shift, mean = relevance_shift(log.batches(log_examination), partial(margins_of, values, 0.0))
        counts = replace(counts, mean_examination=mean)
    margins = partial(margins_of, values, shift)
    task = Task(
        counts, INPUTS, OBJECTIVES, TOWERS, TRAINING, Retraining(), "forest", margins, examination=with_examination
    )
    trained, _ = retrain("cold", task, lambda: log.batches(log_examination, epochs=2))
    towers = trained.network({keys.LEAVES: tf.constant(later.leaves)})
    logits = (1 - TOWERS.forest_share) * towers + TOWERS.forest_share * margins(tf.constant(later.leaves))
    if expected_examination is not None:
        logits = examined(logits, {keys.LOG_EXAMINATION: expected_examination})
    return np.asarray(later.labels.sum(axis=0) / tf.sigmoid(logits).numpy().sum(axis=0))


def test_examination_times_relevance_is_calibrated_where_the_order_is_another_one(logs: tuple[Log, Log]) -> None:
    _, later = logs
    assert np.all(later.labels.sum(axis=0) > 1_000)
    product = o_over_e(logs, with_examination=True)
    assert np.all((product > 0.95) & (product < 1.05)), product


def test_without_it_calibration_holds_for_the_logged_order_only(logs: tuple[Log, Log]) -> None:
    plain = o_over_e(logs, with_examination=False)
    assert np.all(plain < 0.94), plain
