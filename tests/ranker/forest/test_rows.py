from pathlib import Path

import numpy as np
import pytest

from ranker import keys
from ranker.forest.rows import forest_rows
from tests.components.transformed import FEATURES, OBJECTIVES, tensors_of, write_examples


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Three files of 100, 101 and 102 rows."""
    paths = []
    for i in range(3):
        path = tmp_path / f"t-{i}.gz"
        write_examples(path, tensors_of(100 + i, seed=i))
        paths.append(str(path))
    return paths


def read(files: list[str], share: int = 0, shares: int = 1) -> np.ndarray:
    """Features, labels and bucket of a share, concatenated."""
    batches = [
        np.concatenate([features, labels, buckets[:, None]], axis=1)
        for features, labels, buckets in forest_rows(files, len(FEATURES), len(OBJECTIVES), share, shares)
    ]
    return np.concatenate(batches)


def test_a_single_worker_reads_everything_in_order(files: list[str]) -> None:
    expected = [tensors_of(100 + i, seed=i) for i in range(3)]
    rows = read(files)
    np.testing.assert_array_equal(rows[:, :6], np.concatenate([t[keys.FOREST_FEATURES] for t in expected]))
    np.testing.assert_array_equal(rows[:, 6:8], np.concatenate([t[keys.LABELS] for t in expected]))
    np.testing.assert_array_equal(rows[:, 8:], np.concatenate([t[keys.VIEWER_BUCKET] for t in expected]))


@pytest.mark.slow
@pytest.mark.parametrize("shares", [2, 3, 5])
def test_shares_are_disjoint_and_complete(files: list[str], shares: int) -> None:
    parts = [read(files, share, shares) for share in range(shares)]
    together = np.concatenate(parts)
    assert len(together) == 303
    # NaN marks missing values; it sorts last.
    np.testing.assert_array_equal(np.sort(together, axis=0), np.sort(read(files), axis=0))
    assert max(map(len, parts)) - min(map(len, parts)) <= (105 if shares <= 3 else 3)


def test_a_share_of_complete_files_opens_no_others(files: list[str]) -> None:
    Path(files[1]).unlink()
    assert len(read(files, 0, 3)) == 100
    assert len(read(files, 2, 3)) == 102
