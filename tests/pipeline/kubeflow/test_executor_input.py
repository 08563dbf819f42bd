from datetime import date
from typing import Any

import pytest

from pipeline.kubeflow.executor_input import (
    local_copies,
    output_folders,
    with_input_types,
    with_local_paths,
    with_scheduled_days,
    with_uris,
    without_launcher_artifacts,
)
from ranker.feed_log.day import resolve_day

DAY = "{}|{}[Asia/Tokyo][days-before=1]"
DUE = "2026-03-09T18:00:00Z"  # 03:00 in Tokyo on 10 March
MODEL = {"instanceSchema": "title: tfx.Model\ntype: object\n"}
BLESSING = {"instanceSchema": "title: tfx.ModelBlessing\ntype: object\n"}


def artifacts(**uris: str) -> dict[str, Any]:
    return {name: {"artifacts": [{"uri": uri}]} for name, uri in uris.items()}


@pytest.fixture
def given() -> dict[str, Any]:
    """An ExecutorInput as a backend sends it."""
    message: dict[str, Any] = {
        "inputs": {"parameterValues": {"day": "2026-03-09"}, "artifacts": artifacts(model="minio://b/run/m/model")},
        "outputs": {
            "artifacts": artifacts(blessing="minio://b/run/e/blessing", **{"executor-logs": "minio://b/run/e/logs"}),
            "outputFile": "/tmp/kfp_outputs/output_metadata.json",
        },
    }
    message["inputs"]["artifacts"]["model"]["artifacts"][0]["type"] = {}
    message["outputs"]["artifacts"]["blessing"]["artifacts"][0]["type"] = BLESSING
    message["outputs"]["artifacts"]["executor-logs"]["artifacts"][0]["type"] = {"schemaTitle": "system.Artifact"}
    return message


def test_only_the_components_own_artifacts_are_kept(given: dict[str, Any]) -> None:
    kept = without_launcher_artifacts(given)
    assert set(kept["outputs"]["artifacts"]) == {"blessing"}
    assert kept["inputs"] == given["inputs"]
    assert "executor-logs" in given["outputs"]["artifacts"]


@pytest.mark.parametrize(
    ("day", "moment", "resolved"),
    [
        # A late run of a schedule: KFP replaces no macro, Argo knows the moment of creation only.
        (DAY.format("[[ScheduledTime.2006-01-02T15:04:05Z]]", "2026-03-20T08:00:00Z"), DUE, date(2026, 3, 9)),
        # A backend that does not know the placeholder.
        (
            DAY.format("[[ScheduledTime.2006-01-02T15:04:05Z]]", "2026-03-20T08:00:00Z"),
            "{{$.pipeline_job_schedule_time_utc}}",
            date(2026, 3, 19),
        ),
        # Days that were passed: the moment of the run does not matter.
        ("2026-01-31", DUE, date(2026, 1, 31)),
        ("2026-01-31T18:00:00Z[Asia/Tokyo]", DUE, date(2026, 2, 1)),
    ],
)
def test_the_day_of_a_late_run_is_that_of_its_schedule(day: str, moment: str, resolved: date) -> None:
    given = {"inputs": {"parameterValues": {"eval_day": day, "eval_day_scheduled_at": moment, "other": 1.0}}}
    values = with_scheduled_days(given)["inputs"]["parameterValues"]
    assert set(values) == {"eval_day", "other"}
    assert resolve_day(values["eval_day"]) == resolved


def test_inputs_get_the_type_that_the_component_declares(given: dict[str, Any]) -> None:
    typed = with_input_types(given, {"artifacts": {"model": {"artifactType": MODEL}}})
    assert typed["inputs"]["artifacts"]["model"]["artifacts"] == [{"uri": "minio://b/run/m/model", "type": MODEL}]


def test_a_component_without_inputs_is_unchanged() -> None:
    given = {"inputs": {"parameterValues": {"day": "2026-03-09"}}, "outputs": {"outputFile": "f"}}
    assert with_input_types(given, {}) == without_launcher_artifacts(given) == with_local_paths(given, {}) == given
    assert local_copies(given, "/") == {}
    assert output_folders(given) == []


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("minio://b/run/model", "/minio/b/run/model"),
        ("s3://b/run/model", "/s3/b/run/model"),
        ("gs://b/run/model", "/gcs/b/run/model"),
    ],
)
def test_local_paths_are_those_of_the_launcher(uri: str, path: str) -> None:
    given = {"inputs": {"artifacts": artifacts(model=uri)}}
    assert local_copies(given, "/") == {uri: path}
    assert with_local_paths(given, {uri: path}) == {"inputs": {"artifacts": artifacts(model=path)}}


def test_artifacts_that_the_launcher_does_not_copy_keep_their_uri() -> None:
    given = {"inputs": {"artifacts": artifacts(model="hdfs://b/model")}, "outputs": {"artifacts": artifacts(a="/x/a")}}
    assert local_copies(given, "/") == {}
    assert with_local_paths(given, {}) == given
    assert output_folders(given) == ["/x/a"]


def test_local_paths_are_reversible(given: dict[str, Any]) -> None:
    paths = local_copies(given, "/pod")
    local = with_local_paths(given, paths)
    assert output_folders(local) == ["/pod/minio/b/run/e/blessing", "/pod/minio/b/run/e/logs"]
    produced = {
        "artifacts": {
            "blessing": {
                "artifacts": [
                    {
                        "uri": "/pod/minio/b/run/e/blessing",
                        "metadata": {
                            "current_model": "/pod/minio/b/run/m/model",
                            "files": ["/pod/minio/b/run/m/model/Format-Serving", "/pod/minio/b/run/m/model2"],
                            "blessed": 1,
                        },
                    }
                ]
            }
        }
    }
    [artifact] = with_uris(produced, paths)["artifacts"]["blessing"]["artifacts"]
    assert artifact == {
        "uri": "minio://b/run/e/blessing",
        "metadata": {
            "current_model": "minio://b/run/m/model",
            "files": ["minio://b/run/m/model/Format-Serving", "/pod/minio/b/run/m/model2"],
            "blessed": 1,
        },
    }
