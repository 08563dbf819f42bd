"""Labels, viewers and slice values of a batch, column by column."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ranker.config.exploration import Exploration

Objects = npt.NDArray[np.object_]


def read_labels(batch: pa.RecordBatch, objectives: Sequence[str]) -> npt.NDArray[np.float64]:
    """The labels, [objectives, batch]: 0 or 1, NaN where an outcome was not observed.

    Raises:
        ValueError: a row has another value for an objective, or several.
    """
    labels = np.full((len(objectives), batch.num_rows), np.nan)
    for found, name in zip(labels, objectives, strict=True):
        column = _column(batch, name)
        sizes = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
        values = column.flatten().to_numpy(zero_copy_only=False)
        if sizes.max(initial=0) > 1 or not np.isin(values, (0, 1)).all():
            raise ValueError(f"label column {name!r}: an impression has one 0 or 1, or nothing if it was not observed")
        found[sizes == 1] = values
    return labels


def read_strings(batch: pa.RecordBatch, name: str) -> Objects:
    """A bytes column with at most one value per row, [batch]; b"" where there is none.

    Raises:
        ValueError: a row has several values.
    """
    column = _column(batch, name)
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    if lengths.max(initial=0) > 1:
        raise ValueError(f"column {name!r}: a slice or viewer column holds one value per impression, not several")
    values = np.full(len(column), b"", dtype=object)
    values[lengths == 1] = column.flatten().to_numpy(zero_copy_only=False)
    return values


def read_numbers(batch: pa.RecordBatch, name: str) -> npt.NDArray[np.float64]:
    """A column with at most one number per row, [batch]; NaN where there is none."""
    column = _column(batch, name)
    values = np.full(len(column), np.nan)
    values[column.is_valid().to_numpy(zero_copy_only=False)] = column.flatten().to_numpy(zero_copy_only=False)
    return values


def read_exploration(
    batch: pa.RecordBatch, exploration: Exploration, position: str, where: str
) -> dict[str, npt.NDArray[Any]]:
    """Where the rows stood, each [batch]: `position`, `randomised` as bool, and `propensity`.

    Args:
        batch: with the columns of exploration and the position.
        exploration: of the config.
        position: the exposure column by which a session's rows were shown.
        where: what the rows are of, for the message.

    Raises:
        ValueError: a position was drawn at random, but it or its chance is missing; the message says of how many rows.
    """
    randomised = read_numbers(batch, exploration.randomised) == 1
    found = {name: read_numbers(batch, name) for name in (position, exploration.propensity)}
    for name, values in found.items():
        if missing := int(np.count_nonzero(randomised & np.isnan(values))):
            raise ValueError(
                f"{where}: {missing:,} rows with {exploration.randomised!r} 1 lack {name!r}; what was shown at random "
                "needs its position and the chance of it"
            )
    return {"position": found[position], "randomised": randomised, "propensity": found[exploration.propensity]}


def _column(batch: pa.RecordBatch, name: str) -> pa.ListArray:
    index = batch.schema.get_field_index(name)
    if index < 0:
        raise ValueError(f"the examples hold no column {name!r}, only {sorted(batch.schema.names)}")
    return batch.column(index)
