import os
import time
from pathlib import Path

import pytest
from pyarrow import fs

from ranker import storage
from ranker.registry import publishing, retention
from ranker.registry.manifest import FittedEffects, Manifest
from ranker.registry.retention import remove_old_versions
from tests.ranker.registry.test_versions import push


def names(root: Path) -> list[str]:
    return sorted(os.listdir(root))


def test_the_newest_versions_stay(tmp_path: Path) -> None:
    for version in ("7", "8", "9", "10"):
        push(tmp_path, version)
    assert remove_old_versions(str(tmp_path), keep=2) == ["8", "7"]
    assert names(tmp_path) == ["10", "9"]
    assert remove_old_versions(str(tmp_path), keep=2) == []


def test_incomplete_versions_are_neither_counted_nor_removed(tmp_path: Path) -> None:
    for version in ("7", "8"):
        push(tmp_path, version)
    (tmp_path / "9").mkdir()
    (tmp_path / "notes").mkdir()
    assert remove_old_versions(str(tmp_path), keep=1) == ["7"]
    assert names(tmp_path) == ["8", "9", "notes"]


def test_leftovers_of_killed_pushes_and_removals_are_removed(tmp_path: Path) -> None:
    push(tmp_path, "7")
    for left in (".pushing-old", ".pushing-now", ".removing-6"):
        push(tmp_path, left)
    yesterday = time.time() - 25 * 3600
    os.utime(tmp_path / ".pushing-old", (yesterday, yesterday))
    assert remove_old_versions(str(tmp_path), keep=2) == []
    assert names(tmp_path) == [".pushing-now", "7"]


def test_a_version_that_is_a_link_is_removed_and_its_target_stays(tmp_path: Path) -> None:
    push(tmp_path / "elsewhere", "7")
    push(tmp_path / "models", "8")
    (tmp_path / "models" / "7").symlink_to(tmp_path / "elsewhere" / "7")
    assert remove_old_versions(str(tmp_path / "models"), keep=1) == ["7"]
    assert names(tmp_path / "models") == ["8"]
    assert (tmp_path / "elsewhere" / "7" / "saved_model.pb").exists()


def test_the_serving_version_cannot_be_removed(tmp_path: Path) -> None:
    push(tmp_path, "7")
    with pytest.raises(ValueError, match="keep: at least the serving version has to be kept, got 0"):
        remove_old_versions(str(tmp_path), keep=0)


def test_a_destination_without_versions_is_unchanged(tmp_path: Path) -> None:
    assert remove_old_versions(str(tmp_path), keep=2) == []


def test_versions_in_an_object_store_are_removed_without_renames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that is not local, behind a URI."""
    store = fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())

    def behind_a_uri(location: str) -> tuple[fs.FileSystem, str]:
        return store, location.removeprefix("store://")

    for module in (storage, publishing, retention):
        monkeypatch.setattr(module, "filesystem_of", behind_a_uri)
    monkeypatch.setattr("ranker.registry.versions.filesystem_of", behind_a_uri)
    for version in ("7", "8", "9"):
        push(tmp_path / "models", version)
    assert remove_old_versions("store://models", keep=1) == ["8", "7"]
    assert names(tmp_path / "models") == ["9"]


def test_however_often_effects_are_updated_the_models_before_stay(tmp_path: Path) -> None:
    updated = FittedEffects("settings", 0, ["2026-03-10"], 0, {}, update="an update")
    for number, training in enumerate(("monday", "tuesday", "wednesday"), start=1):
        push(tmp_path, str(number), Manifest(training_fingerprint=training).to_json())
    for number in range(4, 12):
        push(tmp_path, str(number), Manifest(training_fingerprint="wednesday", effects=updated).to_json())
    assert remove_old_versions(str(tmp_path), keep=2) == ["9", "8", "7", "6", "5", "4", "1"]
    assert sorted(map(int, names(tmp_path))) == [2, 3, 10, 11]
