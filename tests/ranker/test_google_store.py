"""A push destination and a feed log on Google Cloud Storage, by pyarrow's client over HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ranker.feed_log.fingerprint import source_fingerprint
from ranker.feed_log.layout import day_files, list_days, open_parquet, window_days
from ranker.registry.publishing import find_published, publish
from ranker.registry.retention import remove_old_versions
from ranker.registry.rollback import roll_back
from ranker.registry.same_model import StoredModel
from ranker.registry.versions import complete_versions
from ranker.registry.withdrawal import read_withdrawals
from ranker.storage import copy_folder, has_bucket, join, local_copy
from tests.google_store import BUCKET, serving_google_store, uri
from tests.ranker.registry.test_versions import of_training, push
from tests.small_feed_log import EVAL_DAY, day_table


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    with serving_google_store() as served:
        yield served


@pytest.mark.slow
def test_models_are_published_found_rolled_back_and_removed(host: str, tmp_path: Path) -> None:
    destination = uri(host, "team/models")
    assert has_bucket(destination)
    assert not has_bucket(destination.replace(f"@{BUCKET}/", "@nowhere/"))
    assert complete_versions(destination) == []
    versions = []
    for day in ("monday", "tuesday"):
        push(tmp_path, day, of_training(day))
        (tmp_path / day / "variables").mkdir()
        (tmp_path / day / "variables" / "data").write_text(day * 1_000)
        versions.append(publish(str(tmp_path / day), destination))
    assert complete_versions(destination) == versions[::-1]
    assert find_published(str(tmp_path / "tuesday"), destination) == versions[1]
    done = roll_back(destination)
    assert (done.republishes, done.instead_of) == (versions[0], versions[1])
    assert StoredModel(join(destination, done.version)).training == "monday"
    assert read_withdrawals(destination).of_training("tuesday") is not None
    assert remove_old_versions(destination, keep=1) == versions[::-1]
    assert complete_versions(destination) == [done.version]
    with local_copy(join(destination, done.version)) as model:
        assert (model / "variables" / "data").read_text() == "monday" * 1_000


@pytest.mark.slow
def test_a_feed_log_reads_like_one_on_disk(host: str, tmp_path: Path) -> None:
    days = window_days(EVAL_DAY, 1)
    for number, day in enumerate(days):
        folder = tmp_path / f"day-{day}"
        folder.mkdir()
        pq.write_table(day_table(40, number, day), folder / "part-0.parquet")
    log = uri(host, "team/log")
    copy_folder(tmp_path, log)
    assert list_days(log) == days
    [file] = day_files(log, EVAL_DAY) or []
    [local] = day_files(tmp_path, EVAL_DAY) or []
    with open_parquet(file.path) as remote, open_parquet(local.path) as on_disk:
        assert remote.read().equals(on_disk.read())
    assert source_fingerprint(log, days) == source_fingerprint(tmp_path, days)
