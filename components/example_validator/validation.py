"""The anomalies of each split: TFDV's, drift from the reference window, and new values."""

from collections.abc import Iterator, Mapping
from datetime import date
from types import MappingProxyType

# TFDV imports a module that tfx_bsl no longer has; TFX, imported first, adds a replacement.
import tfx  # noqa: F401 # isort: skip
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from ranker.monitoring.drift import Drift

EVAL_SPLIT = "eval"

_JSD = anomalies_pb2.DriftSkewInfo.Measurement.JENSEN_SHANNON_DIVERGENCE
_LARGEST_CHANGE = anomalies_pb2.DriftSkewInfo.Measurement.L_INFTY


_NEW_VALUES = "New values beyond their limit"

PAGE = "docs/limits.md"
"""The page that explains the limits."""

_LIMITS = (
    ("COMPARATOR_JENSEN", "drift_comparator.jensen_shannon_divergence"),
    ("COMPARATOR_L_INFTY", "drift_comparator.infinity_norm"),
    ("ENUM_TYPE_UNEXPECTED_STRING_VALUES", "string_domain, distribution_constraints.min_domain_mass"),
    ("FEATURE_TYPE_LOW_FRACTION_PRESENT", "presence.min_fraction"),
    ("FEATURE_TYPE_LOW_NUMBER_PRESENT", "presence.min_count"),
    ("FEATURE_TYPE_NOT_PRESENT", "presence"),
    ("SCHEMA_MISSING_COLUMN", "presence"),
    ("SCHEMA_NEW_COLUMN", "none: the schema lacks the column; pipeline.infer_schema --add drafts it"),
    ("FEATURE_TYPE_HIGH_NUMBER_VALUES", "value_count.max"),
    ("FEATURE_TYPE_LOW_NUMBER_VALUES", "value_count.min"),
    ("INVALID_FEATURE_SHAPE", "shape"),
    ("INT_TYPE_BIG_INT", "int_domain.max"),
    ("INT_TYPE_SMALL_INT", "int_domain.min"),
    ("FLOAT_TYPE_BIG_FLOAT", "float_domain.max"),
    ("FLOAT_TYPE_SMALL_FLOAT", "float_domain.min"),
)
"""Beginning of TFDV's type of an anomaly → the field of the schema that sets the limit."""


class DataAnomalyError(ValueError):
    """The data does not match the schema; the message lists every split, feature and anomaly."""


def validate(
    statistics: Mapping[str, statistics_pb2.DatasetFeatureStatisticsList],
    schema: schema_pb2.Schema,
    drift: Mapping[str, Drift] = MappingProxyType({}),
    unseen: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, anomalies_pb2.Anomalies]:
    """The anomalies of each split.

    TFDV compares each split with the schema. It does not measure drift: it would compare the eval day with the split
    train, which has all days of the window after a cold start, and one or two after a warm start.

    Args:
        statistics: by split.
        schema: the curated schema.
        drift: of the eval day from the reference window, by feature. It is compared with the schema's
            `drift_comparator`: `jensen_shannon_divergence` with `distance`, `infinity_norm` with `largest_change`. A
            day may exceed a limit by the noise of its number of impressions.
        unseen: feature → what is wrong with the values of the eval day that the reference window does not have.

    Returns:
        By split; `drift_skew_info` of the eval day has the distance of every feature in `drift`, with the threshold 0
        where the schema has none.
    """
    without_drift = schema_pb2.Schema()
    without_drift.CopyFrom(schema)
    for feature in without_drift.feature:
        feature.ClearField("drift_comparator")
    found = {split: tfdv.validate_statistics(of_split, without_drift) for split, of_split in statistics.items()}
    if EVAL_SPLIT in found:
        _add_drift(found[EVAL_SPLIT], schema, drift)
        for name, problem in unseen.items():
            kind = anomalies_pb2.AnomalyInfo.ENUM_TYPE_UNEXPECTED_STRING_VALUES
            _add_anomaly(found[EVAL_SPLIT], name, kind, _NEW_VALUES, problem)
    return found


def _add_drift(anomalies: anomalies_pb2.Anomalies, schema: schema_pb2.Schema, drift: Mapping[str, Drift]) -> None:
    comparators = {feature.name: feature.drift_comparator for feature in schema.feature}
    for name, measured in drift.items():
        limits = comparators.get(name, schema_pb2.FeatureComparator())
        info = anomalies.drift_skew_info.add()
        info.path.step.append(name)
        for kind, value, noise, limit in (
            (_JSD, measured.distance, measured.distance_noise, limits.jensen_shannon_divergence.threshold),
            (_LARGEST_CHANGE, measured.largest_change, measured.change_noise, limits.infinity_norm.threshold),
        ):
            if kind == _JSD or limit:
                info.drift_measurements.add(type=kind, value=value, threshold=limit)
            if limit and value > limit + noise:
                _add_anomaly(anomalies, name, *_beyond_limit(kind, value, limit))


def _beyond_limit(kind: int, value: float, limit: float) -> tuple[int, str, str]:
    """TFDV's type of an anomaly, what it is, and its description."""
    if kind == _JSD:
        anomaly = anomalies_pb2.AnomalyInfo.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH
        measure = "Jensen-Shannon divergence from the reference window"
    else:
        anomaly = anomalies_pb2.AnomalyInfo.COMPARATOR_L_INFTY_HIGH
        measure = "largest change of a share from the reference window"
    return anomaly, "Drift beyond its limit", f"The {measure} is {value:.4g}, above the threshold {limit:.4g}."


def _add_anomaly(anomalies: anomalies_pb2.Anomalies, feature: str, kind: int, short: str, description: str) -> None:
    reason = anomalies_pb2.AnomalyInfo.Reason(type=kind, short_description=short, description=description)
    info = anomalies.anomaly_info[feature]
    if not info.reason:
        info.path.step.append(feature)
        info.short_description = reason.short_description
    else:
        info.short_description = "Multiple errors"
    info.severity = anomalies_pb2.AnomalyInfo.ERROR
    info.description = f"{info.description} {reason.description}".strip()
    info.reason.append(reason)


def sort_out(found: Mapping[str, anomalies_pb2.Anomalies], day: date | None = None) -> tuple[list[str], list[str]]:
    """Errors and warnings, one line each: split, column, description, limits, day, and the page that explains them.

    Args:
        found: by split.
        day: the held-out day, if it is known.
    """
    errors: list[str] = []
    warnings: list[str] = []
    for split, anomalies in found.items():
        for feature, info in _infos(anomalies):
            is_error = info.severity == anomalies_pb2.AnomalyInfo.ERROR
            line = f"{split}: {feature}: {info.description}{_explained(split, info, day)}"
            (errors if is_error else warnings).append(line)
    return errors, warnings


def _explained(split: str, info: anomalies_pb2.AnomalyInfo, day: date | None) -> str:
    """Which limits of which day, and the page about them."""
    limits = list(dict.fromkeys(_limit_of(reason) for reason in info.reason))
    parts = [
        *([f"limit: {', '.join(limits)}"] if limits else []),
        *([f"day: {day}" if split == EVAL_SPLIT else f"days before {day}"] if day else []),
        f"see {PAGE}",
    ]
    return f" [{'; '.join(parts)}]"


def _limit_of(reason: anomalies_pb2.AnomalyInfo.Reason) -> str:
    """The field of the schema, or of the config, that a value is beyond."""
    if reason.short_description == _NEW_VALUES:
        return "validation.max_unseen"
    kind = anomalies_pb2.AnomalyInfo.Type.Name(reason.type)
    return next((field for begin, field in _LIMITS if kind.startswith(begin)), "type")


def _infos(anomalies: anomalies_pb2.Anomalies) -> Iterator[tuple[str, anomalies_pb2.AnomalyInfo]]:
    if anomalies.data_missing:
        missing = anomalies_pb2.AnomalyInfo(
            severity=anomalies_pb2.AnomalyInfo.ERROR, description="There are no examples at all."
        )
        yield "all features", missing
    if anomalies.HasField("dataset_anomaly_info"):
        yield "all features", anomalies.dataset_anomaly_info
    for feature in sorted(anomalies.anomaly_info):
        yield feature, anomalies.anomaly_info[feature]
