"""Drafts a TFMD schema for the Examples of FeedLogGen from a config's columns and TFDV's statistics of some days.

Types, required columns and sizes of embeddings come from the config. Limits that depend on the data (the values of a
categorical column, the share of missing values, the distance of a day from the days before) are drafted loosely, for
the user to tighten.
"""

import os
import tempfile
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType

# TFDV imports a module that tfx_bsl no longer has; TFX, imported first, adds a replacement.
import tfx  # noqa: F401 # isort: skip
import apache_beam as beam
import pyarrow as pa
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from pipeline.local.day_reading import profile_day
from ranker.config.pipeline import PipelineConfig
from ranker.features.drafting import MIN_DRIFT_THRESHOLD, Seen
from ranker.features.keys_and_labels import ObjectiveKind
from ranker.features.registry import column_kind
from ranker.feed_log.columns import LogColumns, columns_of
from ranker.feed_log.layout import list_days, window_days
from ranker.feed_log.planning import plan_day
from ranker.feed_log.reading import read_unit
from ranker.histories.building import build_histories
from ranker.in_process_runner import InProcessRunner
from ranker.keys import ROW_WEIGHT
from ranker.monitoring.drift import Drift, measure_drift
from ranker.monitoring.profile import DayProfile

MAX_DOMAIN_SIZE = 100
DRIFT_MARGIN = 2.0
NO_DRIFT_THRESHOLD_BEYOND = 0.9  # both measures lie between 0 and 1
MOST_OF_ONE_VALUE = 0.95  # below 1, as a day may have some rows of the next day in another time zone
MOST_IN_ONE_BUCKET = 0.8  # TFDV assumes uniform numbers inside a bucket, which is wrong for one full bucket and a tail
_LEAST_PRESENT = 1e-6


@dataclass(frozen=True, eq=False)
class DraftedSchema:
    """A drafted schema.

    Attributes:
        schema: the schema.
        columns: the columns that it was drafted for.
        days: the days that were read, oldest first.
    """

    schema: schema_pb2.Schema
    columns: LogColumns
    days: tuple[date, ...]


def schema_of_log(
    config: PipelineConfig,
    feed_log: str | Path,
    day: date,
    warn: Callable[[str], None],
    leave_out: Collection[str] = (),
) -> DraftedSchema:
    """Drafts a schema that accepts a day and each of the `train_days` before it.

    Args:
        config: whose columns the schema describes.
        feed_log: the folder of day folders, a path or URI.
        day: the newest day to look at.
        warn: called with a sentence for each unusual part of the log.
        leave_out: columns that the schema is not drafted for.

    Raises:
        FeedLogError: the day is missing, or a day is invalid.
    """
    columns = config_columns(config)
    drafted = replace(columns, columns=tuple(c for c in columns.columns if c.name not in leave_out))
    before = sorted(set(window_days(day, config.train_days)[:-1]) & set(list_days(feed_log)))
    # Read in this process first: Beam would print a traceback before the error of a bad value.
    profiles = [profile_day(config, feed_log, one, warn) for one in (*before, day)]
    statistics = statistics_of(feed_log, [day], columns)
    observed = least_observed(feed_log, before, drafted)
    schema = draft_schema(drafted, statistics, largest_drift(profiles), profiles, observed)
    return DraftedSchema(schema, drafted, (*before, day))


def config_columns(config: PipelineConfig) -> LogColumns:
    """The columns of a config's schema."""
    return columns_of(
        config.objectives,
        config.features,
        config.keys,
        config.timestamps,
        config.exploration,
        config.id_columns,
        config.rows,
    )


def schema_text(drafted: DraftedSchema, command: str) -> str:
    """A drafted schema as the text of its file."""
    return f"# Drafted by {command} from {drafted.days[-1]}.\n{text_format.MessageToString(drafted.schema)}"


def statistics_of(
    root: str | Path, days: Iterable[date], columns: LogColumns
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """TFDV's statistics of the features and objectives of some days together, computed by Beam in this process.

    Raises:
        FeedLogError: a day is missing, or a part of it cannot be read.
    """
    read = [column for column in columns.columns if not column_kind(column.kind).is_key]
    units = [unit for day in days for unit in plan_day(root, day, columns, _said_before)]
    with tempfile.TemporaryDirectory() as folder:
        histories = build_histories(root, {unit.day for unit in units}, columns, os.path.join(folder, "histories"))
        path = os.path.join(folder, "statistics.pb")
        with warnings.catch_warnings(), beam.Pipeline(runner=InProcessRunner()) as pipeline:
            # TFDV computes the variance of infinite numbers too, which is undefined.
            warnings.simplefilter("ignore", RuntimeWarning)
            _ = (
                pipeline
                | "Plan" >> beam.Create(units)
                | "Read" >> beam.FlatMap(read_unit, columns=read, computed=histories).with_output_types(pa.RecordBatch)
                | "Statistics" >> tfdv.GenerateStatistics()
                | "Write" >> tfdv.WriteStatisticsToBinaryFile(path)
            )
        return tfdv.load_stats_binary(path)


def draft_schema(
    columns: LogColumns,
    statistics: statistics_pb2.DatasetFeatureStatisticsList,
    drift: Mapping[str, Drift] = MappingProxyType({}),
    days: Sequence[DayProfile] = (),
    observed: Mapping[str, float] = MappingProxyType({}),
) -> schema_pb2.Schema:
    """A draft of the schema.

    Embeddings are required in every Example, and objectives unless some labels of the day are missing. A feature may be
    missing, but not much more often than in `statistics`. A categorical or multi-valued column with at most 100 values
    gets them as its domain; 5 % of a day's values may be new. Keys may be missing, as a request to a model has none.

    The drift threshold of a feature is twice `drift`, and at least 0.3. These features get no threshold:

    - a feature whose threshold would be close to the maximum of the measure,
    - a categorical column that is almost constant within the day, as it may be different every day, like the day of the
      week; it gets no domain either,
    - a number with almost all values in one of TFDV's buckets of equal width, such as a counter with a heavy tail.

    Args:
        columns: the columns of the config.
        statistics: of one day.
        drift: the largest drift of a healthy day, by feature; see `largest_drift`.
        days: the profiles of healthy days: their values are in the domains, and the one with the fewest values of a
            feature sets its least share.
        observed: the least share of rows in which an objective was observed on the days before; see `least_observed`.
    """
    inferred = tfdv.infer_schema(statistics, infer_feature_shape=False, max_string_domain_size=MAX_DOMAIN_SIZE)
    domains = {domain.name: sorted(domain.value) for domain in inferred.string_domain}
    of_column = {feature.name: domains.get(feature.domain, []) for feature in inferred.feature}
    found = {feature.path.step[0]: feature for feature in statistics.datasets[0].features}
    seen = {
        c.name: _over_days(_seen(found.get(c.name), of_column.get(c.name, [])), c.name, days) for c in columns.columns
    }
    for name, share in observed.items():
        # A day without any may be among them.
        seen[name] = replace(seen[name], present=max(_LEAST_PRESENT, min(seen[name].present, share)))
    # A weight is added to the schema where one is read, so that the config alone decides on it.
    drafted = [c for c in columns.columns if c.name != ROW_WEIGHT]
    schema = schema_pb2.Schema(feature=[column_kind(c.kind).draft(c, seen[c.name]) for c in drafted])
    _widen_drift(schema, drift)
    return schema


def least_observed(root: str | Path, days: Iterable[date], columns: LogColumns) -> dict[str, float]:
    """The smallest share of rows of any day in which each objective was observed; empty without days.

    Raises:
        FeedLogError: a day is missing, or a part of it cannot be read.
    """
    labels = [column for column in columns.columns if column.kind == ObjectiveKind.name]
    least: dict[str, float] = {}
    for day in days if labels else ():
        rows, present = 0, dict.fromkeys((label.name for label in labels), 0)
        for unit in plan_day(root, day, columns, _said_before):
            for batch in read_unit(unit, labels):
                rows += batch.num_rows
                for name in present:
                    present[name] += batch.num_rows - batch.column(name).null_count
        least |= {name: min(least.get(name, 1.0), count / rows) for name, count in present.items()}
    return least


def _said_before(warning: str) -> None:
    """Says nothing: the profiles of the same days were read with their warnings."""


def largest_drift(days: Sequence[DayProfile]) -> dict[str, Drift]:
    """The largest drift of any day from all others or from those before it, by feature; empty for fewer than two days.

    It includes the weekend's, if there is one among the days. What the number of a day's impressions explains by chance
    is left out, as it is when a day is validated.

    Args:
        days: oldest first.
    """
    found: dict[str, Drift] = {}
    for i, day in enumerate(days if len(days) > 1 else ()):
        windows = [[*days[:i], *days[i + 1 :]], *([days[:i]] if i else [])]
        for name, drift in (measured for window in windows for measured in measure_drift(day, window).items()):
            so_far = found.get(name, Drift(0.0, 0.0))
            found[name] = Drift(
                max(so_far.distance, drift.distance - drift.distance_noise),
                max(so_far.largest_change, drift.largest_change - drift.change_noise),
            )
    return found


def points_to_review(schema: schema_pb2.Schema, columns: LogColumns) -> list[str]:
    """The points to review in a drafted schema, one line each."""
    keys = {column.name for column in columns.columns if column_kind(column.kind).is_key}
    objectives = {column.name for column in columns.columns if column.kind == ObjectiveKind.name}
    points = []
    for feature in schema.feature:
        if feature.name in objectives:
            if not feature.HasField("shape"):
                points.append(f"{feature.name}: does a missing value mean that the outcome was not observed?")
            continue
        if values := list(feature.string_domain.value):
            shown = ", ".join(values[:8]) + (", …" if len(values) > 8 else "")
            points.append(f"{feature.name}: are these {len(values)} values all that may occur? {shown}")
        if not feature.HasField("shape") and not feature.HasField("drift_comparator") and feature.name not in keys:
            points.append(f"{feature.name}: no drift threshold, as its values are too alike or differ too much by day")
    return points


def _widen_drift(schema: schema_pb2.Schema, drift: Mapping[str, Drift]) -> None:
    for feature in schema.feature:
        if not feature.HasField("drift_comparator") or feature.name not in drift:
            continue
        comparator, measured = feature.drift_comparator, drift[feature.name]
        by_share = feature.type == schema_pb2.BYTES
        threshold = round(DRIFT_MARGIN * (measured.largest_change if by_share else measured.distance), 2)
        if threshold > NO_DRIFT_THRESHOLD_BEYOND:
            feature.ClearField("drift_comparator")
        elif threshold > MIN_DRIFT_THRESHOLD:
            measure = comparator.infinity_norm if by_share else comparator.jensen_shannon_divergence
            measure.threshold = threshold


def _over_days(seen: Seen, name: str, days: Sequence[DayProfile]) -> Seen:
    """What is seen of a feature over several days."""
    profiles = [(day.features[name], day.rows) for day in days if name in day.features]
    if not profiles:
        return seen
    present = min(seen.present, *(1.0 - profile.missing / rows for profile, rows in profiles))
    domain = sorted({*seen.domain, *(value for profile, _ in profiles for value in profile.names.values())})
    return replace(seen, present=present, domain=domain if seen.domain and len(domain) <= MAX_DOMAIN_SIZE else ())


def _seen(feature: statistics_pb2.FeatureNameStatistics | None, domain: Sequence[str]) -> Seen:
    """One column's part of a day's statistics."""
    if feature is None:
        return Seen()
    numbers = feature.WhichOneof("stats") == "num_stats"
    common = (feature.num_stats if numbers else feature.string_stats).common_stats
    if numbers:
        buckets = next((h.buckets for h in feature.num_stats.histograms if h.type == h.STANDARD), ())
        varies = max((b.sample_count for b in buckets), default=0) < MOST_IN_ONE_BUCKET * common.tot_num_values
    else:
        top = max((value.frequency for value in feature.string_stats.top_values), default=0)
        varies = top < MOST_OF_ONE_VALUE * common.tot_num_values
    return Seen(common.num_non_missing / (common.num_non_missing + common.num_missing), varies, domain)
