import json
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyarrow import fs

from ranker import storage
from ranker.registry import publishing
from ranker.registry.layout import MANIFEST
from ranker.registry.manifest import Manifest, Republished
from ranker.registry.publishing import find_published, publish


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "variables").mkdir(parents=True)
    (folder / "assets.extra").mkdir()
    (folder / MANIFEST).write_text('{"training_fingerprint": "monday"}')
    (folder / "saved_model.pb").write_text("graph")
    (folder / "variables" / "variables.index").write_text("weights")
    return folder


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    return tmp_path / "serving"


def set_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(publishing, "time", SimpleNamespace(time=lambda: seconds))


def content(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_version_is_the_complete_model_named_by_the_time(model: Path, destination: Path) -> None:
    before = int(time.time())
    version = publish(str(model), str(destination))
    assert before <= int(version) <= time.time()
    assert content(destination / version) == content(model)
    assert os.listdir(destination) == [version]


def test_versions_increase_within_one_second(monkeypatch: pytest.MonkeyPatch, model: Path, destination: Path) -> None:
    set_clock(monkeypatch, 1000.7)
    assert [publish(str(model), str(destination)) for _ in range(3)] == ["1000", "1001", "1002"]
    set_clock(monkeypatch, 900.0)
    assert publish(str(model), str(destination)) == "1003"
    assert sorted(os.listdir(destination)) == ["1000", "1001", "1002", "1003"]


def test_a_push_that_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch, model: Path, destination: Path) -> None:
    copy_files = fs.copy_files
    hidden: list[str] = []

    def interrupted(source: str, target: str, **where: fs.FileSystem) -> None:
        if source.endswith("saved_model.pb"):
            hidden.extend(os.listdir(destination))
            raise KeyboardInterrupt
        copy_files(source, target, **where)

    with monkeypatch.context() as patched:
        patched.setattr(fs, "copy_files", interrupted)
        with pytest.raises(KeyboardInterrupt):
            publish(str(model), str(destination))
    # What is half copied is where neither TF Serving nor `complete_versions` looks.
    assert [name[:9] for name in hidden] == [".pushing-"]
    assert os.listdir(destination) == []

    version = publish(str(model), str(destination))
    assert os.listdir(destination) == [version]
    assert content(destination / version) == content(model)


def test_two_pushes_of_one_model_do_not_share_a_folder(
    monkeypatch: pytest.MonkeyPatch, model: Path, destination: Path
) -> None:
    copy_files = fs.copy_files
    versions: list[str] = []

    def and_another_push(source: str, target: str, **where: fs.FileSystem) -> None:
        if source.endswith("saved_model.pb") and not versions:
            versions.append("")
            versions.append(publish(str(model), str(destination)))
        copy_files(source, target, **where)

    monkeypatch.setattr(fs, "copy_files", and_another_push)
    versions.append(publish(str(model), str(destination)))
    assert sorted(os.listdir(destination)) == sorted(versions[1:])
    for version in versions[1:]:
        assert content(destination / version) == content(model)


def test_a_version_is_on_disk_before_it_appears(
    monkeypatch: pytest.MonkeyPatch, model: Path, destination: Path
) -> None:
    events: list[str] = []
    fsync, rename = os.fsync, os.rename

    def noting_fsync(descriptor: int) -> None:
        events.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        fsync(descriptor)

    def noting_rename(source: Path, target: Path) -> None:
        events.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(os, "rename", noting_rename)
    publish(str(model), str(destination))
    before, after = events[: events.index("rename")], events[events.index("rename") + 1 :]
    assert {"saved_model.pb", "variables.index", "variables", "feed_ranker.json", "assets.extra"} <= {*before}
    assert before[-1].startswith(".pushing-")
    assert after == [destination.name]


def test_a_uri_with_a_query_is_published_to_and_read(model: Path, destination: Path) -> None:
    uri = f"{destination.as_uri()}?region=eu-west-1"
    version = publish(f"{model.as_uri()}?region=eu-west-1", uri)
    assert os.listdir(destination) == [version]
    assert content(destination / version) == content(model)
    assert find_published(f"{model.as_uri()}?region=eu-west-1", uri) == version


def test_concurrent_pushes_get_different_versions(
    monkeypatch: pytest.MonkeyPatch, model: Path, destination: Path
) -> None:
    set_clock(monkeypatch, 1000.0)
    next_version = publishing._next_version

    def and_somebody_takes_it(where: str, filesystem: fs.FileSystem) -> str:
        version = next_version(where, filesystem)
        if version == "1000":
            (destination / version).mkdir()
            (destination / version / "saved_model.pb").write_text("theirs")
        return version

    monkeypatch.setattr(publishing, "_next_version", and_somebody_takes_it)
    assert publish(str(model), str(destination)) == "1001"
    assert content(destination / "1000") == {"saved_model.pb": "theirs"}
    assert content(destination / "1001") == content(model)


def test_no_model_no_push(tmp_path: Path, destination: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no model to push, as there is no saved_model\.pb"):
        publish(str(tmp_path / "model"), str(destination))
    assert not destination.exists()


def test_a_rollback_is_recorded_only_in_the_copys_manifest(model: Path, destination: Path) -> None:
    version = publish(str(model), str(destination), rollback=Republished("6", "7"))
    copy = content(destination / version)
    assert Manifest.from_json(copy[MANIFEST]) == Manifest(training_fingerprint="monday", rollback=Republished("6", "7"))
    assert json.loads(content(model)[MANIFEST]) == {"training_fingerprint": "monday"}
    assert {**copy, MANIFEST: ""} == {**content(model), MANIFEST: ""}


def test_a_finished_push_is_found_again(model: Path, destination: Path) -> None:
    assert find_published(str(model), str(destination)) is None
    version = publish(str(model), str(destination))
    assert find_published(str(model), str(destination)) == version
    # Not if another version is serving now, not even the same model after a rollback.
    publish(str(model), str(destination), rollback=Republished("6", "7"))
    assert find_published(str(model), str(destination)) is None


def test_models_without_a_training_fingerprint_are_never_equal(model: Path, destination: Path) -> None:
    (model / MANIFEST).write_text('{"training_fingerprint": ""}')
    publish(str(model), str(destination))
    assert find_published(str(model), str(destination)) is None


def test_an_object_store_gets_saved_model_pb_last(monkeypatch: pytest.MonkeyPatch, model: Path, tmp_path: Path) -> None:
    """A file system that is not local and cannot rename folders, behind a URI."""
    store = fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())
    own = storage.filesystem_of

    def behind_a_uri(location: str) -> tuple[fs.FileSystem, str]:
        return (store, location.removeprefix("store://")) if "://" in location else own(location)

    copied: list[str] = []
    copy_files = fs.copy_files

    def noting(source: str, target: str, **where: fs.FileSystem) -> None:
        copied.append(target)
        copy_files(source, target, **where)

    for module in (storage, publishing):
        monkeypatch.setattr(module, "filesystem_of", behind_a_uri)
    monkeypatch.setattr(fs, "copy_files", noting)
    set_clock(monkeypatch, 1000.0)
    assert [publish(str(model), "store://models/feed", rollback=Republished("6", "7")) for _ in range(2)] == [
        "1000",
        "1001",
    ]
    written = content(tmp_path / "models" / "feed" / "1001")
    assert {**written, MANIFEST: ""} == {**content(model), MANIFEST: ""}
    assert Manifest.from_json(written[MANIFEST]).rollback == Republished("6", "7")
    assert copied[-1] == "models/feed/1001/saved_model.pb"
