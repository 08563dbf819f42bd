"""Days of a feed log with every kind of column, small enough to compare cell by cell."""

from datetime import UTC, date, datetime, time
from typing import Any

import numpy as np
import pyarrow as pa

from ranker.config.columns import Categorical, DenseEmbedding, Features, MultiValued

EVAL_DAY = date(2024, 3, 4)
TRAIN_DAYS = 3
OBJECTIVES = ("click", "like")
FEATURES = Features(
    numeric=("age_hours", "impressions"),
    categorical=(Categorical("device"), Categorical("cohort")),
    multi_valued=(MultiValued("topics"),),
    dense=(DenseEmbedding("content", size=3),),
)


def day_table(rows: int, seed: int = 0, day: date = EVAL_DAY) -> pa.Table:
    """Rows of every kind of column, one second apart from 08:00 on; optional values are missing in some rows."""
    rng = np.random.default_rng(seed)
    gaps = rng.random(rows) < 0.3
    topics = [[f"t{t}" for t in rng.integers(0, 5, rng.integers(0, 4))] for _ in range(rows)]
    return pa.table(
        {
            "session_id": [f"s{seed}-{i // 3}" for i in range(rows)],
            "viewer_id": pa.array(rng.integers(0, 9, rows)),
            "item_id": pa.array([f"i{i}" for i in range(rows)], pa.large_string()),
            "timestamp": times(rows, day),
            "age_hours": pa.array(rng.lognormal(size=rows), mask=gaps),
            "impressions": pa.array(rng.integers(0, 1000, rows), mask=gaps),
            "device": pa.array(rng.choice(["ios", "web"], rows), mask=gaps).dictionary_encode(),
            "cohort": pa.array(rng.integers(0, 4, rows), pa.int32()),
            "topics": pa.array([None if gap else t for gap, t in zip(gaps, topics, strict=True)]),
            "content": pa.FixedSizeListArray.from_arrays(pa.array(rng.normal(size=rows * 3).astype("f4")), 3),
            "click": pa.array(rng.integers(0, 2, rows), pa.int8()),
            "like": pa.array(rng.random(rows) < 0.2),
            "dwell_ms": pa.array(rng.integers(0, 9999, rows)),
        }
    )


def times(rows: int, day: date) -> pa.Array:
    """Timestamps of a day, one second apart from 08:00 on."""
    began_us = int(datetime.combine(day, time(8), UTC).timestamp()) * 1_000_000
    return pa.array(np.arange(rows) * 1_000_000 + began_us, pa.timestamp("us"))


def replaced(table: pa.Table, name: str, values: Any) -> pa.Table:
    """The table with another column in the place of one."""
    return table.set_column(table.schema.get_field_index(name), name, values)
