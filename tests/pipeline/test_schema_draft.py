"""Drafts a schema from a small log, and checks that other days of it are valid and broken ones are not."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import schema_utils

from components.example_validator.validation import sort_out, validate
from pipeline.schema_draft import draft_schema, largest_drift, least_observed, points_to_review, statistics_of
from ranker.config.columns import Keys
from ranker.feed_log.columns import LogColumns, columns_of
from ranker.feed_log.planning import plan_day
from ranker.feed_log.reading import read_unit
from ranker.monitoring.drift import Drift, measure_drift
from ranker.monitoring.profile import DayProfile
from tests.small_feed_log import EVAL_DAY, FEATURES, OBJECTIVES, day_table, replaced

COLUMNS: LogColumns = columns_of(OBJECTIVES, FEATURES, Keys())
OTHER_DAY, BROKEN_DAY, SMALL_DAY = date(2024, 3, 5), date(2024, 3, 6), date(2024, 3, 7)
ROWS, FEW = 400, 30


@pytest.fixture(scope="module")
def feed_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("log")
    broken = replaced(day_table(ROWS, 3, BROKEN_DAY), "device", pa.array(["fridge"] * ROWS))
    broken = replaced(broken, "impressions", pa.nulls(ROWS))
    small = replaced(day_table(FEW, 4, SMALL_DAY), "device", pa.array(["ios"] * 25 + ["watch"] * 3 + [None] * 2))
    tables = {EVAL_DAY: day_table(ROWS, 1, EVAL_DAY), OTHER_DAY: day_table(ROWS, 2, OTHER_DAY), BROKEN_DAY: broken}
    tables[SMALL_DAY] = small
    for day, table in tables.items():
        folder = root / f"day-{day}"
        folder.mkdir()
        # Almost constant within a day, and different the next day.
        weekday = pa.array([f"{day:%A}"] * (table.num_rows - 3) + ["Sunday"] * 3)
        pq.write_table(replaced(table, "cohort", weekday), folder / "part-0.parquet")
    return root


@pytest.fixture(scope="module")
def schema(feed_log: Path) -> schema_pb2.Schema:
    return draft_schema(COLUMNS, statistics_of(feed_log, [EVAL_DAY], COLUMNS))


def profile_of(root: Path, day: date) -> DayProfile:
    profile = DayProfile(COLUMNS.columns)
    for unit in plan_day(root, day, COLUMNS):
        for batch in read_unit(unit, COLUMNS.columns):
            profile.add(batch)
    return profile


def feature(schema: schema_pb2.Schema, name: str) -> schema_pb2.Feature:
    (found,) = (feature for feature in schema.feature if feature.name == name)
    return found


@pytest.mark.slow
def test_types_and_shapes_are_those_of_the_examples(schema: schema_pb2.Schema) -> None:
    assert [feature.name for feature in schema.feature] == [column.name for column in COLUMNS.columns]
    spec = schema_utils.schema_as_feature_spec(schema).feature_spec
    fixed = {name: (list(f.shape), f.dtype.name) for name, f in spec.items() if hasattr(f, "shape")}
    assert fixed == {"content": ([3], "float32"), "click": ([1], "int64"), "like": ([1], "int64")}
    sparse = {name: f.dtype.name for name, f in spec.items() if not hasattr(f, "shape")}
    assert sparse == {
        "session_id": "string",
        "viewer_id": "string",
        "item_id": "string",
        "timestamp": "int64",
        "age_hours": "float32",
        "impressions": "float32",
        "device": "string",
        "cohort": "string",
        "topics": "string",
    }


@pytest.mark.slow
def test_what_only_the_data_tells_is_written_down_generously(schema: schema_pb2.Schema) -> None:
    device = feature(schema, "device")
    assert list(device.string_domain.value) == ["ios", "web"]
    assert device.distribution_constraints.min_domain_mass == 0.95
    assert device.drift_comparator.infinity_norm.threshold == 0.3
    assert 0.25 < device.presence.min_fraction < 0.45
    assert (feature(schema, "click").int_domain.min, feature(schema, "click").int_domain.max) == (0, 1)
    assert feature(schema, "age_hours").drift_comparator.jensen_shannon_divergence.threshold == 0.3


@pytest.mark.slow
def test_a_column_that_is_nearly_the_same_all_day_has_no_domain_and_no_drift(schema: schema_pb2.Schema) -> None:
    cohort = feature(schema, "cohort")
    assert not cohort.HasField("string_domain")
    assert not cohort.HasField("drift_comparator")


@pytest.mark.slow
def test_points_to_review(schema: schema_pb2.Schema) -> None:
    assert points_to_review(schema, COLUMNS) == [
        "device: are these 2 values all that may occur? ios, web",
        "cohort: no drift threshold, as its values are too alike or differ too much by day",
        "topics: are these 5 values all that may occur? t0, t1, t2, t3, t4",
    ]


@pytest.mark.slow
def test_another_day_fits_and_a_broken_one_does_not(feed_log: Path, schema: schema_pb2.Schema) -> None:
    days = {day: statistics_of(feed_log, [day], COLUMNS) for day in (EVAL_DAY, OTHER_DAY, BROKEN_DAY)}
    profiles = {day: profile_of(feed_log, day) for day in days}
    drift = {day: measure_drift(profiles[day], [profiles[EVAL_DAY]]) for day in (OTHER_DAY, BROKEN_DAY)}
    found = validate({"train": days[EVAL_DAY], "eval": days[OTHER_DAY]}, schema, drift[OTHER_DAY])
    assert sort_out(found) == ([], [])
    found = validate({"train": days[EVAL_DAY], "eval": days[BROKEN_DAY]}, schema, drift[BROKEN_DAY])
    errors, _ = sort_out(found)
    assert {error.split(": ")[1] for error in errors} == {"device", "impressions"}
    assert all(error.startswith("eval: ") for error in errors)


@pytest.mark.slow
def test_an_objective_that_was_not_always_observed_on_any_day_may_be_missing(
    feed_log: Path, tmp_path: Path, schema: schema_pb2.Schema
) -> None:
    assert feature(schema, "click").presence.min_fraction == 1.0
    for day, gaps in ((EVAL_DAY, 100), (OTHER_DAY, 40)):
        folder = tmp_path / f"day-{day}"
        folder.mkdir()
        observed = pa.array([None if number < gaps else number % 2 for number in range(ROWS)])
        pq.write_table(replaced(day_table(ROWS, 1, day), "click", observed), folder / "part-0.parquet")
    observed = least_observed(tmp_path, [EVAL_DAY, OTHER_DAY], COLUMNS)
    assert observed == {"click": 0.75, "like": 1.0}
    drafted = draft_schema(COLUMNS, statistics_of(feed_log, [EVAL_DAY], COLUMNS), observed=observed)
    assert feature(drafted, "click").presence.min_fraction == pytest.approx(0.37)
    assert feature(drafted, "like").presence.min_fraction == 1.0


@pytest.mark.slow
def test_drift_thresholds_leave_room_for_what_days_differ_by(feed_log: Path) -> None:
    broken, day = (profile_of(feed_log, day) for day in (BROKEN_DAY, EVAL_DAY))
    statistics = statistics_of(feed_log, [EVAL_DAY], COLUMNS)
    schema = draft_schema(COLUMNS, statistics, largest_drift([broken, day]))
    assert not feature(schema, "device").HasField("drift_comparator")
    assert feature(schema, "age_hours").drift_comparator.jensen_shannon_divergence.threshold == 0.3
    errors, _ = sort_out(validate({"eval": statistics}, schema, measure_drift(day, [broken])))
    assert errors == []


def test_the_largest_drift_is_that_of_the_day_that_differs_most(feed_log: Path) -> None:
    broken, day, other = (profile_of(feed_log, day) for day in (BROKEN_DAY, EVAL_DAY, OTHER_DAY))
    found = largest_drift([day, broken, other])["device"]
    measured = [measure_drift(broken, days)["device"] for days in ([day, other], [day])]
    assert found.distance == max(drift.distance - drift.distance_noise for drift in measured)
    assert found.largest_change == max(drift.largest_change - drift.change_noise for drift in measured)
    assert 0.8 < found.largest_change < 1.0
    assert largest_drift([day]) == {}


@pytest.mark.slow
def test_a_log_is_within_the_limits_that_were_drafted_from_it_whatever_the_size_of_its_days(feed_log: Path) -> None:
    """The newest day is small: it has few of the values, and its shares differ by chance."""
    days = (EVAL_DAY, OTHER_DAY, SMALL_DAY)
    profiles = [profile_of(feed_log, day) for day in days]
    small = statistics_of(feed_log, [SMALL_DAY], COLUMNS)
    schema = draft_schema(COLUMNS, small, largest_drift(profiles), profiles)
    assert list(feature(schema, "device").string_domain.value) == ["ios", "watch", "web"]
    earlier = statistics_of(feed_log, days[:2], COLUMNS)
    found = validate({"train": earlier, "eval": small}, schema, measure_drift(profiles[2], profiles[:2]))
    assert sort_out(found) == ([], [])
    [only] = sort_out(validate({"eval": small}, schema, measure_drift(profiles[1], profiles[2:])))[:1]
    assert only == []


@pytest.mark.slow
def test_a_threshold_is_twice_the_largest_drift(feed_log: Path) -> None:
    statistics = statistics_of(feed_log, [EVAL_DAY], COLUMNS)
    schema = draft_schema(
        COLUMNS, statistics, {"device": Drift(0.01, 0.22), "age_hours": Drift(0.21, 0.9), "topics": Drift(0.9, 0.1)}
    )
    assert feature(schema, "device").drift_comparator.infinity_norm.threshold == pytest.approx(0.44)
    assert feature(schema, "age_hours").drift_comparator.jensen_shannon_divergence.threshold == pytest.approx(0.42)
    assert feature(schema, "topics").drift_comparator.infinity_norm.threshold == pytest.approx(0.3)
