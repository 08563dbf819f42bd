"""From a feed log to a pushed model through the compiled pipeline, each component in a process of its own."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import tensorflow as tf
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from pipeline.kubeflow.cli import SCHEDULED_MOMENT
from pipeline.kubeflow.compile import compile_pipeline
from pipeline_config import CONFIGS, FEED
from ranker.config.kubeflow import Kubeflow, Notification
from ranker.evaluation.evaluation import Evaluation
from ranker.feed_log.day import scheduled_day
from ranker.feed_log.fingerprint import source_fingerprint
from ranker.feed_log.layout import window_days
from ranker.identity.training import TrainingIdentity
from tests.end_to_end.conftest import ROOT
from tests.pipeline.kubeflow.launcher import Launcher, Run, read_package
from tests.pipeline.kubeflow.stub_server import serving
from tests.processes import run_python

pytestmark = pytest.mark.slow

IMAGE = "registry.example/team/feed@sha256:" + "0123456789abcdef" * 4
DAY = "2026-03-09"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="module")
def run(small_feed: Path, models: Path, workdir: Path) -> Run:
    package = workdir / "feed.yaml"
    # How the components reach each other does not depend on how large the model is.
    command = ["kubeflow_runner.py", "compile", "--config", "feed-first-pass", "--image", IMAGE]
    command += ["--feed-log", str(small_feed)]
    command += ["--push-destination", str(models), "--output", str(package)]
    compiled = run_python(command, ROOT)
    assert compiled.status == 0, compiled.output
    return Launcher(read_package(package)[0], workdir).run({"day": DAY})


def test_every_component_runs(run: Run) -> None:
    assert run.state == "SUCCEEDED", run.error
    assert set(run.tasks.values()) == {"SUCCEEDED"}


def test_a_blessed_model_is_pushed(run: Run, models: Path, small_feed: Path) -> None:
    assert run.artifacts["Evaluator"]["blessing"].metadata["blessed"] == 1
    pushed = run.artifacts["Pusher"]["pushed_model"].metadata
    assert pushed["pushed"] == 1
    [version] = [path for path in models.iterdir() if path.name.isdigit()]
    assert pushed["pushed_destination"] == str(version)
    manifest = json.loads((version / "assets.extra/feed_ranker.json").read_text())
    assert manifest["eval_day"] == DAY
    window = window_days(date.fromisoformat(DAY), FEED.train_days)
    assert manifest["training"]["data"] == source_fingerprint(small_feed, window)
    assert manifest["training_fingerprint"] == TrainingIdentity(**manifest["training"]).fingerprint
    assert set(tf.saved_model.load(str(version)).signatures) >= {"serving_default", "rank"}


def test_the_model_has_learnt(run: Run, workdir: Path) -> None:
    launcher = Launcher(pb.PipelineSpec(), workdir)
    evaluation = launcher.local_path(run.artifacts["Evaluator"]["evaluation"].uri)
    objectives = Evaluation.from_json((evaluation / "gates.json").read_text()).objectives
    assert set(objectives) == set(CONFIGS["feed-first-pass"].objective_names)
    assert objectives["click"].candidate.auc.value > 0.65


def test_what_artifacts_say_of_others_holds_outside_of_the_pod(run: Run) -> None:
    model = run.artifacts["TowerTrainer"]["model"].uri
    assert run.artifacts["Evaluator"]["blessing"].metadata["current_model"] == model
    for outputs in run.artifacts.values():
        for artifact in outputs.values():
            assert artifact.uri.startswith("minio://mlpipeline/")
            assert "/pods/" not in json.dumps(json_format.MessageToDict(artifact.metadata))


def test_a_failing_component_fails_the_run_with_its_message(small_feed: Path, tmp_path: Path) -> None:
    """The run stops there, nothing is pushed, and the webhook is told why, and then how the run ended."""
    models = tmp_path / "models"
    (tmp_path / "url").touch()
    settings = Kubeflow(push_destination=str(models), volumes=(), notification=Notification("hook", reasons=True))
    compiled = compile_pipeline(replace(FEED, kubeflow=settings), IMAGE, str(small_feed))
    compiled.write(tmp_path / "feed.yaml")
    spec, _ = read_package(tmp_path / "feed.yaml")
    _only_up_to(spec, "StatisticsGen")
    with serving() as webhook:
        webhook.refusals["/hook"] = (200, {})
        (tmp_path / "url").write_text(f"{webhook.url}/hook")
        mounted = {"/secrets/notification/url": str(tmp_path / "url")}
        # A late run of a schedule: the day is that of the scheduled time, not that of the run's creation.
        day = scheduled_day(SCHEDULED_MOMENT, "Asia/Tokyo", 1)
        run = Launcher(spec, tmp_path, mounted).run({"day": day}, scheduled="2026-04-01T18:00:00Z")
    assert run.state == "FAILED"
    assert run.tasks == {
        "TrainingStart": "SUCCEEDED",
        "FeedLogGen": "FAILED",
        "StatisticsGen": "SKIPPED",
        "feed-ranker": "FAILED",
        "notify": "SUCCEEDED",
    }
    expected = f"feed log {small_feed}: the eval day 2026-04-01 has no folder day-2026-04-01"
    assert expected in run.logs["FeedLogGen"].splitlines()[-1]
    reason, end = (request.body["text"] for request in webhook.requests)
    assert reason.startswith(f"feed-ranker-feed: FeedLogGen failed: FeedLogError: {expected}")
    assert end.startswith("feed-ranker-feed (run feed-ranker-feed-x7k2p) failed; for the reason, open run ")
    assert not models.exists()


def _only_up_to(spec: pb.PipelineSpec, last: str) -> None:
    """Leaves out the tasks that `last` does not need."""
    tasks = spec.components["feed-ranker"].dag.tasks
    needed, new = set(), {last}
    while new:
        needed |= new
        new = {upstream for name in new for upstream in tasks[name].dependent_tasks} - needed
    for name in set(tasks) - needed:
        del tasks[name]
