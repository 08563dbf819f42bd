from datetime import date
from pathlib import Path

import numpy as np
import pytest

from pipeline_config import FEED
from research.quality.rows import HeldOutDay, Rows


@pytest.mark.parametrize("rows", [1, 150, 900, 5000])
def test_a_cut_has_all_impressions_of_some_viewers(rows: int) -> None:
    rng = np.random.default_rng(1)
    buckets = rng.integers(0, 40, 1000)
    numbers = np.arange(1000, dtype=np.float32)[:, None]
    all_rows = Rows(numbers, {"numeric": numbers}, numbers, buckets)
    day = HeldOutDay(FEED, date(2026, 1, 2), Path("tiny"), all_rows, all_rows)
    cut = day.of_some_viewers(rows).train
    assert min(rows, 1000) <= len(cut.labels) < rows + np.bincount(buckets).max()
    kept = np.isin(buckets, cut.buckets)
    for values in (cut.features, cut.towers["numeric"], cut.labels):
        assert np.array_equal(values, numbers[kept])
    assert day.of_some_viewers(rows).test is all_rows
    assert day.of_some_viewers(rows).digest != day.digest or rows > 1000
