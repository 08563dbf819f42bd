"""Complete runs of the executor, on statistics that TFDV computes from a few hundred rows."""

import tfx  # noqa: F401 # isort: skip
import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tfx.components.example_validator import executor as stock
from tfx.types import Artifact, channel_utils, standard_artifacts

from components.artifacts import DayProfilesArtifact
from components.day_profiles import profile_text, write_profile
from components.example_validator.component import ExampleValidator
from components.example_validator.executor import Executor
from components.example_validator.validation import DataAnomalyError
from ranker.config.monitoring import Monitoring
from ranker.features.log_column import LogColumn
from ranker.monitoring.drift import feature_health
from ranker.monitoring.profile import DayProfile

JSD = "JENSEN_SHANNON_DIVERGENCE"
SCHEMA = """
feature {
  name: "device" type: BYTES presence { min_fraction: 0.5 }
  string_domain { name: "device" value: "ios" value: "web" }
  drift_comparator { infinity_norm { threshold: 0.2 } }
}
feature { name: "age_hours" type: FLOAT drift_comparator { jensen_shannon_divergence { threshold: 0.2 } } }
feature { name: "click" type: INT int_domain { min: 0 max: 1 } presence { min_fraction: 1 } }
feature { name: "viewer_id" type: BYTES value_count { min: 1 max: 1 } }
"""


def rows(web: int = 50, age: float = 0.0, click: int = 1) -> pd.DataFrame:
    """200 rows, of which `web` percent are on the web; ages are 100 consecutive numbers from `age`."""
    return pd.DataFrame(
        {
            "device": ["web"] * 2 * web + ["ios"] * (200 - 2 * web),
            "age_hours": [age + i % 100 for i in range(200)],
            "click": [0, click] * 100,
        }
    )


def profile(frame: pd.DataFrame) -> DayProfile:
    """The profile of a day with these rows."""
    columns = {
        "device": pa.array([[value.encode()] for value in frame["device"]], pa.list_(pa.binary())),
        "age_hours": pa.array([[value] for value in frame["age_hours"]], pa.list_(pa.float32())),
    }
    found = DayProfile([LogColumn("device", "categorical"), LogColumn("age_hours", "numeric")])
    found.add(pa.RecordBatch.from_pydict(columns))
    return found


def run(
    tmp_path: Path,
    schema: str = SCHEMA,
    reference: Sequence[pd.DataFrame] = (),
    max_unseen: float | None = None,
    **splits: pd.DataFrame,
) -> standard_artifacts.ExampleAnomalies:
    """Validates splits; with reference days, the split eval is also compared with those."""
    statistics, curated, anomalies, profiles = (
        standard_artifacts.ExampleStatistics(),
        standard_artifacts.Schema(),
        standard_artifacts.ExampleAnomalies(),
        DayProfilesArtifact(),
    )
    for artifact, name in (
        (statistics, "statistics"),
        (curated, "schema"),
        (anomalies, "anomalies"),
        (profiles, "profiles"),
    ):
        artifact.uri = str(tmp_path / name)
        Path(artifact.uri).mkdir()
    statistics.splits = list(splits)
    statistics.span = 19786
    for split, frame in splits.items():
        folder = Path(statistics.uri) / f"Split-{split}"
        folder.mkdir()
        computed = tfdv.generate_statistics_from_dataframe(frame)
        (folder / "FeatureStats.pb").write_bytes(computed.SerializeToString())
    text = text_format.MessageToString(text_format.Parse(schema, schema_pb2.Schema()))
    (Path(curated.uri) / "schema.pbtxt").write_text(text)
    inputs: dict[str, list[Artifact]] = {"statistics": [statistics], "schema": [curated]}
    if reference:
        for number, frame in enumerate([*reference, splits["eval"]], 1):
            write_profile(profiles.uri, f"2024-03-{number:02}", profile_text(profile(frame)))
        inputs["profiles"] = [profiles]
    Executor().Do(inputs, {"anomalies": [anomalies]}, {} if max_unseen is None else {"max_unseen": max_unseen})
    return anomalies


def written(tmp_path: Path, split: str) -> anomalies_pb2.Anomalies:
    path = tmp_path / "anomalies" / f"Split-{split}" / stock.DEFAULT_FILE_NAME
    return anomalies_pb2.Anomalies.FromString(path.read_bytes())


def measured(tmp_path: Path) -> dict[tuple[str, str], tuple[float, float]]:
    """Feature and measure → value and threshold."""
    return {
        (info.path.step[0], anomalies_pb2.DriftSkewInfo.Measurement.Type.Name(found.type)): (
            found.value,
            found.threshold,
        )
        for info in written(tmp_path, "eval").drift_skew_info
        for found in info.drift_measurements
    }


def test_good_data_passes_and_is_written_as_the_stock_component_does(tmp_path: Path) -> None:
    anomalies = run(tmp_path, train=rows(), eval=rows(web=55), reference=[rows()] * 3)
    assert anomalies.splits == ["train", "eval"]
    assert anomalies.span == 19786
    assert anomalies.get_json_value_custom_property("blessed") == {"train": 1, "eval": 1}
    assert not written(tmp_path, "train").anomaly_info
    drift = measured(tmp_path)
    assert drift["device", "L_INFTY"] == pytest.approx((0.05, 0.2))
    assert set(drift) == {("device", "JENSEN_SHANNON_DIVERGENCE"), ("device", "L_INFTY"), ("age_hours", JSD)}


def test_errors_fail_the_run_with_their_text(tmp_path: Path) -> None:
    bad = rows(click=3)
    bad["device"] = ["fridge"] * 200
    with pytest.raises(DataAnomalyError) as raised:
        run(tmp_path, train=rows(click=2), eval=bad)
    lines = str(raised.value).splitlines()
    assert lines[0] == "the data does not match the schema:"
    assert any(line.startswith("  train: click: ") and "2" in line for line in lines)
    assert any(line.startswith("  eval: click: ") and "3" in line for line in lines)
    assert any(line.startswith("  eval: device: ") and "fridge" in line for line in lines)
    assert set(written(tmp_path, "eval").anomaly_info) == {"click", "device"}


def test_a_missing_feature_is_an_error_and_a_missing_key_is_not(tmp_path: Path) -> None:
    with pytest.raises(DataAnomalyError, match="eval: device: Column is completely missing"):
        run(tmp_path, train=rows(), eval=rows().drop(columns="device"))


def test_drift_beyond_the_threshold_is_an_error_of_the_eval_day(tmp_path: Path) -> None:
    with pytest.raises(DataAnomalyError) as raised:
        run(tmp_path, train=rows(web=20), eval=rows(web=80, age=500.0), reference=[rows(web=20)] * 2)
    text = str(raised.value)
    assert (
        "eval: device: The largest change of a share from the reference window is 0.6, above the threshold 0.2." in text
    )
    assert "eval: age_hours: The Jensen-Shannon divergence from the reference window is 0." in text
    assert "[limit: drift_comparator.infinity_norm; day: 2024-03-04; see docs/limits.md]" in text
    assert "[limit: drift_comparator.jensen_shannon_divergence; day: 2024-03-04; see docs/limits.md]" in text
    assert "train:" not in text
    assert set(written(tmp_path, "eval").anomaly_info) == {"device", "age_hours"}


def test_every_error_names_the_limit_and_the_page_about_it(tmp_path: Path) -> None:
    bad = rows(click=3)
    bad.loc[:150, "device"] = None
    bad.loc[151:, "device"] = "fridge"
    with pytest.raises(DataAnomalyError) as raised:
        run(tmp_path, train=bad, eval=rows())
    click, device = (line.partition(" [")[2] for line in str(raised.value).splitlines()[1:])
    assert click == "limit: int_domain.max; days before 2024-03-04; see docs/limits.md];"
    limits = "presence.min_fraction, string_domain, distribution_constraints.min_domain_mass"
    assert set(device.partition(";")[0].removeprefix("limit: ").split(", ")) == set(limits.split(", "))


def test_a_small_day_may_differ_by_what_chance_explains(tmp_path: Path) -> None:
    few = rows(web=75).iloc[::25]  # 8 rows
    run(tmp_path, SCHEMA.replace("min_fraction: 0.5", ""), [rows()] * 3, train=rows(), eval=few)
    assert measured(tmp_path)["device", "L_INFTY"][0] == pytest.approx(0.25)


def test_drift_is_added_to_other_anomalies_of_the_feature(tmp_path: Path) -> None:
    odd = rows()
    odd["device"] = ["fridge"] * 200
    with pytest.raises(
        DataAnomalyError, match=r"eval: device: .*fridge.* The largest change of a share .* is 1, above"
    ):
        run(tmp_path, train=rows(), eval=odd, reference=[rows()])


def test_the_number_is_that_of_the_monitor(tmp_path: Path) -> None:
    """Also for a feature without a threshold."""
    schema = SCHEMA.replace("drift_comparator { jensen_shannon_divergence { threshold: 0.2 } }", "")
    reference = [rows(web=40, age=2.0 * day) for day in range(7)]
    day = rows(web=55, age=30.0)
    run(tmp_path, schema, reference, train=rows(), eval=day)
    health = feature_health(profile(day), [profile(frame) for frame in reference], Monitoring())
    assert {f.feature: f.distance for f in health} == {
        name: value for (name, kind), (value, _) in measured(tmp_path).items() if kind == JSD
    }
    assert measured(tmp_path)["age_hours", JSD][1] == 0.0


def test_a_weekend_is_compared_with_the_reference_days_and_not_with_the_split_train(tmp_path: Path) -> None:
    """A warm start trains on the day before alone: on a Saturday that is a Friday."""
    week = [rows(web=70), rows(web=70), *[rows(web=40)] * 5]  # Saturday to Friday
    run(tmp_path, train=rows(web=40), eval=rows(web=65), reference=week)
    assert measured(tmp_path)["device", "L_INFTY"][0] == pytest.approx(0.65 - (2 * 0.7 + 5 * 0.4) / 7, abs=0.01)


def test_slow_drift_is_seen_though_no_day_differs_from_the_one_before(tmp_path: Path) -> None:
    slow = [rows(web=10 + 8 * day) for day in range(8)]
    with pytest.raises(DataAnomalyError, match="eval: device: The largest change of a share"):
        run(tmp_path, train=slow[-2], eval=slow[-1], reference=slow[:-1])


def test_drift_without_a_threshold_is_no_anomaly(tmp_path: Path) -> None:
    schema = "\n".join(line for line in SCHEMA.splitlines() if "drift" not in line)
    run(
        tmp_path,
        schema + 'feature { name: "age_hours" type: FLOAT }',
        reference=[rows(web=20)],
        train=rows(),
        eval=rows(web=80),
    )


def test_warnings_are_logged_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = anomalies_pb2.Anomalies()
    found.anomaly_info["device"].severity = anomalies_pb2.AnomalyInfo.WARNING
    found.anomaly_info["device"].description = "A few odd values."
    monkeypatch.setattr(tfdv, "validate_statistics", lambda *_, **__: found)
    with caplog.at_level(logging.WARNING):
        anomalies = run(tmp_path, train=rows())
    assert "train: device: A few odd values." in caplog.text
    assert anomalies.get_json_value_custom_property("blessed") == {"train": 0}
    assert written(tmp_path, "train") == found


OPEN = " ".join(
    f'feature {{ name: "{name}" type: {kind} }}'
    for name, kind in dict(device="BYTES", age_hours="FLOAT", click="INT").items()
)


def renamed(new: float) -> pd.DataFrame:
    """A day on which a share of the values of `device` is new."""
    frame = rows()
    frame["device"] = [f"new {i % 3}" if i < 200 * new else device for i, device in enumerate(frame["device"])]
    return frame


def test_a_new_code_set_is_an_error_without_any_limit_in_the_schema(tmp_path: Path) -> None:
    with pytest.raises(DataAnomalyError) as raised:
        run(tmp_path, OPEN, [rows()] * 3, train=rows(), eval=renamed(1.0))
    [_, line] = str(raised.value).splitlines()
    assert line.startswith("  eval: device: 100% of the day's values occur on none of the days before, such as 'new ")
    assert "the limit is 50%, and usual is 0%" in line
    assert "validation.max_unseen" in line
    found = written(tmp_path, "eval").anomaly_info["device"]
    assert found.reason[0].type == anomalies_pb2.AnomalyInfo.ENUM_TYPE_UNEXPECTED_STRING_VALUES


def test_a_few_new_values_pass_and_the_limit_is_a_setting(tmp_path: Path) -> None:
    for number, (new, limit) in enumerate([(0.4, None), (0.4, 0.5), (1.0, 1.0), (0.0, 0.01)]):
        folder = tmp_path / str(number)
        folder.mkdir()
        run(folder, OPEN, [rows()] * 3, limit, train=rows(), eval=renamed(new))
    with pytest.raises(DataAnomalyError, match=r"eval: device: 40% .* the limit is 20%"):
        run(tmp_path, OPEN, [rows()] * 3, 0.2, train=rows(), eval=renamed(0.4))


def test_drift_and_new_values_of_a_feature_are_both_told(tmp_path: Path) -> None:
    schema = OPEN.replace("BYTES", "BYTES drift_comparator { infinity_norm { threshold: 0.2 } }")
    with pytest.raises(DataAnomalyError, match=r"device: The largest change .* 100% of the day's values occur on none"):
        run(tmp_path, schema, [rows()] * 3, train=rows(), eval=renamed(1.0))


def test_the_component_keeps_the_stock_interface() -> None:
    validator = ExampleValidator(
        statistics=channel_utils.as_channel([standard_artifacts.ExampleStatistics()]),
        schema=channel_utils.as_channel([standard_artifacts.Schema()]),
        profiles=channel_utils.as_channel([DayProfilesArtifact()]),
    )
    assert validator.outputs["anomalies"].type is standard_artifacts.ExampleAnomalies
    assert list(validator.exec_properties) == ["code_fingerprint"]
    limited = ExampleValidator(
        statistics=channel_utils.as_channel([standard_artifacts.ExampleStatistics()]),
        schema=channel_utils.as_channel([standard_artifacts.Schema()]),
        max_unseen=0.3,
    )
    assert limited.exec_properties["max_unseen"] == 0.3
