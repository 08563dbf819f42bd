"""TFDV's statistics and anomalies, read from its protos."""

from collections.abc import Iterable, Mapping, Sequence

from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from ranker.reports.calibration.inputs import Anomaly, FeatureComparison

_MEASURES = {
    anomalies_pb2.DriftSkewInfo.Measurement.L_INFTY: "largest change of a share",
    anomalies_pb2.DriftSkewInfo.Measurement.JENSEN_SHANNON_DIVERGENCE: "Jensen–Shannon divergence",
    anomalies_pb2.DriftSkewInfo.Measurement.NORMALIZED_ABSOLUTE_DIFFERENCE: "normalized absolute difference",
}
_DISTANCE = anomalies_pb2.DriftSkewInfo.Measurement.JENSEN_SHANNON_DIVERGENCE
_MEAN, _SHARE = "mean", "share of most frequent"

Features = Mapping[str, statistics_pb2.FeatureNameStatistics]


def by_name(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> dict[str, statistics_pb2.FeatureNameStatistics]:
    """The statistics of each feature of the one data set in a split's statistics."""
    return {feature.path.step[0]: feature for feature in statistics.datasets[0].features}


def compare_features(
    names: Iterable[str], train: Features, held_out: Features, anomalies: anomalies_pb2.Anomalies
) -> tuple[FeatureComparison, ...]:
    """One entry per feature that has statistics in at least one split.

    Args:
        names: the features, in the order of the result.
        train: statistics of the training window.
        held_out: statistics of the held-out day.
        anomalies: of the held-out day, with its drift from the reference window.
    """
    drifts = {info.path.step[0]: info.drift_measurements for info in anomalies.drift_skew_info if info.path.step}
    found = []
    for name in names:
        if name not in train and name not in held_out:
            continue
        before, after = train.get(name), held_out.get(name)
        some = after if after is not None else before
        assert some is not None
        measured = drifts.get(name) or ()
        worst = max((m for m in measured if m.threshold), key=lambda m: m.value / m.threshold, default=None)
        found.append(
            FeatureComparison(
                feature=name,
                missing=(_missing(before), _missing(after)),
                typical=_typical(before, after),
                what=_SHARE if some.HasField("string_stats") else _MEAN,
                measure=_MEASURES.get(worst.type, "") if worst else "",
                drift=worst.value if worst else None,
                limit=worst.threshold if worst else None,
                distance=next((m.value for m in measured if m.type == _DISTANCE), None),
            )
        )
    return tuple(found)


def positive_rates(objectives: Sequence[str], train: Features) -> dict[str, float]:
    """The share of positives of each objective: the mean of its 0/1 column; without those that no row has."""
    found = {name: train[name].num_stats for name in objectives if name in train}
    return {name: stats.mean for name, stats in found.items() if stats.common_stats.num_non_missing}


def listed_anomalies(split: str, anomalies: anomalies_pb2.Anomalies) -> list[Anomaly]:
    """The findings in one split, by feature."""
    infos = sorted(anomalies.anomaly_info.items())
    if anomalies.HasField("dataset_anomaly_info"):
        infos.insert(0, ("all features", anomalies.dataset_anomaly_info))
    return [
        Anomaly(split, feature, "error" if info.severity == anomalies_pb2.AnomalyInfo.ERROR else "warning", _text(info))
        for feature, info in infos
    ]


def _text(info: anomalies_pb2.AnomalyInfo) -> str:
    return info.description or info.short_description


def _common(feature: statistics_pb2.FeatureNameStatistics) -> statistics_pb2.CommonStatistics:
    return getattr(feature, feature.WhichOneof("stats")).common_stats


def _missing(feature: statistics_pb2.FeatureNameStatistics | None) -> float | None:
    if feature is None:
        return None
    common = _common(feature)
    rows = common.num_missing + common.num_non_missing
    return common.num_missing / rows if rows else None


def _typical(
    before: statistics_pb2.FeatureNameStatistics | None, after: statistics_pb2.FeatureNameStatistics | None
) -> tuple[float | None, float | None]:
    """The means of a number; for a category, the shares of the value that is most frequent in training."""
    split = [feature for feature in (before, after) if feature is not None]
    if any(feature.HasField("string_stats") for feature in split):
        buckets = [bucket for feature in split for bucket in feature.string_stats.rank_histogram.buckets[:1]]
        return (_share(before, buckets[0].label), _share(after, buckets[0].label)) if buckets else (None, None)
    return _mean(before), _mean(after)


def _share(feature: statistics_pb2.FeatureNameStatistics | None, value: str) -> float | None:
    if feature is None:
        return None
    total = feature.string_stats.common_stats.tot_num_values
    count = next((b.sample_count for b in feature.string_stats.rank_histogram.buckets if b.label == value), 0.0)
    return count / total if total else None


def _mean(feature: statistics_pb2.FeatureNameStatistics | None) -> float | None:
    if feature is None or not feature.HasField("num_stats"):
        return None
    return feature.num_stats.mean if feature.num_stats.common_stats.num_non_missing else None
