"""Parts of a drafted TFMD schema that several kinds of columns share.

Types, required columns and sizes of embeddings come from the config. Limits that depend on the data are drafted
loosely, for the user to tighten.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.features.log_column import LogColumn

MIN_DOMAIN_MASS = 0.95
MIN_DRIFT_THRESHOLD = 0.3


@dataclass(frozen=True)
class Seen:
    """Statistics of one column on one day.

    Attributes:
        present: share of the rows that have a value.
        varies: whether the values vary enough to compare their distribution with another day's.
        domain: the distinct values of a column of strings, if there are few.
    """

    present: float = 0.0
    varies: bool = False
    domain: Sequence[str] = ()


def optional(column: LogColumn, seen: Seen, schema_type: "schema_pb2.FeatureType") -> schema_pb2.Feature:
    """A column that may be missing from some rows."""
    feature = schema_pb2.Feature(name=column.name, type=schema_type)
    feature.value_count.min = 1
    # Half of the observed share: a feature that disappears is an anomaly, a day with fewer values is not.
    if least := int(seen.present * 50) / 100:
        feature.presence.min_fraction = least
    return feature


def optional_strings(column: LogColumn, seen: Seen) -> schema_pb2.Feature:
    """A column of strings that may be missing, with its values as domain if there are few."""
    feature = optional(column, seen, schema_pb2.BYTES)
    if seen.varies:
        feature.drift_comparator.infinity_norm.threshold = MIN_DRIFT_THRESHOLD
        if seen.domain:
            feature.string_domain.name = column.name
            feature.string_domain.value.extend(seen.domain)
            feature.distribution_constraints.min_domain_mass = MIN_DOMAIN_MASS
    return feature


def required(column: LogColumn, schema_type: "schema_pb2.FeatureType") -> schema_pb2.Feature:
    """A column with `column.size` values in every row."""
    feature = schema_pb2.Feature(name=column.name, type=schema_type)
    feature.presence.min_fraction = 1.0
    feature.presence.min_count = 1
    feature.shape.dim.add(size=column.size)
    return feature


def key(column: LogColumn, schema_type: "schema_pb2.FeatureType") -> schema_pb2.Feature:
    """A key: one value in every row of a log, no value in a request to a model."""
    feature = schema_pb2.Feature(name=column.name, type=schema_type)
    feature.value_count.min = feature.value_count.max = 1
    return feature
