"""One simulated feed for the tests."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from datasets.synthetic import DaySummary, generate
from datasets.synthetic.vocabulary import OBJECTIVES
from ranker.feed_log.writing import day_folder

START = date(2026, 1, 5)
DAYS = 3
ROWS = 40_000  # more than fit into one batch


@dataclass(frozen=True)
class Feed:
    root: Path
    summaries: list[DaySummary]
    log: pa.Table
    truth: pa.Table

    def numbers(self, column: str) -> NDArray[np.float64]:
        return self.log[column].cast(pa.float64()).to_numpy()

    @property
    def labels(self) -> NDArray[np.float64]:
        return np.array([self.numbers(name) for name in OBJECTIVES])

    @property
    def probabilities(self) -> NDArray[np.float64]:
        return np.array([self.truth[name].to_numpy() for name in OBJECTIVES], np.float64)

    @property
    def averaged(self) -> NDArray[np.float64]:
        """The probabilities with the hidden tastes averaged out."""
        return np.array([self.truth[f"{name}_tastes_averaged_out"].to_numpy() for name in OBJECTIVES], np.float64)


def read_days(root: Path, days: list[date]) -> pa.Table:
    return pa.concat_tables([pq.read_table(day_folder(root, day)) for day in days])


@pytest.fixture(scope="package")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Feed:
    root = tmp_path_factory.mktemp("feed")
    summaries = generate(root, DAYS, ROWS, seed=7)
    days = [summary.day for summary in summaries]
    return Feed(root, summaries, read_days(root, days), read_days(root / "truth", days))
