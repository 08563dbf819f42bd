"""Labels, viewers and slice values of a batch, column by column."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Objects = npt.NDArray[np.object_]


def read_labels(batch: pa.RecordBatch, objectives: Sequence[str]) -> dict[str, npt.NDArray[np.int64]]:
    """The labels of each objective, int64 [batch].

    Raises:
        ValueError: a row does not have exactly one 0 or 1 for an objective.
    """
    labels = {}
    for name in objectives:
        column = _column(batch, name)
        values = column.flatten().to_numpy(zero_copy_only=False)
        single = pc.all(pc.equal(pc.list_value_length(column), 1), skip_nulls=False, min_count=0).as_py()
        if not single or not np.isin(values, (0, 1)).all():
            raise ValueError(f"label column {name!r}: every impression needs exactly one 0 or 1")
        labels[name] = values
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


def _column(batch: pa.RecordBatch, name: str) -> pa.ListArray:
    index = batch.schema.get_field_index(name)
    if index < 0:
        raise ValueError(f"the examples hold no column {name!r}, only {sorted(batch.schema.names)}")
    return batch.column(index)
