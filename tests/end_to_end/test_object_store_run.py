"""The local runner with its feed log and its push destination on an S3 server."""

import uuid
from datetime import date, timedelta
from pathlib import Path

import pytest
import tensorflow as tf

from pipeline_config import FEED
from ranker.feed_log.fingerprint import source_fingerprint
from ranker.feed_log.layout import window_days
from ranker.registry.versions import complete_versions, read_manifest
from ranker.storage import join, local_copy
from tests.end_to_end.conftest import DAYS, START, FinishedRun, run_locally
from tests.object_store import ObjectStore

pytestmark = pytest.mark.slow

DAY = START + timedelta(days=DAYS - 1)
SMALL = ("--config", "feed-first-pass")
"""Where the models are does not depend on how large they are."""


@pytest.fixture(scope="module")
def places(object_store: ObjectStore, small_feed: Path) -> tuple[str, str]:
    """The URIs of the feed log and of the push destination."""
    bucket = object_store.make_bucket(f"bucket-{uuid.uuid4().hex[:12]}")
    object_store.upload(small_feed, bucket, "log")
    return object_store.uri(f"{bucket}/log"), object_store.uri(f"{bucket}/team/models")


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workdir")


@pytest.fixture(scope="module")
def run(workdir: Path, places: tuple[str, str]) -> FinishedRun:
    return run_locally(workdir, *SMALL, "--feed-log", places[0], "--push-destination", places[1])


def test_a_blessed_model_is_pushed_to_the_store(
    run: FinishedRun, places: tuple[str, str], small_feed: Path, workdir: Path
) -> None:
    assert run.status == 0, run.output
    destination = places[1]
    [version] = complete_versions(destination)
    assert f"/team/models/{version}" in run.summary["pushed_model"]
    manifest = read_manifest(destination, version)
    assert manifest is not None
    assert manifest.training is not None
    assert manifest.eval_day == DAY.isoformat()
    # The same days on disk and in the store are the same data.
    assert manifest.training.data == source_fingerprint(small_feed, window_days(DAY, FEED.train_days))
    with local_copy(join(destination, version)) as model:
        assert set(tf.saved_model.load(str(model)).signatures) >= {"serving_default", "rank"}
    assert not (workdir / "serving_model").exists()


def test_the_run_has_recorded_the_day_s_health(run: FinishedRun) -> None:
    assert run.status == 0, run.output
    assert run.summary["monitoring"]["error"] is None


def test_secrets_are_in_no_text_of_the_run(run: FinishedRun, workdir: Path, object_store: ObjectStore) -> None:
    texts = [run.output, *(path.read_text() for path in workdir.glob("runs/*/*") if path.suffix in (".log", ".json"))]
    assert len(texts) == 3
    for text in texts:
        assert object_store.secret not in text
        assert f"s3://{object_store.key}:…@" in text


def test_an_unchanged_run_is_recognised(run: FinishedRun, places: tuple[str, str], workdir: Path) -> None:
    assert run.status == 0, run.output
    versions = complete_versions(places[1])
    again = run_locally(workdir, *SMALL, "--feed-log", places[0], "--push-destination", places[1])
    assert again.status == 0, again.output
    assert {component["state"] for component in again.summary["components"]} == {"cached"}
    assert again.summary["pushed_model"] == run.summary["pushed_model"]
    assert complete_versions(places[1]) == versions


def test_the_pushed_model_is_monitored(run: FinishedRun, places: tuple[str, str], workdir: Path) -> None:
    assert run.status == 0, run.output
    day = (DAY - timedelta(days=1)).isoformat()
    done = run_locally(workdir, *SMALL, "--feed-log", places[0], "--push-destination", places[1], "--monitor", day)
    assert done.status in (0, 4), done.output
    assert f"it may have seen {date.fromisoformat(day)}" in done.output


def test_a_rollback_looks_into_the_store(run: FinishedRun, places: tuple[str, str], workdir: Path) -> None:
    assert run.status == 0, run.output
    done = run_locally(workdir, *SMALL, "--push-destination", places[1], "--rollback")
    assert done.status == 2
    assert "is serving, and there is none before it" in done.output
