"""The places of transformed rows in the feed log.

Transform keeps no ids, so rows are matched by their numeric features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as arrow
from numpy.typing import NDArray

from ranker.feed_log.layout import list_days, window_days
from ranker.feed_log.writing import day_folder
from research.matching import RowIndex, numeric_features
from research.quality.rows import HeldOutDay, Rows

DAY_NUMBER = "day number"
"""The name of a column of `logged_columns`."""

AUTHOR = "author_id"
"""The authors' ids in the simulated feed log and in KuaiRand's."""


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


def training_days(log: Path, day: HeldOutDay) -> list[date]:
    """The days before a held-out day that its models are trained on, as far as the log has them, oldest first."""
    known = set(list_days(log))
    return [one for one in window_days(day.day, day.config.train_days)[:-1] if one in known]


def logged_columns(log: Path, days: Sequence[date], day: HeldOutDay, rows: Rows, columns: Sequence[str]) -> pa.Table:
    """Columns of the feed log for transformed rows, one line per row, and as `DAY_NUMBER` the number of the row's day.

    Args:
        log: the feed log's folder.
        days: of the rows; they are numbered in this order.
        day: the held-out day that the rows belong to.
        rows: its train or test rows.
        columns: of the feed log.

    Raises:
        ValueError: a row is not in the log.
    """
    numeric = list(day.config.features.numeric_names)
    tables = []
    for number, one in enumerate(days):
        of_day = arrow.dataset(day_folder(log, one), format="parquet").to_table(columns=[*numeric, *columns])
        tables.append(of_day.append_column(DAY_NUMBER, pa.array(np.full(len(of_day), number))))
    table = pa.concat_tables(tables)
    places = RowIndex(numeric_features(table, numeric)).find(rows.features[:, : len(numeric)])
    return table.select([*columns, DAY_NUMBER]).take(places)


def impressions_per_viewer(log: Path, days: Sequence[date], viewer: str) -> "pd.Series[int]":
    """Viewer → number of impressions on these days.

    Args:
        log: the feed log's folder.
        days: that are counted.
        viewer: the column of the viewers' ids.
    """
    folders = [day_folder(log, one) for one in days]
    parts = [arrow.dataset(folder, format="parquet").to_table(columns=[viewer])[viewer] for folder in folders]
    return pa.chunked_array([chunk for part in parts for chunk in part.chunks]).to_pandas().value_counts()
