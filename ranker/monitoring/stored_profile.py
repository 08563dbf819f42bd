"""A day's feature profile as a file: the occupied buckets, and the fingerprint of the data."""

from dataclasses import dataclass, field

import numpy as np

from ranker.config.columns import Features
from ranker.documents import Number, format_of, read_json, write_json
from ranker.features.log_column import LogColumn
from ranker.monitoring.profile import DayProfile, FeatureProfile

FORMAT = 1
"""Raised whenever a field changes, or values are assigned to other buckets."""


@dataclass(frozen=True)
class StoredFeature:
    """One feature; see `FeatureProfile`.

    Attributes:
        kind: the name of its kind.
        missing: impressions without a value.
        total: sum of the finite numbers; 0 for categories.
        buckets: the occupied buckets, [buckets].
        counts: values in each of them, [buckets].
        names: a category's name by bucket.
    """

    kind: str
    missing: int
    total: Number
    buckets: tuple[int, ...]
    counts: tuple[int, ...]
    names: dict[int, str]


@dataclass(frozen=True)
class StoredProfile:
    """One day.

    Attributes:
        format: of the file.
        source_fingerprint: of the day's data.
        rows: impressions.
        features: by column.
    """

    format: int = field(default=FORMAT, kw_only=True)
    source_fingerprint: str
    rows: int
    features: dict[str, StoredFeature]

    @staticmethod
    def of(profile: DayProfile, source_fingerprint: str) -> "StoredProfile":
        """The stored form of a profile."""
        return StoredProfile(
            source_fingerprint=source_fingerprint,
            rows=profile.rows,
            features={name: _stored(feature) for name, feature in profile.features.items()},
        )

    def profile(self, features: Features) -> DayProfile | None:
        """The profile, or None if it has other features than these."""
        kinds = {name: _kind(feature) for name, feature in DayProfile(features).features.items()}
        return self.restored() if {name: stored.kind for name, stored in self.features.items()} == kinds else None

    def restored(self) -> DayProfile:
        """The profile, with the features that it has."""
        profile = DayProfile(LogColumn(name, stored.kind) for name, stored in self.features.items())
        profile.rows = self.rows
        for name, feature in profile.features.items():
            stored = self.features[name]
            feature.missing, feature.total, feature.names = stored.missing, stored.total, dict(stored.names)
            feature.counts[list(stored.buckets)] = stored.counts
        return profile

    def to_json(self) -> str:
        """The profile as one line of JSON."""
        return write_json(self)

    @staticmethod
    def from_json(text: str, name: str = "profile.json") -> "StoredProfile | None":
        """Reads the output of `to_json`; None for a file of another format, which has to be computed again.

        Args:
            text: the content of the file.
            name: of the file, for the message.

        Raises:
            DocumentError: the file is damaged; the message names the file and the field.
        """
        return read_json(StoredProfile, text, name) if format_of(text, name) == FORMAT else None


def _kind(feature: FeatureProfile) -> str:
    return feature.kind.name


def _stored(feature: FeatureProfile) -> StoredFeature:
    occupied = np.flatnonzero(feature.counts)
    return StoredFeature(
        kind=_kind(feature),
        missing=feature.missing,
        total=feature.total,
        buckets=tuple(occupied.tolist()),
        counts=tuple(feature.counts[occupied].tolist()),
        names=dict(sorted(feature.names.items())),
    )
