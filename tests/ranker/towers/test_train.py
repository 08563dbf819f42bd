"""Training: what it learns, reproducibility, what it records, and its errors."""

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from ranker import keys
from ranker.config.towers import Towers
from ranker.config.training import Training
from ranker.progress import LOGGER_NAME
from ranker.towers.history import TrainingHistory
from ranker.towers.loss_watch import ExplosionWatch, Position, TrainingDivergedError
from ranker.towers.train import TrainedTowers, train_towers
from tests.ranker.towers.planted import INPUTS, OBJECTIVES, Impressions, impressions

TOWERS = Towers(leaf_embedding_size=4, hidden=(32, 16), dense_projection_size=4, leaf_dropout=0.0)
SMALL = Towers(leaf_embedding_size=2, hidden=(8,), dense_projection_size=2, cross_rank=0, members=1)
"""For what does not depend on the network: it is traced in half the time."""

TRAINING = Training(epochs=1, batch_size=256, learning_rate=1e-2)
# If the batch is larger than the number of rows, an epoch has one step.
ONE_STEP_EPOCHS = replace(TRAINING, batch_size=8192, epochs=30)


def _train(
    rows: Impressions, training: Training = TRAINING, towers: Towers = TOWERS, log_dir: str | None = None
) -> TrainedTowers:
    length = training.length(len(rows.labels))
    batches = rows.batches(length.batch_size, length.epochs)
    return train_towers(batches, rows.counts(), INPUTS, OBJECTIVES, towers, training, log_dir)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainedTowers, str]:
    logs = str(tmp_path_factory.mktemp("logs"))
    return _train(impressions(20_100, seed=1), replace(TRAINING, epochs=2), log_dir=logs), logs


@pytest.mark.slow
def test_learns_the_planted_rule_and_stays_calibrated(trained: tuple[TrainedTowers, str]) -> None:
    held_out = impressions(10_000, seed=2)

    probabilities = tf.sigmoid(trained[0].network(held_out.tensors())).numpy()

    aucs = [roc_auc_score(held_out.labels[:, i], probabilities[:, i]) for i in range(len(OBJECTIVES))]
    # Scoring with the rule itself reaches 0.826, 0.798, 0.856 and 0.837.
    assert np.all(np.array(aucs) > [0.78, 0.76, 0.74, 0.80])
    np.testing.assert_allclose(probabilities.sum(axis=0) / held_out.labels.sum(axis=0), 1.0, atol=0.12)


@pytest.mark.slow
def test_history_covers_every_impression(trained: tuple[TrainedTowers, str]) -> None:
    history = trained[0].history

    assert history.impressions[-1] == 2 * 20_100
    assert history.step[-1] == 2 * 79
    assert history.objectives == [o.name for o in OBJECTIVES]
    np.testing.assert_allclose(np.sum(history.objective_losses, axis=1), history.loss, rtol=1e-6)
    assert history.loss[-1] < 0.9 * history.base_rate_loss
    assert max(history.learning_rate) == pytest.approx(TRAINING.learning_rate, rel=0.05)
    assert history.learning_rate[-1] == pytest.approx(TRAINING.learning_rate * 0.05, rel=1e-3)
    assert history.rows_per_second > 0
    assert TrainingHistory.from_json(history.to_json()) == history


@pytest.mark.slow
def test_the_first_step_has_the_loss_of_the_base_rates() -> None:
    rows = impressions(2560, seed=1)

    history = _train(rows, replace(ONE_STEP_EPOCHS, epochs=1), SMALL).history

    assert history.loss[0] == pytest.approx(history.base_rate_loss, rel=1e-5)


@pytest.mark.slow
def test_tensorboard_reads_the_curves(trained: tuple[TrainedTowers, str]) -> None:
    towers, logs = trained
    (file,) = tf.io.gfile.glob(f"{logs}/events*")
    curves: dict[str, list[tuple[int, float]]] = {}
    for event in tf.compat.v1.train.summary_iterator(file):
        for value in event.summary.value:
            assert value.metadata.plugin_data.plugin_name == "scalars"
            curves.setdefault(value.tag, []).append((event.step, float(tf.make_ndarray(value.tensor))))

    assert set(curves) == {"loss", "learning_rate", *(f"objective_loss/{o.name}" for o in OBJECTIVES)}
    assert [step for step, _ in curves["loss"]] == towers.history.step
    np.testing.assert_allclose([loss for _, loss in curves["loss"]], towers.history.loss, rtol=1e-6)


@pytest.mark.slow
def test_same_seed_same_weights_bit_for_bit() -> None:
    rows = impressions(3000, seed=1)
    towers = replace(TOWERS, dropout=0.1)

    first, again = (_train(rows, towers=towers).network.get_weights() for _ in range(2))

    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "learning_rate"), [("adam", 5e-2), ("adamw", 5e-2), ("adagrad", 5e-2)])
def test_every_optimizer_lowers_the_loss(optimizer: Any, learning_rate: float) -> None:
    training = replace(ONE_STEP_EPOCHS, optimizer=optimizer, weight_decay=0.01, learning_rate=learning_rate)

    history = _train(impressions(6000, seed=1), training).history

    assert history.step[-1] == 30
    assert history.loss[-1] < 0.95 * history.base_rate_loss


@pytest.mark.slow
def test_all_impressions_have_equal_weight_in_a_smaller_last_batch() -> None:
    rows = impressions(300, seed=1)
    order = np.argsort(rows.labels[:, 1])
    uneven = Impressions(rows.leaves[order], rows.numeric[order], rows.content[order], rows.labels[order])

    history = _train(uneven, replace(TRAINING, learning_rate=1e-9), SMALL).history

    assert history.loss[0] == pytest.approx(history.base_rate_loss, rel=1e-4)


@pytest.mark.slow
def test_progress_reports_impressions_and_loss(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger=LOGGER_NAME):
        _train(impressions(500, seed=1), replace(ONE_STEP_EPOCHS, epochs=3), SMALL)

    last = vars(caplog.records[-1])["progress"]
    assert (last.done, last.total) == (1500, 1500)
    assert "loss" in last.detail


@pytest.mark.slow
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_infinite_input_is_reported_with_its_step(value: float) -> None:
    rows = impressions(2560, seed=1)
    rows.content[256 * 3 + 7, 2] = value

    with pytest.raises(
        ValueError, match=r"the input content holds NaN or infinity in the batch at step 4 of 10 \(epoch 1"
    ):
        _train(rows, towers=SMALL)


@pytest.mark.slow
def test_a_nan_loss_on_finite_inputs_names_its_objective_and_a_remedy() -> None:
    rows = impressions(2560, seed=1)
    labels = rows.labels.copy()
    labels[600, 2] = np.nan
    batches = rows.with_labels(labels).batches(256)

    with pytest.raises(TrainingDivergedError) as caught:
        train_towers(batches, rows.counts(), INPUTS, OBJECTIVES, SMALL, TRAINING)

    assert str(caught.value) == (
        "towers: the loss is not a number at step 3 of 10 (epoch 1, learning rate 0.00889), for share: nan. "
        "The batch's inputs are finite. Try a lower training.learning_rate, a larger training.warmup_fraction, or a "
        "smaller training.gradient_clip_norm."
    )


@pytest.mark.slow
def test_an_absurd_learning_rate_is_an_error_with_a_remedy() -> None:
    training = replace(ONE_STEP_EPOCHS, learning_rate=1.0, warmup_fraction=0.0, gradient_clip_norm=None)

    with pytest.raises(
        TrainingDivergedError, match=r"(exploded to|is not a number).*Try a lower training\.learning_rate"
    ):
        _train(impressions(4000, seed=1), training)


def test_the_watch_tolerates_one_bad_step_but_not_many() -> None:
    position = Position(step=50, steps=100, epoch=1, learning_rate=0.1)
    watch = ExplosionWatch(base_rate_loss=1.0)

    watch.add(np.array([1.0] * 19 + [60.0]), np.full(20, 512))
    watch.check(position)
    watch.add(np.full(20, 6.0), np.full(20, 512))

    with pytest.raises(TrainingDivergedError, match=r"exploded to 6 at step 50 of 100"):
        watch.check(position)


def test_the_watch_ignores_steps_outside_its_window() -> None:
    watch = ExplosionWatch(base_rate_loss=1.0)

    watch.add(np.array([1000.0] + [1.0] * 20), np.full(21, 1000))

    watch.check(Position(step=21, steps=21, epoch=1, learning_rate=0.1))


@pytest.mark.slow
def test_fewer_rows_than_counted_is_an_error() -> None:
    rows = impressions(500, seed=1)

    with pytest.raises(ValueError, match="fewer rows than were counted"):
        train_towers(rows.batches(8192), rows.counts(), INPUTS, OBJECTIVES, SMALL, ONE_STEP_EPOCHS)


@pytest.mark.slow
def test_the_error_of_an_invalid_row_says_what_is_wrong() -> None:
    rows = impressions(500, seed=1)

    def check(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([tf.debugging.assert_less(batch[keys.LEAVES], 1, "leaf too large")]):
            return {**batch, keys.LEAVES: tf.identity(batch[keys.LEAVES])}

    with pytest.raises(ValueError, match="leaf too large"):
        train_towers(rows.batches(8192).map(check), rows.counts(), INPUTS, OBJECTIVES, SMALL, ONE_STEP_EPOCHS)
