"""A sample has about as many rows as asked for, and its weighted sums are those of all rows."""

from pathlib import Path

import numpy as np
import pytest

from ranker.forest.sample import SampledRows, gradient_norms, sampled
from ranker.forest.spool import Spool, SpooledRows
from ranker.keys import VIEWER_BUCKETS

ROWS = 20_000


@pytest.fixture
def rows(tmp_path: Path) -> SpooledRows:
    """Rows with a frequent objective, a rare one that was not always observed, and one without positives."""
    random = np.random.default_rng(0)
    labels = np.zeros((ROWS, 3), np.float32)
    labels[random.permutation(ROWS)[:30], 1] = 1.0
    labels[::3, 0] = 1.0
    labels[5::50, 1] = np.nan
    features, buckets = np.arange(ROWS, dtype=np.float32)[:, None], random.integers(VIEWER_BUCKETS, size=ROWS)
    spool = Spool(tmp_path / "rows", 1, 3)
    spool.append(features, labels, buckets, random.choice([0.8, 1.2], ROWS).astype(np.float32))
    return SpooledRows(spool, np.ones(VIEWER_BUCKETS, np.bool_))


@pytest.mark.parametrize("most", [2_000, 6_000, 15_000])
def test_a_sample_stands_for_all_rows(rows: SpooledRows, most: int) -> None:
    sample = sampled(rows, most, seed=1)
    assert isinstance(sample, SampledRows)
    assert sample.weights_differ
    _, labels, weights, _ = (np.concatenate(parts) for parts in zip(*rows.batches(700), strict=True))
    features, drawn, weighing, _ = (np.concatenate(parts) for parts in zip(*sample.batches(700), strict=True))
    assert len(features) == pytest.approx(most, rel=0.05)
    assert len(np.unique(features)) == len(features)
    # The rare positives are all there, with the weights that they have.
    rare = np.flatnonzero(labels[:, 1] > 0)
    assert np.isin(rare, features[:, 0]).all()
    np.testing.assert_array_equal(weighing[drawn[:, 1] > 0], weights[rare])
    noise = 3 / np.sqrt(most)
    assert weighing.sum() == pytest.approx(weights.sum(), rel=noise)
    assert weighing @ drawn[:, 0] == pytest.approx(weights @ labels[:, 0], rel=noise * np.sqrt(3))


def test_every_reading_draws_the_same_rows_and_another_seed_others(rows: SpooledRows) -> None:
    def read(seed: int, batch_rows: int) -> list[float]:
        features = [batch[0] for batch in sampled(rows, 5_000, seed).batches(batch_rows)]
        found: list[float] = np.concatenate(features)[:, 0].tolist()
        return found

    assert read(1, 100) == read(1, 30_000) != read(2, 100)


@pytest.mark.parametrize("most", [None, ROWS, 2 * ROWS])
def test_a_small_log_is_not_sampled(rows: SpooledRows, most: int | None) -> None:
    assert sampled(rows, most, seed=1) is rows
    assert rows.weights_differ


def test_rows_without_gradients_are_not_sampled(tmp_path: Path) -> None:
    with Spool(tmp_path / "rows", 1, 1) as spool:
        spool.append(np.zeros((9, 1), np.float32), np.ones((9, 1), np.float32), np.zeros(9, np.int64))
        rows = SpooledRows(spool, np.ones(VIEWER_BUCKETS, np.bool_))
        assert sampled(rows, 5, seed=1) is rows


def test_each_objective_counts_in_units_of_its_deviation() -> None:
    labels = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [np.nan, 1, 0], [np.nan, np.nan, 1]], np.float32)
    norms = gradient_norms(labels, np.array([0.5, 0.1, 0.0]))
    np.testing.assert_allclose(norms**2, [1 + 1 / 9, 1 + 1 / 9, 1 + 9, 9, 0], rtol=1e-6)
