"""Training the forest on streamed batches."""

import logging
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xgboost as xgb
from sklearn.metrics import roc_auc_score

from ranker.config.forest import Forest as ForestConfig
from ranker.forest.curve import LimitedOutput
from ranker.forest.model import Forest
from ranker.forest.train import ForestBatch, WeightedForestBatch, are_held_out, train_forest
from ranker.forest.traverse import Traversal
from ranker.keys import VIEWER_BUCKETS
from ranker.progress import LOGGER_NAME

FEATURES = [f"f{i}" for i in range(8)]
OBJECTIVES = ["click", "like"]
CONFIG = ForestConfig(trees=20, depth=3, learning_rate=0.3, min_child_weight=1.0)


def feed(rows: int = 4000, batch_rows: int = 700, seed: int = 0) -> Iterator[ForestBatch]:
    """Batches with labels that depend on the features, and on whether one of them is missing."""
    rng = np.random.default_rng(seed)
    for begin in range(0, rows, batch_rows):
        n = min(batch_rows, rows - begin)
        features = rng.standard_normal((n, len(FEATURES))).astype(np.float32)
        features[rng.random(features.shape) < 0.1] = np.nan
        x = np.nan_to_num(features)
        logits = np.stack([x[:, 0] * x[:, 1] + np.isnan(features[:, 2]), 2 * np.abs(x[:, 3]) - 3], 1)
        labels = (rng.random((n, 2)) < 1 / (1 + np.exp(-2 * logits))).astype(np.float32)
        yield features, labels, rng.integers(0, VIEWER_BUCKETS, n)


def joined(batches: Iterator[ForestBatch]) -> ForestBatch:
    features, labels, buckets = zip(*batches, strict=True)
    return np.concatenate(features), np.concatenate(labels), np.concatenate(buckets)


def aucs(forest: Forest) -> np.ndarray:
    features, labels, _ = joined(feed(seed=99))
    scores = forest.booster.predict(xgb.DMatrix(features)).reshape(len(features), -1)
    return np.array([roc_auc_score(labels[:, i], scores[:, i]) for i in range(2)])


def test_each_divides_the_trees_among_the_objectives() -> None:
    forest, curve = train_forest(feed(), replace(CONFIG, trees=21, early_stopping_rounds=0), FEATURES, OBJECTIVES)
    assert forest.trees == 20
    assert curve.kept_rounds == len(curve.train) == len(curve.validation) == 10
    assert (aucs(forest) > 0.7).all()


def gappy(wrong: float) -> Iterator[ForestBatch]:
    """The feed with other labels of the first objective in a third of the rows."""
    for features, labels, buckets in feed():
        third = np.nan_to_num(features[:, 4]) > 0.4
        yield features, np.where(third[:, None] & [True, False], wrong, labels).astype(np.float32), buckets


def test_an_objective_learns_from_the_rows_whose_label_was_observed() -> None:
    """A label of 0 in place of one that was not observed would teach the forest the gaps."""
    config = replace(CONFIG, trees=16, subsample=1.0, colsample=1.0, early_stopping_rounds=3)
    masked, curve = train_forest(gappy(np.nan), config, FEATURES, OBJECTIVES)
    as_zero, _ = train_forest(gappy(0.0), config, FEATURES, OBJECTIVES)
    full, full_curve = train_forest(feed(), config, FEATURES, OBJECTIVES)
    features, _, _ = joined(feed(seed=99))
    third = np.nan_to_num(features[:, 4]) > 0.4

    def bias(forest: Forest) -> float:
        click = forest.booster.predict(xgb.DMatrix(features)).reshape(len(features), -1)[:, 0]
        return float(click[third].mean() - click[~third].mean())

    assert abs(bias(masked)) < 0.1 < 0.3 < abs(bias(as_zero))
    # The objective with all labels has the trees that XGBoost's own loss grows, and refitted values on top.
    assert curve.output_rounds["like"] == full_curve.output_rounds["like"]
    theirs, ours = (np.flatnonzero(forest.tree_output == 1) for forest in (full, masked))
    for tree, same in zip(theirs[:2], ours, strict=False):
        values = full.leaf_value[full.first_leaf[tree] : full.first_leaf[tree + 1]]
        begin = masked.first_leaf[same]
        np.testing.assert_allclose(masked.leaf_value[begin : begin + len(values)], values, atol=1e-5)
    nothing = ((f, np.where([True, False], np.nan, y).astype(np.float32), b) for f, y, b in feed())
    with pytest.raises(ValueError, match=r"click has no observed label in the .* training rows"):
        train_forest(nothing, config, FEATURES, OBJECTIVES)


def test_a_row_of_weight_two_is_two_rows() -> None:
    config = replace(CONFIG, trees=8, subsample=1.0, colsample=1.0, early_stopping_rounds=0, validation_fraction=0.0)
    features, labels, buckets = joined(feed(1000))
    twice = np.arange(len(labels)) % 3 == 0
    rows = np.concatenate([np.arange(len(labels)), np.flatnonzero(twice)])
    weighted, _ = train_forest(
        [(features, labels, buckets, np.where(twice, 2.0, 1.0).astype(np.float32))], config, FEATURES, OBJECTIVES
    )
    repeated, _ = train_forest([(features[rows], labels[rows], buckets[rows])], config, FEATURES, OBJECTIVES)
    of_weighted, of_repeated = (
        forest.booster.predict(xgb.DMatrix(features)).reshape(-1) for forest in (weighted, repeated)
    )
    # Weights are scaled to a mean of 1, which makes the penalties a little stronger.
    assert np.abs(of_weighted - of_repeated).mean() < 0.02
    with pytest.raises(ValueError, match="has the weight 0"):
        train_forest([(features, labels, buckets, np.zeros(len(labels), np.float32))], config, FEATURES, OBJECTIVES)


def test_the_forest_starts_from_weighted_base_rates_with_gaps_and_without() -> None:
    """XGBoost computes them where there are no gaps."""
    config = replace(CONFIG, trees=2, early_stopping_rounds=0, validation_fraction=0.0)
    features, labels, buckets = joined(feed(700))
    weights = np.where(labels.max(axis=1) > 0, 1.0, 10.0).astype(np.float32)
    gaps = labels.copy()
    gaps[::50, 1] = np.nan
    for observed in (labels, gaps):
        forest, _ = train_forest([(features, observed, buckets, weights)], config, FEATURES, OBJECTIVES)
        rates = [np.average(y[~np.isnan(y)], weights=weights[~np.isnan(y)]) for y in observed.T]
        found = 1 / (1 + np.exp(-forest.base_margin.astype(np.float64)))
        np.testing.assert_allclose(found, rates, rtol=1e-5)
    plain, _ = train_forest([(features, gaps, buckets)], config, FEATURES, OBJECTIVES)
    ones, _ = train_forest([(features, gaps, buckets, np.ones_like(weights))], config, FEATURES, OBJECTIVES)
    assert ones.fingerprint == plain.fingerprint
    np.testing.assert_array_equal(ones.leaf_value, plain.leaf_value)


def weighing_nothing(rows: np.ndarray, batch: ForestBatch) -> list[WeightedForestBatch]:
    """The batch in which those rows weigh 0."""
    return [(*batch, np.where(rows, 0, 1).astype(np.float32))]


@pytest.mark.parametrize(("lacks", "labels_of"), [("positives", [1]), ("negatives", [0]), ("observed label", [0, 1])])
def test_an_objective_cannot_be_learnt_from_rows_of_weight_zero(lacks: str, labels_of: list[int]) -> None:
    features, labels, buckets = joined(feed(1400))
    labels[::3, 1] = np.nan
    rows = np.isin(labels[:, 1], labels_of)
    message = f"like has no {lacks} in the .* training rows besides {rows.sum()} of weight 0; it cannot be learnt"
    with pytest.raises(ValueError, match=message):
        train_forest(weighing_nothing(rows, (features, labels, buckets)), CONFIG, FEATURES, OBJECTIVES)


def test_rows_of_weight_zero_are_neither_trained_on_nor_held_out() -> None:
    features, labels, buckets = joined(feed(1400))
    config = replace(CONFIG, trees=4)
    held_out = are_held_out(buckets, labels, config)
    for rows in (held_out, ~held_out):
        _, curve = train_forest(weighing_nothing(rows, (features, labels, buckets)), config, FEATURES, OBJECTIVES)
        assert np.isfinite([*curve.train, *curve.validation]).all()
    one_viewer = (features, labels, np.full_like(buckets, 500))
    with pytest.raises(ValueError, match="no viewer of the 1300 training rows besides 100 of weight 0"):
        train_forest(weighing_nothing(np.arange(1400) < 100, one_viewer), config, FEATURES, OBJECTIVES)


def test_held_out_positives_of_weight_zero_do_not_tell_when_to_stop() -> None:
    features, labels, buckets = joined(feed(1400))
    but_twenty = np.cumsum(labels[:, 1]) * labels[:, 1] > 20
    batches = weighing_nothing(but_twenty, (features, labels, buckets))
    _, curve = train_forest(batches, CONFIG, FEATURES, OBJECTIVES)
    assert curve.limited == {"like": LimitedOutput(held_out=2, most_rounds=7)}


def test_any_learns_the_union_with_all_trees() -> None:
    config = replace(CONFIG, target="any", early_stopping_rounds=0)
    forest, _ = train_forest(feed(), config, FEATURES, OBJECTIVES)
    assert forest.trees == 20
    features, labels, _ = joined(feed(seed=99))
    scores = forest.booster.predict(xgb.DMatrix(features))
    assert scores.shape == (len(features),)
    assert scores.mean() == pytest.approx(labels.max(axis=1).mean(), abs=0.03)
    assert roc_auc_score(labels.max(axis=1), scores) > 0.7


def test_the_forest_is_that_of_xgboost_on_in_memory_rows() -> None:
    config = replace(CONFIG, validation_fraction=0.0, subsample=1.0, colsample=1.0)
    forest, curve = train_forest(feed(), config, FEATURES, OBJECTIVES)
    features, labels, _ = joined(feed())
    parameters = {
        "objective": "binary:logistic",
        "max_depth": 3,
        "learning_rate": 0.3,
        "min_child_weight": 1.0,
        "max_bin": 256,
    }
    expected = xgb.train(parameters, xgb.QuantileDMatrix(features, labels, max_bin=256), 10)
    rows = xgb.DMatrix(features)
    np.testing.assert_allclose(forest.booster.predict(rows), expected.predict(rows), rtol=1e-4)
    assert curve.validation == ()


def test_stops_each_objective_at_its_best_round() -> None:
    config = replace(CONFIG, trees=400, learning_rate=1.0, early_stopping_rounds=3)
    forest, curve = train_forest(feed(rows=1500), config, FEATURES, OBJECTIVES)
    click, like = curve.output_rounds["click"], curve.output_rounds["like"]
    assert click != like
    assert curve.kept_rounds == max(click, like)
    assert len(curve.validation) == max(click, like) + 3
    assert forest.trees == click + like

    # Without early stopping, each objective's loss is lowest after the rounds that were kept. The kept forest predicts
    # the same as that many rounds of the full one.
    full, _ = train_forest(feed(rows=1500), replace(config, trees=60, early_stopping_rounds=0), FEATURES, OBJECTIVES)
    features, labels, buckets = joined(feed(rows=1500))
    held_out = buckets < config.validation_fraction * VIEWER_BUCKETS
    rows, y = xgb.DMatrix(features[held_out]), labels[held_out]
    kept = forest.booster.predict(rows)
    for output, rounds in enumerate((click, like)):
        scores = [
            full.booster.predict(rows, iteration_range=(0, n))[:, output].astype(np.float64) for n in range(1, 31)
        ]
        losses = [-np.mean(np.log(np.where(y[:, output] > 0, p, 1 - p), dtype=np.float64)) for p in scores]
        assert int(np.argmin(losses)) + 1 == rounds
        np.testing.assert_allclose(kept[:, output], scores[rounds - 1], rtol=1e-5)
    np.testing.assert_array_equal(
        forest.renumber(forest.booster.predict(rows, pred_leaf=True)), Traversal(forest)(features[held_out])
    )


def test_held_out_viewers_grow_no_trees() -> None:
    def tampered() -> Iterator[ForestBatch]:
        for features, labels, buckets in feed():
            held_out = buckets < CONFIG.validation_fraction * VIEWER_BUCKETS
            yield np.where(held_out[:, None], np.float32(7), features), labels, buckets

    config = replace(CONFIG, early_stopping_rounds=0)
    one, one_curve = train_forest(feed(), config, FEATURES, OBJECTIVES)
    other, other_curve = train_forest(tampered(), config, FEATURES, OBJECTIVES)
    assert one.fingerprint == other.fingerprint
    assert one_curve.validation != other_curve.validation


def test_trees_grow_on_a_sample_and_leaf_values_are_fitted_on_all_rows() -> None:
    config = replace(CONFIG, early_stopping_rounds=0, subsample=1.0, colsample=1.0)
    everything, _ = train_forest(feed(), config, FEATURES, OBJECTIVES)
    sampled, _ = train_forest(feed(), replace(config, sample_rows=1_800), FEATURES, OBJECTIVES)
    enough, _ = train_forest(feed(), replace(config, sample_rows=4_000), FEATURES, OBJECTIVES)
    assert enough.fingerprint == everything.fingerprint != sampled.fingerprint
    assert (aucs(sampled) > aucs(everything) - 0.02).all()
    # The cover is the sum of the hessians of all rows, which are equal in an output's first tree.
    rate = sampled.base_margin[0]
    hessian = 4_000 * np.exp(-rate) / (1 + np.exp(-rate)) ** 2
    assert sampled.leaf_cover[: sampled.first_leaf[1]].sum() == pytest.approx(hessian, rel=1e-5)


def with_noise(positives: int, rows: int, seed: int) -> Iterator[ForestBatch]:
    """The feed with a second objective of pure noise, which has exactly `positives` positives."""
    random = np.random.default_rng(seed)
    noise = np.zeros(rows, np.float32)
    noise[random.choice(rows, positives, replace=False)] = 1.0
    for features, labels, buckets in feed(rows, seed=seed):
        labels[:, 1], noise = noise[: len(labels)], noise[len(labels) :]
        yield features, labels, buckets


@pytest.mark.parametrize(("positives", "held_out", "seed"), [(10, 1, 0), (20, 2, 1), (40, 4, 2)])
def test_noise_with_few_positives_neither_keeps_its_rounds_nor_predicts_anything(
    positives: int, held_out: int, seed: int
) -> None:
    rows = 6_000
    config = replace(CONFIG, trees=120, learning_rate=0.1, min_child_weight=5.0)
    forest, curve = train_forest(with_noise(positives, rows, seed), config, FEATURES, ["click", "noise"])
    assert curve.limited["noise"].held_out == pytest.approx(held_out, abs=1)
    assert curve.limited["noise"].most_rounds == 20
    assert curve.output_rounds["noise"] <= 20
    assert curve.output_rounds["click"] > 40
    assert "click" not in curve.limited

    # The forest's probabilities, which teach the towers and are blended into the score, are close to the base rate.
    features, _, _ = joined(feed(seed=99))
    p = 1.0 / (1.0 + np.exp(-forest.margins(Traversal(forest)(features))[:, 1].astype(np.float64)))
    rate = positives / rows
    expected_loss = -(rate * np.log(p).mean() + (1.0 - rate) * np.log1p(-p).mean())
    assert expected_loss / -(rate * np.log(rate) + (1.0 - rate) * np.log1p(-rate)) < 1.03


def test_the_held_out_viewers_are_those_of_the_training() -> None:
    features, labels, buckets = joined(with_noise(20, 8_000, seed=4))
    held_out = are_held_out(buckets, labels, CONFIG)
    assert 1 <= labels[held_out, 1].sum() <= 3

    def tampered(rows: np.ndarray) -> Iterator[ForestBatch]:
        yield np.where(rows[:, None], np.float32(7), features), labels, buckets

    config = replace(CONFIG, early_stopping_rounds=0)
    nothing = np.zeros_like(held_out)
    fingerprints = [
        train_forest(tampered(rows), config, FEATURES, OBJECTIVES)[0].fingerprint
        for rows in (nothing, held_out, ~held_out)
    ]
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_the_seed_determines_the_forest() -> None:
    def fingerprint(seed: int) -> str:
        return train_forest(feed(), replace(CONFIG, seed=seed), FEATURES, OBJECTIVES)[0].fingerprint

    assert fingerprint(1) == fingerprint(1)
    assert fingerprint(1) != fingerprint(2)


def test_external_memory_learns_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ranker.forest.boosting._PAGE_ROWS", 900)
    config = replace(CONFIG, trees=60)
    inside, _ = train_forest(feed(), config, FEATURES, OBJECTIVES)
    outside, _ = train_forest(feed(), replace(config, external_memory=True), FEATURES, OBJECTIVES, scratch=tmp_path)
    np.testing.assert_allclose(aucs(outside), aucs(inside), atol=0.02)
    assert not list(tmp_path.iterdir())


def test_batches_are_read_once_and_not_kept() -> None:
    alive: list[int] = []
    most = 0

    class Counted(np.ndarray):
        def __array_finalize__(self, parent: object) -> None:
            pass

    def counted() -> Iterator[ForestBatch]:
        nonlocal most
        for features, labels, buckets in feed(batch_rows=100):
            owned = features.view(Counted)
            alive.append(1)
            weakref.finalize(owned, alive.pop)
            most = max(most, len(alive))
            yield owned, labels, buckets

    batches = counted()
    train_forest(batches, CONFIG, FEATURES, OBJECTIVES)
    assert next(batches, None) is None
    assert most <= 4


def test_progress_reports_every_round_and_its_losses(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOGGER_NAME):
        train_forest(feed(), replace(CONFIG, early_stopping_rounds=0), FEATURES, OBJECTIVES)
    last = caplog.records[-1].progress  # type: ignore[attr-defined]
    assert (last.done, last.total) == (10, 10)
    assert "train log loss" in last.detail
    assert "validation log loss" in last.detail


def test_early_stopping_records_the_same_losses() -> None:
    """Then the training loss comes from a callback: a custom metric makes XGBoost copy all training predictions."""
    never, always = (replace(CONFIG, early_stopping_rounds=rounds) for rounds in (0, 1000))
    (_, expected), (_, found) = (train_forest(feed(), config, FEATURES, OBJECTIVES) for config in (never, always))
    assert found.train == expected.train
    assert found.validation == expected.validation
    assert len(set(found.train)) == 10


def with_labels(column: int, value: float) -> Iterator[ForestBatch]:
    for features, labels, buckets in feed():
        labels[:, column] = value
        yield features, labels, buckets


@pytest.mark.parametrize(("value", "missing"), [(0.0, "no positives"), (1.0, "no negatives")])
def test_an_objective_that_cannot_be_learnt_is_named(value: float, missing: str) -> None:
    with pytest.raises(ValueError, match=f"like has {missing}"):
        train_forest(with_labels(1, value), CONFIG, FEATURES, OBJECTIVES)
    with pytest.raises(ValueError, match="click has no positives"):
        train_forest(with_labels(0, 0.0), CONFIG, FEATURES, OBJECTIVES)


def test_an_infinite_feature_is_named() -> None:
    def infinite() -> Iterator[ForestBatch]:
        for features, labels, buckets in feed():
            features[3, 5] = -np.inf
            yield features, labels, buckets

    with pytest.raises(ValueError, match=r"\['f5'\] hold infinite values"):
        train_forest(infinite(), CONFIG, FEATURES, OBJECTIVES)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="no rows to train on"):
        train_forest(iter(()), CONFIG, FEATURES, OBJECTIVES)
    with pytest.raises(ValueError, match=r"expected features of shape \[700, 3\], got \[700, 8\]"):
        train_forest(feed(), CONFIG, FEATURES[:3], OBJECTIVES)
    with pytest.raises(ValueError, match=r"expected labels of shape \[700, 3\], got \[700, 2\]"):
        train_forest(feed(), CONFIG, FEATURES, [*OBJECTIVES, "share"])
    with pytest.raises(ValueError, match="1 trees are too few for 2 objectives"):
        train_forest(feed(), replace(CONFIG, trees=1), FEATURES, OBJECTIVES)

    for bucket, message in ((999, "=0.1 holds out no viewer"), (0, "=0.1 holds out; a log of a single viewer needs 0")):
        one_viewer = ((features, labels, np.full_like(buckets, bucket)) for features, labels, buckets in feed())
        with pytest.raises(ValueError, match=f"validation_fraction{message}"):
            train_forest(one_viewer, CONFIG, FEATURES, OBJECTIVES)


def test_a_missing_gpu_is_an_error_and_not_a_slow_training() -> None:
    config = replace(CONFIG, device="cuda")
    try:
        train_forest(feed(), config, FEATURES, OBJECTIVES)
    except ValueError as error:
        message = str(error)
    else:
        pytest.skip("there is a GPU here")
    assert "cuda is configured, but XGBoost finds no such device" in message


def test_the_other_workers_learn_that_one_has_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would wait for it for ever."""
    told: list[int] = []
    monkeypatch.setattr("ranker.forest.together.least", told.append)
    monkeypatch.setattr(xgb.Booster, "save_config", lambda _: '{"learner": {"generic_param": {"device": "cpu"}}}')
    with pytest.raises(ValueError, match="finds no such device"):
        train_forest(feed(), replace(CONFIG, device="cuda"), FEATURES, OBJECTIVES)
    assert told == [0]
