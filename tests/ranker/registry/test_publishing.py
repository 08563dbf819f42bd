import json
import os
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from pyarrow import fs

from ranker import storage
from ranker.registry import numbering, publishing
from ranker.registry.layout import MANIFEST
from ranker.registry.manifest import Manifest, Republished
from ranker.registry.numbering import SupersededError
from ranker.registry.publishing import find_published, publish
from ranker.registry.versions import complete_versions
from tests.ranker.registry.test_versions import push


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
    monkeypatch.setattr(numbering, "time", SimpleNamespace(time=lambda: seconds))


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


RENAME = Path("(rename)")


def test_a_version_is_on_disk_before_it_appears(
    monkeypatch: pytest.MonkeyPatch, model: Path, destination: Path
) -> None:
    (model / "assets").mkdir()
    (model / "assets" / "vocabulary.txt").write_text("a")
    (model / "assets.extra" / "training_state" / "forest").mkdir(parents=True)
    (model / "assets.extra" / "training_state" / "forest" / "booster.ubj").write_text("trees")
    events: list[Path] = []
    fsync, rename = os.fsync, os.rename

    def noting_fsync(descriptor: int) -> None:
        events.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    def noting_rename(source: Path, target: Path) -> None:
        events.append(RENAME)
        rename(source, target)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(os, "rename", noting_rename)
    publish(str(model), str(destination))
    before, after = events[: events.index(RENAME)], events[events.index(RENAME) + 1 :]
    temporary = before[-1]
    assert temporary.name.startswith(".pushing-")
    flushed = [path.relative_to(temporary) for path in before if path.is_relative_to(temporary)]
    everything = {path.relative_to(model) for path in model.rglob("*")} | {Path()}
    assert {*flushed} == everything
    # A folder's list of names is flushed after what it holds.
    assert all(flushed.index(path) < flushed.index(path.parent) for path in everything - {Path()})
    assert after == [destination]


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
    next_version = numbering.next_version

    def and_somebody_takes_it(where: str, filesystem: fs.FileSystem) -> str:
        version = next_version(where, filesystem)
        if version == "1000":
            (destination / version).mkdir()
            (destination / version / "saved_model.pb").write_text("theirs")
        return version

    monkeypatch.setattr(publishing, "next_version", and_somebody_takes_it)
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
    # Also if a rollback published it again.
    copy = publish(str(model), str(destination), rollback=Republished("6", "7"))
    assert find_published(str(model), str(destination)) == copy
    # Not if another model is serving now.
    (model / MANIFEST).write_text('{"training_fingerprint": "tuesday"}')
    (model / "variables" / "variables.index").write_text("other weights")
    publish(str(model), str(destination))
    (model / MANIFEST).write_text('{"training_fingerprint": "monday"}')
    (model / "variables" / "variables.index").write_text("weights")
    assert find_published(str(model), str(destination)) is None


def test_a_model_without_a_training_fingerprint_is_found_by_its_content(model: Path, destination: Path) -> None:
    (model / MANIFEST).unlink()
    version = publish(str(model), str(destination))
    assert find_published(str(model), str(destination)) == version
    (model / "saved_model.pb").write_text("another graph")
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
    assert copied[-1].startswith("models/feed/1001/.saved_model.pb.")


def test_a_new_destination_is_on_disk_with_its_parents(
    monkeypatch: pytest.MonkeyPatch, model: Path, tmp_path: Path
) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr("ranker.files.flush", flushed.append)
    publish(str(model), str(tmp_path / "team" / "serving"))
    # The names `team` and `serving` are in the folders above them.
    assert flushed[:2] == [tmp_path, tmp_path / "team"]


PUSHES = 6


def _distinct_model(folder: Path, name: str) -> Path:
    (folder / "variables").mkdir(parents=True)
    (folder / MANIFEST).parent.mkdir()
    (folder / MANIFEST).write_text(json.dumps({"training_fingerprint": name}))
    for file in ("saved_model.pb", *(f"variables/shard-{i}" for i in range(4))):
        (folder / file).write_text(name)
    return folder


@pytest.mark.slow
def test_concurrent_pushes_to_an_object_store_do_not_share_a_version(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Threads that push to one fsspec store at the same second: each version has the files of one push only."""
    set_clock(monkeypatch, 1000.0)
    destination = f"memory://{uuid.uuid4().hex}/models"
    models = [_distinct_model(tmp_path / f"m{i}", f"m{i}") for i in range(PUSHES)]
    together = threading.Barrier(PUSHES)
    number = numbering.next_version

    def and_others_look_too(root: str, filesystem: fs.FileSystem) -> str:
        version = number(root, filesystem)
        time.sleep(0.05)
        return version

    monkeypatch.setattr(numbering, "next_version", and_others_look_too)

    def push(model: Path) -> list[str]:
        versions = []
        for _ in range(3):
            together.wait()
            versions.append(publish(str(model), destination))
        return versions

    with ThreadPoolExecutor(PUSHES) as pool:
        by_model = dict(zip([model.name for model in models], pool.map(push, models), strict=True))
    versions = [version for listed in by_model.values() for version in listed]
    assert len(set(versions)) == 3 * PUSHES
    assert sorted(complete_versions(destination)) == sorted(versions)
    assert all(listed == sorted(listed, key=int) for listed in by_model.values())
    filesystem, root = storage.filesystem_of(destination)
    for name, listed in by_model.items():
        for version in listed:
            infos = filesystem.get_file_info(fs.FileSelector(f"{root}/{version}", recursive=True))
            files = [info.path for info in infos if info.type == fs.FileType.File]
            contents = [filesystem.open_input_file(path).read().decode() for path in files]
            assert len(files) == 6
            assert set(contents) == {name, json.dumps({"training_fingerprint": name})}
    assert filesystem.get_file_info(fs.FileSelector(f"{root}/{numbering.CLAIMS}", allow_not_found=True)) == []


_PUSH_FROM_A_PROCESS = """
import sys, time
from ranker.registry import numbering
from ranker.registry.publishing import publish

numbering.time = type("Clock", (), {"time": staticmethod(lambda: 1000.0)})
number = numbering.next_version

def and_the_other_looks_too(root, filesystem):
    version = number(root, filesystem)
    time.sleep(0.2)
    return version

numbering.next_version = and_the_other_looks_too
model, destination, start = sys.argv[1], sys.argv[2], float(sys.argv[3])
time.sleep(max(0.0, start - time.time()))
print(",".join(publish(model, destination) for _ in range(4)))
"""


@pytest.mark.slow
def test_concurrent_processes_do_not_share_a_version_either(tmp_path: Path) -> None:
    """fsspec's `local` scheme is not renamed by us, so it stands for a store that several processes write to."""
    destination = f"local://{tmp_path}/models"
    start = time.time() + 4.0
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _PUSH_FROM_A_PROCESS, str(model), destination, str(start)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for model in (_distinct_model(tmp_path / name, name) for name in ("one", "two"))
    ]
    versions = {
        name: process.communicate(timeout=120)[0].strip().split(",")
        for name, process in zip(("one", "two"), processes, strict=True)
    }
    assert all(process.returncode == 0 for process in processes)
    assert len({*versions["one"], *versions["two"]}) == 8
    for name, listed in versions.items():
        for version in listed:
            written = content(tmp_path / "models" / version)
            assert {text for path, text in written.items() if path != MANIFEST} == {name}
            assert len(written) == 6


def test_a_number_that_another_push_claims_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, 1000.0)
    store = fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())
    claims = tmp_path / "models" / numbering.CLAIMS
    claims.mkdir(parents=True)
    (claims / "1000-killed").write_text("")
    with numbering.claimed_version("models", store) as version:
        # Its token sorts before or after that of the other claim.
        assert version in ("1001", "1002")
        assert [path.name.partition("-")[0] for path in claims.iterdir() if "killed" not in path.name] == [version]
    assert [path.name for path in claims.iterdir()] == ["1000-killed"]


def test_a_version_that_was_completed_meanwhile_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the listing of versions and the claim, another push writes its version and removes its claim."""
    set_clock(monkeypatch, 1000.0)
    store = fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())
    number = numbering.next_version

    def and_somebody_finishes(root: str, filesystem: fs.FileSystem) -> str:
        version = number(root, filesystem)
        (tmp_path / "models" / version).mkdir(parents=True, exist_ok=True)
        monkeypatch.setattr(numbering, "next_version", number)
        return version

    monkeypatch.setattr(numbering, "next_version", and_somebody_finishes)
    with numbering.claimed_version("models", store) as version:
        assert version == "1001"


def test_a_failed_push_to_an_object_store_leaves_nothing(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    destination = f"memory://{uuid.uuid4().hex}/models"
    copy_files = fs.copy_files

    def full(source: str, target: str, **where: fs.FileSystem) -> None:
        if source.endswith("saved_model.pb"):
            raise OSError(28, "No space left on device")
        copy_files(source, target, **where)

    monkeypatch.setattr(fs, "copy_files", full)
    with pytest.raises(OSError, match="No space left"):
        publish(str(model), destination)
    filesystem, root = storage.filesystem_of(destination)
    files = filesystem.get_file_info(fs.FileSelector(root, recursive=True))
    assert [info.path for info in files if info.type == fs.FileType.File] == []


def test_a_claim_that_cannot_be_deleted_does_not_fail_the_push(
    monkeypatch: pytest.MonkeyPatch, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    destination = f"memory://{uuid.uuid4().hex}/models"
    remove = MemoryFileSystem.rm

    def refused(self: MemoryFileSystem, path: str, *arguments: object, **options: object) -> None:
        if numbering.CLAIMS in path:
            raise PermissionError(13, "no permission to delete")
        remove(self, path, *arguments, **options)

    monkeypatch.setattr(MemoryFileSystem, "rm", refused)
    version = publish(str(model), destination)
    assert complete_versions(destination) == [version]
    [warning] = [record.message for record in caplog.records if "the claim could not be deleted" in record.message]
    assert f"{numbering.CLAIMS}/{version}-" in warning
    later = publish(str(model), destination)
    assert int(later) > int(version)
    assert complete_versions(destination) == [later, version]


def test_a_copy_of_an_earlier_model_has_the_number_after_it_whatever_the_time(model: Path, destination: Path) -> None:
    push(destination, "7")
    assert publish(str(model), str(destination), after="7") == "8"
    with pytest.raises(SupersededError, match=r"^version 8 serves now, instead of 7$"):
        publish(str(model), str(destination), after="7")
    with pytest.raises(SupersededError, match=r"^version 7 is not there any more$"):
        publish(str(model), str(destination / "elsewhere"), after="7")
    assert sorted(os.listdir(destination)) == ["7", "8", "elsewhere"]
    assert os.listdir(destination / "elsewhere") == []


@pytest.mark.parametrize("moment", ["before the number is taken", "before the rename"])
def test_a_copy_of_an_earlier_model_never_replaces_one_that_is_pushed_meanwhile(
    monkeypatch: pytest.MonkeyPatch, model: Path, destination: Path, moment: str
) -> None:
    push(destination, "7")
    patched, function = (publishing, "following_version") if moment == "before the number is taken" else (os, "rename")
    original = getattr(patched, function)
    pushed: list[str] = []

    def after_another_push(*arguments: object) -> object:
        if not pushed:
            pushed.append("")
            pushed.append(publish(str(model), str(destination)))
        return original(*arguments)

    monkeypatch.setattr(patched, function, after_another_push)
    if moment == "before the rename":
        # The other push has a higher number, as it is named by the time.
        assert publish(str(model), str(destination), after="7") == "8"
    else:
        with pytest.raises(SupersededError):
            publish(str(model), str(destination), after="7")
    assert complete_versions(str(destination))[0] == pushed[1]


def test_where_a_file_is_visible_while_it_is_written_a_version_is_not_complete_before(
    monkeypatch: pytest.MonkeyPatch, model: Path, destination: Path
) -> None:
    """A disk behind fsspec, which, as HDFS does, shows what is not complete."""
    uri = f"local://{destination}"
    copy_files, seen = fs.copy_files, []

    def half(source: str, target: str, **where: fs.FileSystem) -> None:
        copy_files(source, target, **where)
        seen.append(complete_versions(uri))
        if source.endswith("saved_model.pb") and len(seen) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(fs, "copy_files", half)
    with pytest.raises(KeyboardInterrupt):
        publish(str(model), uri)
    version = publish(str(model), uri)
    assert seen == [[]] * len(seen)
    assert complete_versions(uri) == [version]
    assert content(destination / version) == content(model)
