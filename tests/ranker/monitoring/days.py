"""Days of impressions as batches of lists, the form that monitoring reads."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from ranker.config.columns import Categorical, DenseEmbedding, Features, MultiValued
from ranker.monitoring.profile import DayProfile

FEATURES = Features(
    numeric=("age",),
    categorical=(Categorical("device"),),
    multi_valued=(MultiValued("topics"),),
    dense=(DenseEmbedding("content", size=3),),
)


def day(rows: int = 2000, seed: int = 0, **columns: Any) -> pa.RecordBatch:
    """A healthy day, with some columns replaced: lists of values, one per impression."""
    random = np.random.default_rng(seed)
    healthy: dict[str, Any] = {
        "age": [[value] if random.random() > 0.1 else None for value in random.lognormal(size=rows)],
        "device": [[value] for value in random.choice([b"ios", b"web", b"tv"], rows, p=[0.5, 0.4, 0.1])],
        "topics": [[b"t%d" % t for t in random.integers(0, 5, random.integers(0, 4))] or None for _ in range(rows)],
        "content": list(random.normal(size=(rows, 3))),
    }
    return batch({**healthy, **columns})


def batch(columns: Mapping[str, Any]) -> pa.RecordBatch:
    """The columns as lists of float32 or binary."""
    kinds = {"age": pa.float32(), "device": pa.binary(), "topics": pa.binary(), "content": pa.float32()}
    return pa.RecordBatch.from_pydict({name: pa.array(columns[name], pa.list_(kind)) for name, kind in kinds.items()})


def profile(*batches: pa.RecordBatch) -> DayProfile:
    """The profile of a day with these batches."""
    found = DayProfile(FEATURES)
    for one in batches:
        found.add(one)
    return found
