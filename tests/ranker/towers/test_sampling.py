"""Negative downsampling: which negatives are dropped, how many, and that the learnt probabilities stay the same."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ranker import keys
from ranker.config.towers import Towers
from ranker.config.training import Sampling, Training
from ranker.towers.blend import Blend
from ranker.towers.data import LabelCounts, count_labels, count_sampled, training_batches
from ranker.towers.distillation import mixed_labels
from ranker.towers.sampling import Sampler, make_sampler
from ranker.towers.step import logit_losses
from ranker.towers.train import train_towers
from tests.ranker.towers.planted import INPUTS, OBJECTIVES, Impressions, impressions
from tests.ranker.towers.test_data import write_leaf_examples

NAMES = [o.name for o in OBJECTIVES]
ROWS = impressions(20_000, seed=1)


def sampler(sampling: Sampling) -> Sampler:
    made = make_sampler(sampling, NAMES, seed=1)
    assert made is not None
    return made


def sampled(sampling: Sampling, rows: Impressions = ROWS) -> dict[str, np.ndarray]:
    tensors = {name: tf.constant(values) for name, values in rows.tensors().items()}
    return {name: tensor.numpy() for name, tensor in sampler(sampling)(tensors, tf.constant(0, tf.int64)).items()}


def counted(files: list[str], by: Sampler) -> LabelCounts:
    return count_sampled(files, NAMES, by, count_labels(files, NAMES))


def test_nothing_is_dropped_by_default() -> None:
    assert make_sampler(Sampling(), NAMES, seed=1) is None
    assert make_sampler(Sampling(negatives={"like": 1.0}), NAMES, seed=1) is None


def test_every_engaged_impression_is_kept_and_the_others_by_their_share() -> None:
    kept = sampled(Sampling(impressions=0.25))
    engaged = ROWS.labels.any(axis=1)
    rest = len(kept[keys.LABELS]) - engaged.sum()
    assert kept[keys.LABELS].any(axis=1).sum() == engaged.sum()
    assert rest == pytest.approx(0.25 * (~engaged).sum(), rel=0.1)
    expected = np.where(kept[keys.LABELS].any(axis=1), 1.0, 4.0)
    np.testing.assert_allclose(kept[keys.LOSS_WEIGHTS], np.repeat(expected[:, np.newaxis], len(NAMES), axis=1))
    np.testing.assert_array_equal(kept[keys.LOGIT_OFFSET], 0)


def test_an_objective_drops_only_its_own_negatives() -> None:
    kept = sampled(Sampling(negatives={"click": 0.2}, correction="none"))
    weights, click = kept[keys.LOSS_WEIGHTS], NAMES.index("click")
    assert len(weights) == len(ROWS.labels)
    np.testing.assert_array_equal(np.delete(weights, click, axis=1), 1)
    negative = kept[keys.LABELS][:, click] == 0
    np.testing.assert_array_equal(weights[~negative, click], 1)
    assert weights[negative, click].mean() == pytest.approx(0.2, rel=0.05)


@pytest.mark.parametrize("sampling", [Sampling(impressions=0.3), Sampling(negatives={"like": 0.1, "dwell": 0.5})])
def test_weights_keep_the_expected_loss(sampling: Sampling) -> None:
    kept = sampled(sampling)

    def loss(rows: dict[str, np.ndarray], weights: np.ndarray) -> np.ndarray:
        p = np.array([0.2, 0.3, 0.1, 0.5]) + 0.05 * np.tanh(rows["content"][:, :1])
        each = -np.where(rows[keys.LABELS] > 0, np.log(p), np.log1p(-p))
        return (weights * each).sum(axis=0)

    everything = loss(ROWS.tensors(), np.ones(ROWS.labels.shape))
    np.testing.assert_allclose(loss(kept, kept[keys.LOSS_WEIGHTS]), everything, rtol=0.03)


def test_the_shift_is_the_logarithm_of_the_inverse_sampling_rate() -> None:
    kept = sampled(Sampling(negatives={"like": 0.1}, correction="shift"))
    np.testing.assert_allclose(kept[keys.LOGIT_OFFSET][:, NAMES.index("like")], np.log(10), rtol=1e-6)
    np.testing.assert_array_equal(np.delete(kept[keys.LOGIT_OFFSET], NAMES.index("like"), axis=1), 0)
    assert set(np.unique(kept[keys.LOSS_WEIGHTS])) == {0.0, 1.0}


@pytest.mark.slow
@pytest.mark.parametrize("correction", ["weights", "shift"])
def test_base_rates_are_those_of_all_impressions(tmp_path: Path, correction: str) -> None:
    files = write_leaf_examples(tmp_path, ROWS)
    sampling = Sampling(negatives={"like": 0.1, "dwell": 0.3}, correction=correction)  # type: ignore[arg-type]
    counts = counted(files, sampler(sampling))
    np.testing.assert_allclose(counts.base_rates, ROWS.labels.mean(axis=0), rtol=0.05)
    if correction == "shift":
        like = NAMES.index("like")
        assert counts.rates_in_loss[like] > 2 * counts.base_rates[like]


@pytest.mark.slow
def test_training_reads_the_rows_that_were_counted_in_every_epoch(tmp_path: Path) -> None:
    files = write_leaf_examples(tmp_path, ROWS)
    unscaled = sampler(Sampling(impressions=0.5, negatives={"like": 0.3}))
    scaled = unscaled.scaled((counts := counted(files, unscaled)).scale)
    batches = training_batches(files, INPUTS, len(NAMES), 128, 3_000, 2, 1, scaled)
    rows = [batch[keys.LABELS].shape[0] for batch in batches]
    assert sum(rows) == 2 * counts.rows < 2 * len(ROWS.labels)
    assert rows[: len(rows) // 2] == rows[len(rows) // 2 :]
    weights = np.concatenate([batch[keys.LOSS_WEIGHTS] for batch in batches])
    np.testing.assert_allclose(weights.mean(axis=0), 1, rtol=1e-4)


@pytest.mark.slow
def test_the_unit_of_the_rows_weights_does_not_matter(tmp_path: Path) -> None:
    rows = impressions(300, seed=1)
    by = sampler(Sampling(negatives={"like": 0.3}))
    weight = np.random.default_rng(2).choice([0.5, 1.5], len(rows.labels))
    for folder in (tmp_path / "one", tmp_path / "other"):
        folder.mkdir()
    one = counted(write_leaf_examples(tmp_path / "one", rows, weights=weight), by)
    other = counted(files := write_leaf_examples(tmp_path / "other", rows, weights=weight / 1000), by)
    assert other.weights is not None
    assert one.weights is not None
    np.testing.assert_allclose(other.positives, one.positives, rtol=1e-5)
    np.testing.assert_allclose(other.weights, one.weights, rtol=1e-5)
    np.testing.assert_allclose(other.base_rates, one.base_rates, rtol=1e-5)
    np.testing.assert_allclose(one.base_rates, np.average(rows.labels, axis=0, weights=weight), rtol=0.15)
    batches = training_batches(files, INPUTS, len(NAMES), 128, 300, 1, 1, by.scaled(other.scale))
    weights = np.concatenate([batch[keys.LOSS_WEIGHTS] for batch in batches])
    np.testing.assert_allclose(weights.mean(axis=0), 1, rtol=1e-4)


@pytest.mark.slow
def test_a_continued_training_may_lack_the_labels_of_an_objective(tmp_path: Path) -> None:
    rows, like = impressions(300, seed=1), NAMES.index("like")
    labels = np.where(np.array(NAMES) == "like", np.nan, rows.labels).astype(np.float32)
    files, by = write_leaf_examples(tmp_path, rows.with_labels(labels)), sampler(Sampling(negatives={"like": 0.3}))
    plain = count_labels(files, NAMES, may_lack=True)
    counts = count_sampled(files, NAMES, by, plain)
    for found in (plain, counts):
        np.testing.assert_array_equal(found.has_labels, np.array(NAMES) != "like")
        assert found.rates_in_loss[like] == 0.5
        assert np.isfinite(found.scale).all()
    batches = training_batches(files, INPUTS, len(NAMES), 128, 300, 1, 1, by.scaled(counts.scale))
    weights = np.concatenate([batch[keys.LOSS_WEIGHTS] for batch in batches])
    np.testing.assert_allclose(weights.mean(axis=0), np.array(NAMES) != "like", rtol=1e-4)


@pytest.mark.slow
def test_an_objective_without_impressions_is_refused(tmp_path: Path) -> None:
    rows = ROWS.with_labels(ROWS.labels * (np.array(NAMES) != "like"))
    files = write_leaf_examples(tmp_path, rows)
    with pytest.raises(ValueError, match=r"keeps no impression for the objectives \['like'\]"):
        counted(files, sampler(Sampling(negatives={"like": 1e-9}, correction="none")))


def test_the_loss_is_weighted_and_of_shifted_log_odds() -> None:
    labels = np.array([[1, 0], [0, 0]], np.float32)
    weights = np.array([[1, 3], [0, 1]], np.float32)
    offset = np.array([[0.5, 0], [0.5, 0]], np.float32)
    batch = {keys.LABELS: labels, keys.LOSS_WEIGHTS: weights, keys.LOGIT_OFFSET: offset, keys.LEAVES: labels}
    logits = np.array([[0.1, -1.0], [2.0, 0.3]], np.float32)
    blend = Blend(lambda leaves: tf.fill(tf.shape(leaves), 2.0), 0.25)
    network: Any = SimpleNamespace(member_logits=lambda batch, training: [tf.constant(logits)])
    found = logit_losses(network, batch, True, blend)
    p = 1 / (1 + np.exp(-(0.75 * logits + 0.5 + offset)))
    np.testing.assert_allclose(found, -weights * np.where(labels > 0, np.log(p), np.log1p(-p)), rtol=1e-5)


def test_the_shift_is_added_to_the_teachers_log_odds() -> None:
    batch = {
        keys.LEAVES: np.zeros([2, 1], np.int32),
        keys.LABELS: np.array([[0.0], [1.0]], np.float32),
        keys.LOGIT_OFFSET: np.full([2, 1], np.log(9), np.float32),
    }
    batches = tf.data.Dataset.from_tensors(batch)
    [mixed] = mixed_labels(batches, lambda leaves: tf.zeros([2, 1]), np.array([0.5], np.float32)).as_numpy_iterator()
    np.testing.assert_allclose(mixed[keys.LABELS], [[0.45], [0.95]], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(impressions=0.3),
        Sampling(negatives={"like": 0.1, "share": 0.1}),
        Sampling(negatives={"like": 0.1, "share": 0.1}, correction="shift"),
        Sampling(negatives={"like": 0.1, "share": 0.1}, correction="none"),
    ],
    ids=["impressions", "weights", "shift", "none"],
)
def test_predictions_are_calibrated_unless_nothing_is_corrected(sampling: Sampling) -> None:
    kept = sampled(sampling)
    labels, weights = kept[keys.LABELS], kept[keys.LOSS_WEIGHTS]
    sums = weights.sum(axis=0)
    counts = LabelCounts(len(labels), (labels * weights).sum(axis=0), sums, sampler(sampling).log_odds)
    kept[keys.LOSS_WEIGHTS] = weights * (len(labels) / sums).astype(np.float32)
    training = Training(epochs=3, batch_size=256, learning_rate=3e-3)
    batches = tf.data.Dataset.from_tensor_slices(kept).batch(training.batch_size).repeat(training.epochs)
    towers = Towers(leaf_embedding_size=4, hidden=(16,), dense_projection_size=4, leaf_dropout=0.0)
    network = train_towers(batches, counts, INPUTS, OBJECTIVES, towers, training).network
    test = impressions(20_000, seed=2)
    p = tf.sigmoid(network(test.tensors(), training=False)).numpy()
    o_over_e = dict(zip(NAMES, test.labels.sum(axis=0) / p.sum(axis=0), strict=True))
    if sampling.correction == "none":
        assert o_over_e["like"] < 0.7
        assert o_over_e["share"] < 0.7
        assert o_over_e["click"] == pytest.approx(1, abs=0.1)
    else:
        assert list(o_over_e.values()) == pytest.approx([1] * len(NAMES), abs=0.1)
