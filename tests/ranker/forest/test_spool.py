"""Spooled rows are read back, complete and by viewer bucket."""

from pathlib import Path

import numpy as np
import pytest

from ranker.forest.spool import Spool, SpooledRows
from ranker.keys import VIEWER_BUCKETS


@pytest.mark.parametrize("batch_rows", [1, 7, 100, 5_000])
def test_the_rows_of_the_chosen_buckets_are_read_in_order_and_in_full_batches(
    tmp_path: Path, batch_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ranker.forest.spool._READ_ROWS", 64)
    random = np.random.default_rng(0)
    features = random.normal(size=(500, 3)).astype(np.float32)
    labels = (random.random((500, 2)) < 0.3).astype(np.float32)
    buckets = random.integers(VIEWER_BUCKETS, size=500)
    with Spool(tmp_path / "rows", 3, 2) as spool:
        for rows in np.array_split(np.arange(500), 6):
            spool.append(features[rows], labels[rows], buckets[rows])
        for chosen in (np.arange(VIEWER_BUCKETS) < 300, np.ones(VIEWER_BUCKETS, bool)):
            part = SpooledRows(spool, chosen)
            read = list(part.batches(batch_rows))
            inside = chosen[buckets]
            np.testing.assert_array_equal(np.concatenate([batch[0] for batch in read]), features[inside])
            np.testing.assert_array_equal(np.concatenate([batch[1] for batch in read]), labels[inside])
            assert [len(batch[0]) for batch in read[:-1]] == [batch_rows] * (len(read) - 1)
            assert part.rows == inside.sum()
            assert part.positives.tolist() == labels[inside].sum(axis=0).tolist()
        assert list(SpooledRows(spool, np.zeros(VIEWER_BUCKETS, bool)).batches(10)) == []
    assert not list(tmp_path.iterdir())


def test_rows_of_weight_zero_are_left_out(tmp_path: Path) -> None:
    features = np.array([[1], [np.nan], [3], [4]], np.float32)
    labels = np.array([[1, 0], [1, np.nan], [0, np.nan], [np.nan, 1]], np.float32)
    buckets, weights = np.array([0, 0, 1, 1]), np.array([0.5, 0.0, 2.0, 3.0], np.float32)
    with Spool(tmp_path / "rows", 1, 2) as spool:
        spool.append(features[:2], labels[:2], buckets[:2], weights[:2])
        spool.append(features[2:], labels[2:], buckets[2:], weights[2:])
        assert (spool.weightless, spool.weight, spool.weights_differ) == (1, 5.5, True)
        assert not spool.missing.any()
        for chosen, rows, positives, observed, sums in (
            (np.ones(VIEWER_BUCKETS, bool), [0, 2, 3], [1, 1], [2, 2], [[0.5, 3.0], [2.5, 3.5]]),
            (np.arange(VIEWER_BUCKETS) == 1, [2, 3], [0, 1], [1, 1], [[0.0, 3.0], [2.0, 3.0]]),
        ):
            part = SpooledRows(spool, chosen)
            assert part.rows == len(rows)
            assert part.positives.tolist() == positives
            assert part.observed.tolist() == observed
            assert part.label_weights.tolist() == sums
            read = next(part.batches(10))
            np.testing.assert_array_equal(read[0], features[rows])
            np.testing.assert_array_equal(read[2], weights[rows])
