"""Copying folders between file systems."""

from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from pyarrow import fs

from ranker.storage import (
    copy_folder,
    exists,
    files_below,
    filesystem_of,
    join,
    local_copy,
    local_path,
    move_folder,
    parent_and_name,
    read_bytes,
    shown_when_complete,
    store_problem,
)
from tests.object_store import ObjectStore


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


def test_a_scheme_that_pyarrow_does_not_know_goes_through_fsspec(folder: Path, tmp_path: Path) -> None:
    copy_folder(folder, "memory://copies/model", last="saved_model.pb")
    assert exists("memory://copies/model/variables/deep/w")
    assert not exists("memory://copies/model/nothing")
    copy_folder("memory://copies/model", tmp_path / "back")
    assert content(tmp_path / "back") == content(folder)
    with pytest.raises(ValueError, match="Protocol not known: nowhere"):
        filesystem_of("nowhere://bucket/models")


@pytest.mark.parametrize("moves", [True, False])
def test_a_folder_is_moved_within_a_store(folder: Path, monkeypatch: pytest.MonkeyPatch, moves: bool) -> None:
    def refusing(*arguments: object, **options: object) -> None:
        raise NotImplementedError

    source, target = (f"memory://moves-{moves}/{name}" for name in ("hidden", "model"))
    copy_folder(folder, source)
    if not moves:
        monkeypatch.setattr(MemoryFileSystem, "mv", refusing)
    move_folder(source, target)
    assert not exists(source)
    with local_copy(target) as copy:
        assert content(copy) == content(folder)
    with pytest.raises(FileNotFoundError):
        move_folder(source, target)


def test_an_object_store_is_configured_by_its_query() -> None:
    filesystem, path = filesystem_of("s3://KEY:SECRET@bucket/models/17?endpoint_override=localhost:9000&scheme=http")
    assert isinstance(filesystem, fs.S3FileSystem)
    assert path == "bucket/models/17"


@pytest.mark.parametrize(
    ("location", "parts", "joined"),
    [
        ("/models", ("feed", "17"), "/models/feed/17"),
        ("/models/", ("feed",), "/models/feed"),
        ("models", ("saved_model.pb",), "models/saved_model.pb"),
        ("/what?/models", ("17",), "/what?/models/17"),
        ("file:///models/", ("17",), "file:///models/17"),
        ("gs://bucket", ("models",), "gs://bucket/models"),
        (
            "s3://K:S@bucket/models?endpoint_override=h:1/",
            ("17", "x"),
            "s3://K:S@bucket/models/17/x?endpoint_override=h:1/",
        ),
        ("s3://bucket/models/?region=a&scheme=http", ("17",), "s3://bucket/models/17?region=a&scheme=http"),
        (
            "s3://bucket?region=a",
            ("day=1, Zürich", "a b#?%41"),
            "s3://bucket/day=1,%20Z%C3%BCrich/a%20b%23%3F%2541?region=a",
        ),
        ("memory://bucket", ("a b", "ü%41"), "memory://bucket/a b/ü%41"),
        ("/models", ("a b", "ü%41"), "/models/a b/ü%41"),
    ],
)
def test_a_query_stays_at_the_end_of_a_uri(location: str, parts: tuple[str, ...], joined: str) -> None:
    assert join(location, *parts) == joined
    parent, name = parent_and_name(joined)
    assert name == parts[-1]
    assert join(parent, name) == joined


@pytest.mark.parametrize("name", ["a b", "Zürich", "100%", "a%20b", "why?", "c#", "[1]{2}^`|<>"])
def test_any_name_of_a_file_is_found_by_a_uri(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "Mein Ordner ü"
    (folder / name).mkdir(parents=True)
    (folder / name / "part 1.parquet").write_bytes(b"rows")
    for root in (folder.as_uri(), f"file://{folder}", str(folder)):
        file = join(root, name, "part 1.parquet")
        assert read_bytes(file) == b"rows"
        assert parent_and_name(file) == (join(root, name), "part 1.parquet")
        assert parent_and_name(join(root, name)) == (root, name)
        assert files_below(join(root, name)) == ["part 1.parquet"]


def test_any_name_is_found_on_an_object_store(folder: Path, object_store: ObjectStore, bucket: str) -> None:
    place = object_store.uri(f"{bucket}/Mein Ordner ü")
    names = ("a b", "100%", "c#")
    copy_folder(folder, join(place, *names))
    assert files_below(place) == [f"a b/100%/c#/{name}" for name in sorted(content(folder))]
    assert read_bytes(join(place, *names, "a.txt")) == b"a"
    with local_copy(join(place, *names)) as copy:
        assert content(copy) == content(folder)


def test_a_local_path_is_told_from_a_uri(tmp_path: Path) -> None:
    assert local_path(tmp_path) == tmp_path
    assert local_path(tmp_path.as_uri()) == tmp_path
    assert local_path("memory://bucket") is None
    assert local_path("gs://bucket/models") is None


def test_a_local_folder_is_its_own_local_copy(folder: Path, tmp_path: Path) -> None:
    with local_copy(folder) as local, local_copy(folder.as_uri()) as by_uri:
        assert local == by_uri == folder
    copy_folder(folder, "memory://copies/local")
    with local_copy("memory://copies/local") as copy:
        assert content(copy) == content(folder)
    assert not copy.exists()
    with pytest.raises(FileNotFoundError), local_copy("memory://copies/nothing"):
        pass


@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        ("AWS Error NO_SUCH_BUCKET during PutObject operation: gone", "there is no such bucket"),
        ("Bucket 'models' not found. To create buckets, enable …", "there is no such bucket"),
        ("AWS Error ACCESS_DENIED during HeadObject operation", "the store refuses the credentials"),
        ("google::cloud::Status(PERMISSION_DENIED: …)", "the store refuses the credentials"),
        ("AWS Error NETWORK_CONNECTION during HeadObject operation: curlCode: 7", "the store does not answer"),
        ("google::cloud::Status(UNAVAILABLE: Retry policy exhausted)", "the store does not answer"),
        ("No space left on device", None),
    ],
)
def test_answers_of_object_stores_are_put_into_words(message: str, meaning: str | None) -> None:
    found = store_problem(OSError(message))
    assert found == meaning or (found is not None and meaning is not None and found.startswith(meaning))


def test_a_file_shows_when_it_is_complete_and_replaces_the_one_before(tmp_path: Path) -> None:
    store, root = filesystem_of(f"local://{tmp_path}")
    target = f"{root}/record.json"
    for text in ("first", "second"):
        before = content(tmp_path)
        with shown_when_complete(store, target) as path:
            Path(path).write_text(text)
            assert content(tmp_path) == {**before, Path(path).name: text}
        assert content(tmp_path) == {"record.json": text}

    def interrupted(path: str) -> None:
        Path(path).write_text("thi")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), shown_when_complete(store, target) as path:
        interrupted(path)
    assert content(tmp_path) == {"record.json": "second"}


def test_objects_and_local_files_are_written_under_their_names(tmp_path: Path) -> None:
    s3 = fs.S3FileSystem(anonymous=True, region="eu-west-1")
    for filesystem in (fs.LocalFileSystem(), s3):
        with shown_when_complete(filesystem, "bucket/record.json") as path:
            assert path == "bucket/record.json"
