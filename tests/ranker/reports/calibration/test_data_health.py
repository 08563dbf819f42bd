"""TFDV's results as plain data."""

import tfx  # noqa: F401 # isort: skip
from typing import Any

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from ranker.reports.calibration.data_health import by_name, compare_features, listed_anomalies, positive_rates

Found = tuple[Any, Any, Any]

TRAIN = pd.DataFrame(
    {
        "age": [1.0, 2.0, 3.0, None] * 250,
        "device": ["ios"] * 600 + ["web"] * 400,
        "click": [0, 0, 0, 1] * 250,
    }
)
DAY = pd.DataFrame({"age": [4.0, 8.0] * 50, "device": ["ios"] * 20 + ["fridge"] * 80, "click": [0, 1] * 50})
SCHEMA = """
feature {
  name: "age" type: FLOAT presence { min_fraction: 0 }
  drift_comparator { jensen_shannon_divergence { threshold: 0.3 } }
}
feature { name: "device" type: BYTES domain: "devices" drift_comparator { infinity_norm { threshold: 0.2 } } }
feature { name: "click" type: INT }
string_domain { name: "devices" value: "ios" value: "web" }
"""


@pytest.fixture(scope="module")
def found() -> Found:
    schema = text_format.Parse(SCHEMA, schema_pb2.Schema())
    train, day = (tfdv.generate_statistics_from_dataframe(frame) for frame in (TRAIN, DAY))
    anomalies = tfdv.validate_statistics(day, schema, previous_statistics=train)
    return by_name(train), by_name(day), anomalies


def test_each_feature_has_its_missing_share_typical_value_and_drift(found: Found) -> None:
    age, device = compare_features(("age", "device", "no_such"), *found)
    assert age.missing == (0.25, 0.0)
    assert age.typical == pytest.approx((2.0, 6.0))
    assert (age.what, age.measure, age.limit) == ("mean", "Jensen–Shannon divergence", 0.3)
    assert age.drift is not None
    assert age.drift > 0.3
    assert device.what == "share of most frequent"
    assert device.typical == pytest.approx((0.6, 0.2))
    assert device.drift == pytest.approx(0.8)
    assert device.limit == pytest.approx(0.2)


def test_the_distance_is_shown_beside_the_measure_that_the_schema_limits(found: Found) -> None:
    anomalies = anomalies_pb2.Anomalies()
    for name, divergence, change, limit in (("age", 0.05, 0.2, 0.0), ("device", 0.02, 0.12, 0.3)):
        info = anomalies.drift_skew_info.add()
        info.path.step.append(name)
        info.drift_measurements.add(type="JENSEN_SHANNON_DIVERGENCE", value=divergence)
        if limit:
            info.drift_measurements.add(type="L_INFTY", value=change, threshold=limit)
    age, device = compare_features(("age", "device"), found[0], found[1], anomalies)
    assert (age.distance, age.measure, age.drift, age.limit) == (0.05, "", None, None)
    assert (device.distance, device.drift, device.limit) == (0.02, 0.12, 0.3)
    assert device.measure == "largest change of a share"


def test_a_feature_that_one_split_lacks_is_listed(found: Found) -> None:
    train, _, anomalies = found
    [age] = compare_features(("age",), train, {}, anomalies)
    assert age.missing == (0.25, None)
    assert age.typical == (2.0, None)


def test_anomalies_name_split_feature_and_severity(found: Found) -> None:
    anomalies = listed_anomalies("eval", found[2])
    assert {(a.split, a.feature, a.severity) for a in anomalies} >= {("eval", "device", "error")}
    [device] = [a for a in anomalies if a.feature == "device"]
    assert "fridge" in device.text


def test_base_rates_are_the_means_of_labels(found: Found) -> None:
    assert positive_rates(("click", "share"), found[0]) == {"click": 0.25}
