"""The page from artifacts with the layout of the other components' outputs."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.types import channel_utils, standard_artifacts

# TFDV imports a module that tfx_bsl no longer has; TFX, imported first, adds a replacement.
import tensorflow_data_validation as tfdv  # isort: skip

from components.artifacts import ForestArtifact
from components.calibration_report import contributions
from components.calibration_report.component import CalibrationReport
from components.calibration_report.executor import Executor
from ranker.config.columns import Categorical, Features
from ranker.config.gates import Gate, Gates
from ranker.config.objectives import Objective
from ranker.config.pipeline import PipelineConfig
from ranker.explanation.impressions import ExplainedImpression
from ranker.registry.manifest import Lineage
from ranker.reports.calibration.inputs import ReportInputs
from tests.ranker.reports.documents import blessed_inputs, refused_inputs

CONFIG = PipelineConfig(
    name="small",
    objectives=(Objective("click", "passive"), Objective("share", "active")),
    features=Features(numeric=("age",), categorical=(Categorical("device"),)),
    schema="schemas/small.pbtxt",
)
SCHEMA = """
feature { name: "age" type: FLOAT drift_comparator { jensen_shannon_divergence { threshold: 0.01 } } }
feature { name: "device" type: BYTES drift_comparator { infinity_norm { threshold: 0.9 } } }
feature { name: "click" type: INT }
feature { name: "share" type: INT }
"""
TYPES: dict[str, type[types.Artifact]] = {
    "examples": standard_artifacts.Examples,
    "statistics": standard_artifacts.ExampleStatistics,
    "anomalies": standard_artifacts.ExampleAnomalies,
    "forest": ForestArtifact,
    "model": standard_artifacts.Model,
    "model_run": standard_artifacts.ModelRun,
    "evaluation": standard_artifacts.ModelEvaluation,
    "pushed_model": standard_artifacts.PushedModel,
}


def component() -> CalibrationReport:
    return CalibrationReport(
        config=CONFIG, **{name: channel_utils.as_channel([kind()]) for name, kind in TYPES.items()}
    )


def artifacts(root: Path, inputs: ReportInputs) -> dict[str, list[types.Artifact]]:
    """Artifacts with the content of `inputs`, and statistics of a few rows."""
    made = {name: kind() for name, kind in TYPES.items()}
    for name, artifact in made.items():
        artifact.uri = str(root / name)
        Path(artifact.uri).mkdir()
    made["examples"].set_string_custom_property("rows_per_day", json.dumps(dict(inputs.rows_per_day)))
    made["examples"].set_string_custom_property("missing_days", ",".join(inputs.missing_days))
    made["examples"].set_string_custom_property("source_fingerprint", "feedfeedfeedfeed")
    made["pushed_model"].set_int_custom_property("pushed", int(inputs.pushed_version is not None))
    made["pushed_model"].set_string_custom_property("pushed_version", inputs.pushed_version or "")
    manifest = replace(inputs.manifest, training_fingerprint="aaaa", forest_fingerprint="bbbb")
    assert inputs.forest_curve is not None
    for path, content in (
        ("evaluation/gates.json", inputs.evaluation.to_json()),
        ("model/Format-Serving/assets.extra/feed_ranker.json", manifest.to_json()),
        ("forest/training_curve.json", inputs.forest_curve.to_json()),
        ("model_run/history.json", inputs.tower_history.to_json()),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    schema = text_format.Parse(SCHEMA, schema_pb2.Schema())
    train = tfdv.generate_statistics_from_dataframe(rows(ages=range(100)))
    day = tfdv.generate_statistics_from_dataframe(rows(ages=range(50, 150)))
    for name, file, splits in (
        ("statistics", "FeatureStats.pb", {"train": train, "eval": day}),
        (
            "anomalies",
            "SchemaDiff.pb",
            {
                "train": tfdv.validate_statistics(train, schema),
                "eval": tfdv.validate_statistics(day, schema, previous_statistics=train),
            },
        ),
    ):
        made[name].splits = ["train", "eval"]
        for split, proto in splits.items():
            folder = root / name / f"Split-{split}"
            folder.mkdir()
            (folder / file).write_bytes(proto.SerializeToString())
    return {name: [artifact] for name, artifact in made.items()}


def rows(ages: range) -> pd.DataFrame:
    count = len(ages)
    return pd.DataFrame(
        {
            "age": [float(age) for age in ages],
            "device": ["ios", "web"] * (count // 2),
            "click": [0, 0, 0, 1] * (count // 4),
            "share": [0] * (count - 1) + [1],
        }
    )


def execute(inputs: dict[str, list[types.Artifact]], root: Path) -> str:
    report = component().outputs["report"].type()
    report.uri = str(root / "report")
    Executor().Do(inputs, {"report": [report]}, dict(component().exec_properties))
    assert [path.name for path in Path(report.uri).iterdir()] == ["report.html"]
    return (Path(report.uri) / "report.html").read_text()


@pytest.mark.slow
def test_the_page_uses_every_artifact(tmp_path: Path) -> None:
    page = execute(artifacts(tmp_path, blessed_inputs()), tmp_path)
    assert "Blessed and pushed as version 1700000001" in page
    assert "eval: age: " in page  # the anomaly: drift beyond the schema's threshold
    assert "trained 25.00 %" in page  # the base rate of click
    assert "49.5 → 99.5" in page  # the mean of age
    assert "the feed log has no 2026-01-09" in page
    for fingerprint in ("aaaa", "bbbb", "feedfeedfeedfeed"):
        assert f"<code>{fingerprint}</code>" in page
    assert "<dt>xgboost</dt>" in page
    assert "60 trees, 900 leaves" in page
    assert "No impression was explained: " in page  # this model has no training state


@pytest.mark.slow
def test_impressions_of_the_eval_split_are_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = artifacts(tmp_path, blessed_inputs())
    inputs["examples"][0].split_names = '["train", "eval"]'
    (tmp_path / "examples" / "Split-eval").mkdir()
    with tf.io.TFRecordWriter(str(tmp_path / "examples" / "Split-eval" / "shard")) as writer:
        writer.write(b"an impression")
    seen: list[Any] = []

    def explain(explainer: object, examples: list[bytes], objectives: list[str]) -> dict[str, Any]:
        seen.append((explainer, examples, objectives))
        return {"click": (ExplainedImpression("highest", True, -1.0, {"age": 0.5}, {"age": "7"}),)}

    monkeypatch.setattr(contributions, "Explainer", lambda folder, manifest: folder)
    monkeypatch.setattr(contributions, "explain_impressions", explain)
    page = execute(inputs, tmp_path)
    assert seen == [(str(tmp_path / "model" / "Format-Serving"), [b"an impression"], ["click", "share"])]
    assert 'id="table-why-click"' in page


@pytest.mark.slow
def test_a_model_that_was_not_blessed_has_a_page_as_well(tmp_path: Path) -> None:
    page = execute(artifacts(tmp_path, refused_inputs()), tmp_path)
    assert "Not blessed: " in page
    assert "click on device=ios: O/E is" in page


@pytest.mark.slow
def test_it_runs_without_the_pusher(tmp_path: Path) -> None:
    inputs = artifacts(tmp_path, blessed_inputs())
    del inputs["pushed_model"]
    page = execute(inputs, tmp_path)
    assert '<h1 class="good">Blessed: ' in page


@pytest.mark.slow
def test_a_run_without_a_new_forest_names_the_reused_one(tmp_path: Path) -> None:
    inputs = blessed_inputs()
    lineage = Lineage("warm", "1699999999", "2026-01-05", fisher=False, parts={})
    made = artifacts(tmp_path, replace(inputs, manifest=replace(inputs.manifest, lineage=lineage)))
    (tmp_path / "forest" / "training_curve.json").unlink()
    page = execute(made, tmp_path)
    assert "The run trained no forest: it continued with the forest of 2026-01-05." in page
    assert "warm from version 1699999999" in page


@pytest.mark.slow
def test_a_missing_file_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    inputs = artifacts(tmp_path, blessed_inputs())
    (tmp_path / "model_run" / "history.json").unlink()
    with pytest.raises(ValueError, match=r"model_run/history\.json is missing"):
        execute(inputs, tmp_path)
    assert not (tmp_path / "report" / "report.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("evaluation/gates.json", '{"blessed": true}', "format: it has no format number, .*evaluate the model again"),
        ("forest/training_curve.json", '{"train": [0.5]}', "validation: Field required"),
        ("model_run/history.json", '{"objectives"', "Invalid JSON"),
        ("model/Format-Serving/assets.extra/feed_ranker.json", '{"trees": "many"}', "trees: "),
    ],
)
def test_a_damaged_file_is_named_with_the_field(tmp_path: Path, file: str, content: str, message: str) -> None:
    inputs = artifacts(tmp_path, blessed_inputs())
    (tmp_path / file).write_text(content)
    with pytest.raises(ValueError, match=f"{re.escape(str(tmp_path / file))}: {message}"):
        execute(inputs, tmp_path)


def test_its_cache_key_holds_features_gates_and_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def parameters(config: PipelineConfig) -> dict[str, Any]:
        channels = {name: channel_utils.as_channel([kind()]) for name, kind in TYPES.items()}
        return dict(CalibrationReport(config=config, **channels).exec_properties)

    before = parameters(CONFIG)
    assert json.loads(before["features"]) == ["age", "device"]
    assert parameters(replace(CONFIG, train_days=3)) == before
    assert parameters(replace(CONFIG, gates=Gates(objective=Gate(min_auc=0.6)))) != before
    monkeypatch.setattr("components.calibration_report.component.code_fingerprint", lambda *modules: "changed")
    assert parameters(CONFIG)["code_fingerprint"] == "changed"
