"""Copying folders between file systems."""

from pathlib import Path

import pytest
from pyarrow import fs

from ranker.storage import copy_folder, exists, filesystem_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    (root / "variables" / "deep").mkdir(parents=True)
    (root / "saved_model.pb").write_text("graph")
    (root / "a.txt").write_text("a")
    (root / "variables" / "deep" / "w").write_text("weights")
    return root


def content(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_a_path_and_a_uri_name_the_same_place(tmp_path: Path) -> None:
    for location in (tmp_path, str(tmp_path), tmp_path.as_uri()):
        filesystem, path = filesystem_of(location)
        assert isinstance(filesystem, fs.LocalFileSystem)
        assert path == str(tmp_path)
        assert exists(location)
    assert not exists(tmp_path / "nothing")


def test_all_files_are_copied(folder: Path, tmp_path: Path) -> None:
    copy_folder(folder, tmp_path / "new" / "target")
    assert content(tmp_path / "new" / "target") == content(folder)
    copy_folder(f"{folder.as_uri()}/", (tmp_path / "by_uri").as_uri())
    assert content(tmp_path / "by_uri") == content(folder)


def test_one_file_comes_last_and_one_is_another(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    copy_files = fs.copy_files

    def noting(source: str, target: str, **where: fs.FileSystem) -> None:
        copied.append(Path(source).name)
        copy_files(source, target, **where)

    monkeypatch.setattr(fs, "copy_files", noting)
    copy_folder(folder, tmp_path / "target", last="saved_model.pb", instead={"a.txt": b"b", "absent": b"c"})
    assert copied == ["w", "saved_model.pb"]
    assert content(tmp_path / "target") == {**content(folder), "a.txt": "b"}


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        copy_folder(tmp_path / "nothing", tmp_path / "target")
