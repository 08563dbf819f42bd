"""Complete runs of the executor, on statistics that TFDV computes from a few hundred rows."""

import logging
from pathlib import Path

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tfx.components.example_validator import executor as stock
from tfx.types import channel_utils, standard_artifacts

from components.example_validator.component import ExampleValidator
from components.example_validator.executor import Executor
from components.example_validator.validation import DataAnomalyError

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


def run(tmp_path: Path, schema: str = SCHEMA, **splits: pd.DataFrame) -> standard_artifacts.ExampleAnomalies:
    statistics, curated, anomalies = (
        standard_artifacts.ExampleStatistics(),
        standard_artifacts.Schema(),
        standard_artifacts.ExampleAnomalies(),
    )
    for artifact, name in ((statistics, "statistics"), (curated, "schema"), (anomalies, "anomalies")):
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
    Executor().Do({"statistics": [statistics], "schema": [curated]}, {"anomalies": [anomalies]}, {})
    return anomalies


def written(tmp_path: Path, split: str) -> anomalies_pb2.Anomalies:
    path = tmp_path / "anomalies" / f"Split-{split}" / stock.DEFAULT_FILE_NAME
    return anomalies_pb2.Anomalies.FromString(path.read_bytes())


def test_good_data_passes_and_is_written_as_the_stock_component_does(tmp_path: Path) -> None:
    anomalies = run(tmp_path, train=rows(), eval=rows(web=55))
    assert anomalies.splits == ["train", "eval"]
    assert anomalies.span == 19786
    assert anomalies.get_json_value_custom_property("blessed") == {"train": 1, "eval": 1}
    assert not written(tmp_path, "train").anomaly_info
    drift = {info.path.step[0]: info.drift_measurements[0].value for info in written(tmp_path, "eval").drift_skew_info}
    assert drift["device"] == pytest.approx(0.05)


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
        run(tmp_path, train=rows(web=20), eval=rows(web=80, age=500.0))
    text = str(raised.value)
    assert "eval: device: The Linfty distance between current and previous is 0.6" in text
    assert "eval: age_hours: The approximate Jensen-Shannon divergence between current and previous is" in text
    assert "train:" not in text


def test_drift_without_a_threshold_is_no_anomaly(tmp_path: Path) -> None:
    schema = "\n".join(line for line in SCHEMA.splitlines() if "drift" not in line)
    run(tmp_path, schema + 'feature { name: "age_hours" type: FLOAT }', train=rows(web=20), eval=rows(web=80))


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


def test_the_component_keeps_the_stock_interface() -> None:
    validator = ExampleValidator(
        statistics=channel_utils.as_channel([standard_artifacts.ExampleStatistics()]),
        schema=channel_utils.as_channel([standard_artifacts.Schema()]),
    )
    assert validator.outputs["anomalies"].type is standard_artifacts.ExampleAnomalies
    assert list(validator.exec_properties) == ["code_fingerprint"]
