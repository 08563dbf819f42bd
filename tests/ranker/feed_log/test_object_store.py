"""A feed log on a real S3 server over HTTP reads like one on disk."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from pyarrow import fs

from ranker.feed_log.columns import LogColumns
from ranker.feed_log.fingerprint import KnownDigests, source_fingerprint
from ranker.feed_log.layout import FeedLogError, day_files, latest_day, list_days, open_parquet, window_days
from ranker.feed_log.planning import plan_window
from ranker.feed_log.reading import read_unit
from ranker.storage import filesystem_of
from tests.object_store import ObjectStore
from tests.small_feed_log import EVAL_DAY

TRAIN_DAYS = 3
WINDOW = window_days(EVAL_DAY, TRAIN_DAYS)
MANY_DAYS = 1_050  # more than S3 lists at once


@pytest.fixture(params=["query", "environment"])
def remote(
    request: pytest.FixtureRequest,
    object_store: ObjectStore,
    bucket: str,
    feed_log: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """The feed log of `feed_log`, uploaded."""
    object_store.upload(feed_log, bucket, "team/log")
    if request.param == "query":
        return object_store.uri(f"{bucket}/team/log")
    for name, value in object_store.environment().items():
        monkeypatch.setenv(name, value)
    return f"s3://{bucket}/team/log"


def rows(root: str | Path, columns: LogColumns) -> list[dict[str, object]]:
    plan = plan_window(root, EVAL_DAY, TRAIN_DAYS, columns)
    return [row for unit in plan.units for batch in read_unit(unit, columns.columns) for row in batch.to_pylist()]


@pytest.mark.slow
def test_the_days_and_their_rows_are_those_on_disk(remote: str, feed_log: Path, columns: LogColumns) -> None:
    assert list_days(remote) == list_days(feed_log) == WINDOW
    assert latest_day(remote) == EVAL_DAY
    found, expected = rows(remote, columns), rows(feed_log, columns)
    assert len(found) == 40 + 50 + 60 + 70
    assert found == expected


@pytest.mark.slow
def test_the_content_has_the_same_fingerprint(remote: str, feed_log: Path, tmp_path: Path) -> None:
    known = KnownDigests.load(tmp_path / "digests.json")
    assert source_fingerprint(remote, WINDOW, known) == source_fingerprint(feed_log, WINDOW)
    assert source_fingerprint(remote, WINDOW, known) == source_fingerprint(remote, WINDOW)


def test_many_days_are_all_listed(object_store: ObjectStore, bucket: str) -> None:
    first = date(2020, 1, 1)
    days = [first + timedelta(days=number) for number in range(MANY_DAYS)]
    object_store.make_empty(bucket, [f"log/day-{day}/part-0.parquet" for day in days])
    root = object_store.uri(f"{bucket}/log")
    assert list_days(root) == days
    [file] = day_files(root, days[-1]) or []
    assert file.path.endswith(
        f"/log/day-{days[-1]}/part-0.parquet?endpoint_override={object_store.host}&scheme=http&region=us-east-1"
    )


@pytest.mark.slow
def test_what_is_wrong_with_a_day_is_named(remote: str, feed_log: Path, columns: LogColumns) -> None:
    with pytest.raises(
        FeedLogError, match="the eval day 2024-03-05 has no folder day-2024-03-05; days there: 2024-03-01"
    ):
        plan_window(remote, EVAL_DAY + timedelta(days=1), TRAIN_DAYS, columns)
    [file] = day_files(remote, EVAL_DAY) or []
    filesystem, path = filesystem_of(file.path)
    with filesystem.open_input_file(path) as complete:
        half = complete.read(200)
    with filesystem.open_output_stream(path) as damaged:
        damaged.write(half)
    with pytest.raises(FeedLogError, match=r"part-0\.parquet.*: not a Parquet file, or an incomplete one"):
        open_parquet(file.path)
    with pytest.raises(FeedLogError, match="not a Parquet file, or an incomplete one"):
        source_fingerprint(remote, WINDOW)


def test_wrong_credentials_and_a_missing_bucket_are_one_sentence(object_store: ObjectStore, bucket: str) -> None:
    with pytest.raises(FeedLogError, match=r"the store refuses the credentials, or they do not permit it") as refused:
        list_days(object_store.uri(f"{bucket}/log", secret="s3cret"))
    assert "s3cret" not in str(refused.value)
    for root in (object_store.uri("no-such-bucket/log"), object_store.uri(f"{bucket}/log")):
        with pytest.raises(FeedLogError, match="feed log: there is no folder s3://"):
            list_days(root)


@pytest.mark.slow
def test_an_unreachable_store_is_one_sentence() -> None:
    with pytest.raises(FeedLogError, match=r"feed log: gs://.* cannot be read: the store does not answer"):
        list_days("gs://anonymous@bucket/log?endpoint_override=127.0.0.1:9&scheme=http&retry_limit_seconds=1")


def test_google_s_store_gives_up_by_itself() -> None:
    # pyarrow would retry for a quarter of an hour.
    filesystem, path = filesystem_of("gs://bucket/log")
    assert isinstance(filesystem, fs.GcsFileSystem)
    assert path == "bucket/log"
    assert filesystem == fs.FileSystem.from_uri("gs://bucket?retry_limit_seconds=30")[0]
    assert filesystem != fs.FileSystem.from_uri("gs://bucket")[0]
    own, _ = filesystem_of("gs://bucket/log?retry_limit_seconds=5")
    assert own == fs.FileSystem.from_uri("gs://bucket?retry_limit_seconds=5")[0]
