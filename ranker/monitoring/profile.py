"""Profiles of the features of a day: histograms that can be compared with those of any other day."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ranker.config.columns import Features
from ranker.evaluation.buckets import Ints
from ranker.features.kind import FeatureKind
from ranker.features.log_column import LogColumn
from ranker.features.registry import column_kind, feature_kinds
from ranker.monitoring.buckets import (
    CATEGORY_BUCKETS,
    NUMBER_BUCKETS,
    category_bucket,
    infinite_buckets,
    number_bucket,
)


@dataclass
class FeatureProfile:
    """One feature over the impressions of a day.

    Attributes:
        kind: the kind of feature, which defines what is counted per value.
        missing: impressions without a value.
        total: sum of the finite numbers; 0 for categories.
        counts: values by bucket, [NUMBER_BUCKETS] or [CATEGORY_BUCKETS].
        names: a category's name by bucket.
    """

    kind: FeatureKind[Any] | type[FeatureKind[Any]]
    missing: int = 0
    total: float = 0.0
    counts: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    names: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not len(self.counts):
            self.counts = np.zeros(NUMBER_BUCKETS if self.of_numbers else CATEGORY_BUCKETS, np.int64)

    @property
    def of_numbers(self) -> bool:
        """Whether buckets are of numbers, in ascending order, and not of categories."""
        return self.kind.profiled_as == "numbers"

    def add(self, lists: pa.ListArray) -> None:
        """Adds a batch, one list per impression: float32 for numbers, binary for categories."""
        present = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False) > 0
        rows = int(np.count_nonzero(present))
        self.missing += len(present) - rows
        values = self.kind.profiled(lists.flatten().to_numpy(zero_copy_only=False), rows)
        if self.of_numbers:
            self.total += float(values.sum(dtype=np.float64, where=np.isfinite(values)))
            buckets = number_bucket(values)
        else:
            buckets, names = category_bucket(values)
            self.names = names | self.names
        self.counts += np.bincount(buckets, minlength=len(self.counts))

    @property
    def mean(self) -> float | None:
        """The mean of the finite numbers; None if there are none."""
        finite = int(self.counts.sum() - self.counts[infinite_buckets()].sum())
        return self.total / finite if finite else None

    def merge(self, other: "FeatureProfile") -> None:
        """Adds another day's counts."""
        self.missing += other.missing
        self.total += other.total
        self.counts = self.counts + other.counts
        self.names = other.names | self.names


class DayProfile:
    """All features of one day, filled batch by batch; memory does not grow with the impressions.

    Args:
        features: the feature columns, as a config has them, or as they are among the columns of a feed log.

    Example:
        >>> profile = DayProfile(Features(numeric=("age_hours",)))
        >>> profile.add(pa.RecordBatch.from_pydict({"age_hours": pa.array([[0.5], None], pa.list_(pa.float32()))}))
        >>> profile.rows, profile.features["age_hours"].missing
        (2, 1)
    """

    def __init__(self, features: Features | Iterable[LogColumn]) -> None:
        self.rows = 0
        self.features: dict[str, FeatureProfile] = {name: FeatureProfile(kind) for name, kind in _kinds(features)}

    def add(self, batch: pa.RecordBatch) -> None:
        """Adds a batch of impressions, each column as lists of one of the three types of a tf.Example."""
        self.rows += batch.num_rows
        for name, profile in self.features.items():
            profile.add(batch.column(name))

    def merge(self, other: "DayProfile") -> None:
        """Adds another day of the same features."""
        self.rows += other.rows
        for name, profile in self.features.items():
            profile.merge(other.features[name])


def _kinds(
    features: Features | Iterable[LogColumn],
) -> Iterator[tuple[str, FeatureKind[Any] | type[FeatureKind[Any]]]]:
    if isinstance(features, Features):
        yield from feature_kinds(features)
        return
    for column in features:
        kind = column_kind(column.kind)
        if issubclass(kind, FeatureKind):
            yield column.name, kind
