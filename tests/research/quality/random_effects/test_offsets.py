"""Training rows are divided by the days that the feed log has."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from datasets.synthetic.feed import DEFAULT_START
from pipeline_config import FEED
from ranker.config.columns import Features
from ranker.feed_log.writing import write_day
from research.quality.random_effects.offsets import first_half
from research.quality.rows import HeldOutDay, Rows

_PER_DAY = 10


def _day(log: Path, days: int) -> HeldOutDay:
    """The day after `days` of a log, for a config that trains on seven; row N is of the day N // 10."""
    ages = np.arange(days * _PER_DAY, dtype=np.float32)
    for number, of_day in enumerate(np.split(ages, days)):
        write_day(log, DEFAULT_START + timedelta(days=number), [pa.RecordBatch.from_arrays([of_day], ["age"])])
    config = replace(FEED, features=Features(numeric=("age",)), train_days=7, slices=(), exploration=None)
    rows = Rows(ages[:, None], {}, np.zeros([len(ages), 6], np.float32), np.zeros(len(ages), np.int64))
    return HeldOutDay(replace(config, tradeoff=None), DEFAULT_START + timedelta(days=days), log, rows, rows)


@pytest.mark.parametrize(("days", "expected"), [(2, 1), (3, 2), (4, 2), (7, 4)])
def test_both_halves_have_days_even_if_the_log_has_few(days: int, expected: int, tmp_path: Path) -> None:
    found = first_half(tmp_path, _day(tmp_path, days))
    assert found.tolist() == [row < expected * _PER_DAY for row in range(days * _PER_DAY)]


def test_a_single_day_cannot_be_predicted_out_of_sample(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="need two days of training rows"):
        first_half(tmp_path, _day(tmp_path, 1))
