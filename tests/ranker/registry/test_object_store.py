"""A push destination on a real S3 server over HTTP, named by a URI with and without a query."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from threading import Barrier

import pytest
from pyarrow.fs import FileSelector

from ranker.command_line import explained
from ranker.config.retraining import Retraining
from ranker.registry import numbering, retention
from ranker.registry.baseline import choose_baseline
from ranker.registry.manifest import Lineage, Manifest
from ranker.registry.numbering import CLAIMS, SupersededError
from ranker.registry.publishing import find_published, publish
from ranker.registry.retention import remove_old_versions
from ranker.registry.rollback import RollbackError, roll_back
from ranker.registry.rollback import main as rollback_command
from ranker.registry.same_model import StoredModel
from ranker.registry.start import make_plan
from ranker.registry.versions import complete_versions, find_serving_version, find_training, read_manifest
from ranker.registry.withdrawal import destination_state, read_withdrawals
from ranker.storage import copy_folder, filesystem_of, join, local_copy
from tests.object_store import ObjectStore
from tests.ranker.registry.test_versions import of_training, push

ROOT = Path(__file__).resolve().parents[3]
MakeModel = Callable[..., str]

# Publishes, and is killed with no chance to tidy up once some files are there.
KILLED_PUSH = """
import os, signal, sys
from pyarrow import fs
from ranker.registry.publishing import publish

copy_files, copied = fs.copy_files, []

def killing(*paths, **where):
    if len(copied) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    copied.append(paths)
    copy_files(*paths, **where)

fs.copy_files = killing
publish(sys.argv[1], sys.argv[2])
"""


@pytest.fixture(params=["query", "environment"])
def destination(
    request: pytest.FixtureRequest, object_store: ObjectStore, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A push destination where nothing was pushed yet."""
    if request.param == "query":
        return object_store.uri(f"{bucket}/team/models")
    for name, value in object_store.environment().items():
        monkeypatch.setenv(name, value)
    return f"s3://{bucket}/team/models"


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """Writes a model with some files, and returns its folder."""

    def make(training: str, manifest: Manifest | None = None) -> str:
        text = manifest.to_json() if manifest is not None else of_training(training)
        push(tmp_path / "trained", training, text)
        folder = tmp_path / "trained" / training
        for name in ("assets/vocabulary", "variables/variables.data-00000-of-00001", "variables/variables.index"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(f"{name} of {training}")
        return str(folder)

    return make


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_published_model_is_found_and_complete(destination: str, make_model: MakeModel, tmp_path: Path) -> None:
    assert complete_versions(destination) == []
    model = make_model("monday")
    version = publish(model, destination)
    assert complete_versions(destination) == [version] == [find_serving_version(destination)]
    assert find_training(destination, "monday") == version == find_published(model, destination)
    assert find_published(make_model("tuesday"), destination) is None
    copy_folder(join(destination, version), tmp_path / "back")
    assert content(tmp_path / "back") == content(Path(model))
    with local_copy(join(destination, version)) as local:
        assert content(local) == content(Path(model))


@pytest.mark.slow
def test_retention_keeps_the_newest_versions(
    destination: str, make_model: MakeModel, object_store: ObjectStore, bucket: str
) -> None:
    versions = [publish(make_model(day), destination) for day in ("monday", "tuesday", "wednesday")]
    assert remove_old_versions(destination, keep=2) == [versions[0]]
    assert complete_versions(destination) == [versions[2], versions[1]]
    assert not [key for key in object_store.keys(bucket) if f"/{versions[0]}/" in key]


@pytest.mark.slow
def test_a_rollback_publishes_the_model_before_and_withdraws_the_serving_one(
    destination: str, make_model: MakeModel, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (publish(make_model(day), destination) for day in ("monday", "tuesday"))
    done = roll_back(destination)
    assert (done.republishes, done.instead_of) == (first, second)
    assert complete_versions(destination) == [done.version, second, first]
    assert StoredModel(join(destination, done.version)).training == "monday"
    withdrawn = read_withdrawals(destination).of_training("tuesday")
    assert withdrawn is not None
    assert withdrawn.version == second
    assert destination_state(destination, "tuesday") == f"{done.version}, withdrawn as {second}"
    # The command without a workdir says in a sentence that nothing is left.
    assert rollback_command([destination]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: s3://")
    assert "is serving, and there is none before it" in line


@pytest.mark.slow
def test_a_training_continues_from_the_pushed_model(destination: str, make_model: MakeModel) -> None:
    parts = {"features": "f1"}
    lineage = Lineage(start="cold", parent="", forest_day="2026-03-08", fisher=False, parts=parts)
    manifest = Manifest(eval_day="2026-03-08", training_fingerprint="sunday", lineage=lineage)
    version = publish(make_model("sunday", manifest), destination)
    found = read_manifest(destination, version)
    assert found is not None
    assert found.lineage == lineage
    plan = make_plan(destination, date(2026, 3, 9), Retraining(start="warm"), parts)
    assert (plan.start, plan.parent, plan.parent_training) == ("warm", version, "sunday")
    assert choose_baseline(destination, date(2026, 3, 9)).version == version


@pytest.mark.slow
def test_a_killed_push_is_not_served_and_does_not_stop_the_next_one(
    destination: str,
    make_model: MakeModel,
    object_store: ObjectStore,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    serving, model = publish(make_model("monday"), destination), make_model("tuesday")
    command = [sys.executable, "-c", KILLED_PUSH, model, destination]
    killed = subprocess.run(command, cwd=ROOT, check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    keys = [key.removeprefix("team/models/") for key in object_store.keys(bucket)]
    [incomplete] = {key.partition("/")[0] for key in keys if key[:1].isdigit()} - {serving}
    assert complete_versions(destination) == [serving]
    following = publish(model, destination)
    assert int(following) > int(incomplete)
    assert complete_versions(destination) == [following, serving]
    # A day later, retention removes what the killed push left, and nothing else.
    remove_old_versions(destination, keep=2)
    assert [key for key in object_store.keys(bucket) if f"/{incomplete}/" in key]
    monkeypatch.setattr(retention, "_ABANDONED_AFTER_S", -5.0)
    remove_old_versions(destination, keep=2)
    left = object_store.keys(bucket)
    assert not [key for key in left if incomplete in key]
    assert complete_versions(destination) == [following, serving]


@pytest.mark.slow
def test_concurrent_pushes_get_versions_of_their_own(destination: str, make_model: MakeModel) -> None:
    models = {day: make_model(day) for day in ("monday", "tuesday", "wednesday")}
    together = Barrier(len(models))

    def push_with_the_others(model: str) -> str:
        together.wait()
        return publish(model, destination)

    with ThreadPoolExecutor(len(models)) as pool:
        versions = dict(zip(models, pool.map(push_with_the_others, models.values()), strict=True))
    assert len(set(versions.values())) == len(models)
    assert set(complete_versions(destination)) == set(versions.values())
    for day, version in versions.items():
        with local_copy(join(destination, version)) as local:
            assert content(local) == content(Path(models[day]))


def test_wrong_credentials_are_one_sentence(
    object_store: ObjectStore, bucket: str, make_model: MakeModel, capsys: pytest.CaptureFixture[str]
) -> None:
    model = make_model("monday")
    for destination in (
        object_store.uri(f"{bucket}/models", secret="s3cret"),
        object_store.uri(f"{bucket}/models", key="AKIAIOSFODNN7EXAMPLE", secret="s3cret"),
    ):
        with pytest.raises(OSError, match="AWS Error") as raised:
            publish(model, destination)
        assert explained(raised.value).startswith("the store refuses the credentials, or they do not permit it: ")
        assert rollback_command([destination]) == 1
        [line] = capsys.readouterr().err.splitlines()
        assert line.startswith("error: the store refuses the credentials, or they do not permit it: ")
        assert "s3cret" not in line


def test_a_missing_bucket_is_one_sentence(object_store: ObjectStore, make_model: MakeModel) -> None:
    destination = object_store.uri("no-such-bucket/models")
    assert complete_versions(destination) == []
    with pytest.raises(OSError, match="no-such-bucket") as raised:
        publish(make_model("monday"), destination)
    assert explained(raised.value).startswith("there is no such bucket: ")


def test_secrets_are_not_shown(object_store: ObjectStore, bucket: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert rollback_command([object_store.uri(f"{bucket}/models")]) == 1
    said = capsys.readouterr().err
    assert f"s3://{object_store.key}:…@{bucket}/models" in said
    assert object_store.secret not in said
    assert os.linesep not in said.strip()


@pytest.mark.slow
def test_a_copy_of_an_earlier_model_waits_for_a_push_that_is_under_way(
    destination: str, make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other push has its number already, and is still copying: its model would be replaced when it is there."""
    serving, update = publish(make_model("monday"), destination), make_model("monday, updated")
    store, root = filesystem_of(destination)
    with store.open_output_stream(f"{root}/{CLAIMS}/{int(serving) + 60}-other") as claim:
        claim.write(b"other")
    with pytest.raises(SupersededError, match=rf"^version {int(serving) + 60} is being pushed, or its push was killed"):
        publish(update, destination, after=serving)
    publish(make_model("tuesday"), destination)
    with pytest.raises(RollbackError, match="nothing was rolled back: version"):
        roll_back(destination)
    assert read_withdrawals(destination).of_training("tuesday") is None

    monkeypatch.setattr(numbering, "_UNDER_WAY_S", -1.0)  # as if it were an hour old
    tuesday = complete_versions(destination)[0]
    assert publish(make_model("tuesday, updated"), destination, after=tuesday) == str(int(tuesday) + 1)
    with pytest.raises(SupersededError, match="serves now, instead of"):
        publish(make_model("tuesday, again"), destination, after=tuesday)
    assert [info.base_name for info in store.get_file_info(FileSelector(f"{root}/{CLAIMS}"))] == [
        f"{int(serving) + 60}-other"
    ]


@pytest.mark.slow
def test_what_a_killed_removal_left_is_removed_later(
    destination: str, make_model: MakeModel, object_store: ObjectStore, bucket: str
) -> None:
    versions = [publish(make_model(day), destination) for day in ("monday", "tuesday")]
    store, root = filesystem_of(destination)
    store.delete_file(f"{root}/{versions[0]}/saved_model.pb")
    remove_old_versions(destination, keep=2)
    assert complete_versions(destination) == versions[1:]
    assert not [key for key in object_store.keys(bucket) if f"/{versions[0]}/" in key]
