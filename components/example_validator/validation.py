"""The anomalies of each split: TFDV's, drift from the reference window, and new values."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

# TFDV imports a module that tfx_bsl no longer has; TFX, imported first, adds a replacement.
import tfx  # noqa: F401 # isort: skip
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from ranker.monitoring.drift import Drift

EVAL_SPLIT = "eval"

_JSD = anomalies_pb2.DriftSkewInfo.Measurement.JENSEN_SHANNON_DIVERGENCE
_LARGEST_CHANGE = anomalies_pb2.DriftSkewInfo.Measurement.L_INFTY


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
            `drift_comparator`: `jensen_shannon_divergence` with `distance`, `infinity_norm` with `largest_change`.
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
            _add_anomaly(found[EVAL_SPLIT], name, kind, "New values beyond their limit", problem)
    return found


def _add_drift(anomalies: anomalies_pb2.Anomalies, schema: schema_pb2.Schema, drift: Mapping[str, Drift]) -> None:
    comparators = {feature.name: feature.drift_comparator for feature in schema.feature}
    for name, measured in drift.items():
        limits = comparators.get(name, schema_pb2.FeatureComparator())
        info = anomalies.drift_skew_info.add()
        info.path.step.append(name)
        for kind, value, limit in (
            (_JSD, measured.distance, limits.jensen_shannon_divergence.threshold),
            (_LARGEST_CHANGE, measured.largest_change, limits.infinity_norm.threshold),
        ):
            if kind == _JSD or limit:
                info.drift_measurements.add(type=kind, value=value, threshold=limit)
            if limit and value > limit:
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


def sort_out(found: Mapping[str, anomalies_pb2.Anomalies]) -> tuple[list[str], list[str]]:
    """Errors and warnings, one line each: split, feature and description."""
    errors: list[str] = []
    warnings: list[str] = []
    for split, anomalies in found.items():
        for feature, info in _infos(anomalies):
            is_error = info.severity == anomalies_pb2.AnomalyInfo.ERROR
            (errors if is_error else warnings).append(f"{split}: {feature}: {info.description}")
    return errors, warnings


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
