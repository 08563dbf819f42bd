"""The held-out rows' places in the feed log.

Transform keeps no ids, so rows are matched by their numeric features.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.dataset as arrow
from numpy.typing import NDArray

from ranker.feed_log.writing import day_folder
from research.matching import RowIndex, numeric_features
from research.quality.rows import HeldOutDay


@dataclass(frozen=True, eq=False)
class Places:
    """Rows of a day of the feed log; its files are read in the order of their names.

    Attributes:
        held_out: for each held-out row [test rows] the first logged row with equal features.
        logged: for each logged row [logged rows] the first one with equal features.
    """

    held_out: NDArray[np.int64]
    logged: NDArray[np.int64]


def places_in_log(log: Path, day: HeldOutDay) -> Places:
    """Finds each held-out row in the feed log.

    Args:
        log: the feed log's folder.
        day: the held-out day.

    Raises:
        ValueError: a row is not in the log.
    """
    numeric, folder = list(day.config.features.numeric_names), day_folder(log, day.day)
    features = numeric_features(arrow.dataset(folder, format="parquet").to_table(columns=numeric), numeric)
    index = RowIndex(features)
    try:
        return Places(index.find(day.test.features[:, : len(numeric)]), index.find(features))
    except ValueError as error:
        raise ValueError(f"{day.source}: has rows that are not in {folder}: {error}") from error
