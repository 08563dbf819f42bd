"""The Bayes optimum finds each row's true probabilities, in any order of the rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest

from datasets.synthetic import generate
from datasets.synthetic.feed import TRUTH
from pipeline_config import FEED
from ranker.feed_log.writing import day_folder
from research.quality.ceiling import BayesOptimum
from research.quality.rows import HeldOutDay, Rows


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log")


@pytest.fixture(scope="module")
def day(log: Path) -> HeldOutDay:
    """A day's rows as in Transform's output, in another order."""
    [made] = generate(log, days=1, impressions_per_day=2_000, seed=3)
    folder = day_folder(log, made.day)
    table = parquet.read_table(folder)
    numeric = np.stack([table[name].to_numpy().astype(np.float32) for name in FEED.features.numeric_names], axis=1)
    rows = Rows(numeric, {}, np.zeros([len(table), len(FEED.objectives)], np.float32), np.zeros(len(table), np.int64))
    shuffled = replace(rows, features=numeric[order(len(table))])
    return HeldOutDay(FEED, made.day, folder, rows, shuffled)


def order(rows: int) -> np.ndarray:
    return np.random.default_rng(0).permutation(rows)


def test_every_row_has_its_own_probabilities(log: Path, day: HeldOutDay) -> None:
    truth = parquet.read_table(day_folder(log / TRUTH, day.day))
    expected = np.stack([truth[name].to_numpy() for name in FEED.objective_names], axis=1)
    found = BayesOptimum(log)(day, 1)
    np.testing.assert_allclose(found, expected[order(len(expected))], rtol=1e-5)


def test_rows_of_another_feed_are_refused(log: Path, day: HeldOutDay) -> None:
    other = replace(day.test, features=day.test.features + 1)
    with pytest.raises(ValueError, match="has rows that are not in"):
        BayesOptimum(log)(replace(day, test=other), 1)
