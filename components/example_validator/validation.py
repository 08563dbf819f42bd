"""TFDV's anomalies of each split, as text."""

from collections.abc import Iterator, Mapping

# TFDV imports a module that tfx_bsl no longer has; TFX, imported first, adds a replacement.
import tfx  # noqa: F401 # isort: skip
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

CURRENT_SPLIT, PREVIOUS_SPLIT = "eval", "train"


class DataAnomalyError(ValueError):
    """The data does not match the schema; the message lists every split, feature and anomaly."""


def validate(
    statistics: Mapping[str, statistics_pb2.DatasetFeatureStatisticsList], schema: schema_pb2.Schema
) -> dict[str, anomalies_pb2.Anomalies]:
    """The anomalies of each split.

    The eval day is also compared with the train days, so that a `drift_comparator` in the schema detects daily drift.
    """
    return {
        split: tfdv.validate_statistics(
            of_split,
            schema,
            previous_statistics=statistics.get(PREVIOUS_SPLIT) if split == CURRENT_SPLIT else None,
        )
        for split, of_split in statistics.items()
    }


def sort_out(found: Mapping[str, anomalies_pb2.Anomalies]) -> tuple[list[str], list[str]]:
    """Errors and warnings, one line each: split, feature and TFDV's description."""
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
