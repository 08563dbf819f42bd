"""Files and folders are written completely or not at all."""

import multiprocessing
import os
import stat
from pathlib import Path
from typing import Any

import fsspec
import pytest

from ranker.files import (
    atomic_file,
    atomic_folder,
    delete,
    flush_folder,
    hidden_beside,
    interrupted,
    remove_folder,
    remove_hidden_beside,
    remove_leftovers,
    write_bytes,
    write_text,
)


class WriterError(RuntimeError):
    """What stops a writer."""


def fail_half_way(path: Path) -> None:
    path.write_text("half of it")
    raise WriterError


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    target = tmp_path / "new" / "page.html"
    write_text(target, "größer")
    assert target.read_text(encoding="utf-8") == "größer"
    write_bytes(target.as_uri(), b"again")
    assert target.read_bytes() == b"again"
    assert names(target.parent) == ["page.html"]


def test_a_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    write_text(tmp_path / "page.html", "")
    assert stat.S_IMODE((tmp_path / "page.html").stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


def test_a_writer_that_fails_changes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    target.write_text("old")
    with pytest.raises(WriterError), atomic_file(target) as path:
        fail_half_way(path)
    assert target.read_text() == "old"
    assert names(tmp_path) == ["page.html"]


def test_a_rename_that_fails_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "page.html" / "taken").mkdir(parents=True)
    with pytest.raises(OSError, match=r"page\.html"):
        write_text(tmp_path / "page.html", "new")
    assert names(tmp_path) == ["page.html"]


def test_the_target_stays_as_it_was_until_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "rows"
    target.write_text("old")
    with atomic_file(target) as first, atomic_file(target) as second:
        first.write_text("one")
        second.write_text("two")
        assert first != second
        assert target.read_text() == "old"
        # What a killed process would leave: hidden, and recognised by its ending.
        hidden = [name for name in names(tmp_path) if name != "rows"]
        assert all(name.startswith(".rows.") and name.endswith(".tmp") for name in hidden)
        assert len(hidden) == 2
    assert target.read_text() == "one"
    assert names(tmp_path) == ["rows"]


def _write_often(target: Path, letter: str) -> None:
    for _ in range(50):
        write_text(target, letter * 10_000)


def test_concurrent_processes_never_mix(tmp_path: Path) -> None:
    target = tmp_path / "rows"
    write_text(target, "a" * 10_000)
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_often, args=(target, letter)) for letter in "ab"]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert target.read_text() in ("a" * 10_000, "b" * 10_000)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert names(tmp_path) == ["rows"]


def test_a_scratch_folder_holds_the_temporary_file(tmp_path: Path) -> None:
    scratch, target = tmp_path / "scratch", tmp_path / "split" / "shard"
    scratch.mkdir()
    with atomic_file(target, scratch=scratch, durable=False) as path:
        path.write_text("rows")
        assert path.parent == scratch
        assert names(target.parent) == []
    assert target.read_text() == "rows"
    assert names(scratch) == []


def _synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    synced: list[str] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    return synced


def test_a_durable_file_is_flushed_with_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = _synced(monkeypatch)
    with atomic_file(tmp_path / "shard", durable=False) as path:
        path.touch()
    assert synced == []
    write_text(tmp_path / "shard", "rows")
    assert synced[0].startswith(".shard.")
    assert synced[1:] == [tmp_path.name]


def test_a_folder_is_flushed_from_the_leaves_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "deep").touch()
    (tmp_path / "a" / "file").touch()
    synced = _synced(monkeypatch)
    flush_folder(tmp_path / "a")
    assert synced == ["deep", "b", "file", "a"]


def test_a_folder_appears_complete(tmp_path: Path) -> None:
    target = tmp_path / "models" / "7"
    with atomic_folder(target) as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "w").write_text("weights")
        assert not target.exists()
        assert [name[:3] for name in names(target.parent)] == [".7."]
    assert (target / "deep" / "w").read_text() == "weights"
    assert names(target.parent) == ["7"]
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE((target / "deep").stat().st_mode)


def test_a_folder_that_is_there_is_replaced_only_on_request(tmp_path: Path) -> None:
    target = tmp_path / "day"
    target.mkdir()
    (target / "old").touch()
    with pytest.raises(FileExistsError, match="day is already there"), atomic_folder(target):
        pytest.fail("nothing is to be written")
    with pytest.raises(WriterError), atomic_folder(target, replace=True) as folder:
        fail_half_way(folder / "new")
    assert (names(tmp_path), names(target)) == (["day"], ["old"])
    with atomic_folder(target, replace=True) as folder:
        (folder / "new").touch()
    assert (names(tmp_path), names(target)) == (["day"], ["new"])


def _killed_between_the_renames(target: Path) -> None:
    """Replaces a folder, and ends as a killed process does, before the new folder gets its name."""
    rename = Path.rename

    def killed(self: Path, to: Path) -> Path:
        if to == target:
            os._exit(9)
        return rename(self, to)

    Path.rename = killed  # type: ignore[assignment, method-assign]
    with atomic_folder(target, replace=True, durable=False) as folder:
        (folder / "new").touch()


def interrupt_replacement(target: Path) -> None:
    """Leaves the folder `target` as the kill of a process that was replacing it does."""
    writer = multiprocessing.get_context("fork").Process(target=_killed_between_the_renames, args=(target,))
    writer.start()
    writer.join()
    assert writer.exitcode == 9
    assert not target.exists()


@pytest.mark.slow
def test_the_next_writer_puts_a_folder_back_that_a_killed_one_was_replacing(tmp_path: Path) -> None:
    target = tmp_path / "day"
    target.mkdir()
    (target / "old").touch()
    interrupt_replacement(target)
    [(name, former)] = interrupted(tmp_path).items()
    assert (name, names(former)) == ("day", ["old"])
    # A writer of another folder leaves it alone.
    with atomic_folder(tmp_path / "day2"):
        pass
    assert list(interrupted(tmp_path)) == ["day"]
    with pytest.raises(FileExistsError, match="day is already there"), atomic_folder(target):
        pytest.fail("nothing is to be written")
    assert (names(target), interrupted(tmp_path)) == (["old"], {})
    interrupt_replacement(target)
    with pytest.raises(WriterError), atomic_folder(target, replace=True) as folder:
        fail_half_way(folder / "new")
    assert names(target) == ["old"]
    interrupt_replacement(target)
    with atomic_folder(target, replace=True) as folder:
        (folder / "new").touch()
    assert names(target) == ["new"]
    interrupt_replacement(target)
    remove_leftovers(tmp_path)
    assert (names(tmp_path), names(target)) == (["day", "day2"], ["new"])


def test_a_folder_of_a_concurrent_writer_stays(tmp_path: Path) -> None:
    target = tmp_path / "day"
    with pytest.raises(OSError, match="day"), atomic_folder(target):
        (target / "theirs").mkdir(parents=True)
    assert (names(tmp_path), names(target)) == (["day"], ["theirs"])


def test_leftovers_of_killed_writers_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".rows.0123.tmp").touch()
    (tmp_path / ".day.0123.tmp").mkdir()
    (tmp_path / ".day.0123.tmp" / "part").touch()
    for kept in (".hidden", "rows.tmp", "day"):
        (tmp_path / kept).touch()
    remove_leftovers(tmp_path)
    assert names(tmp_path) == [".hidden", "day", "rows.tmp"]


def test_a_folder_that_is_a_link_is_replaced_and_its_target_stays(tmp_path: Path) -> None:
    target, elsewhere = tmp_path / "feed" / "day", tmp_path / "elsewhere"
    for stored in (elsewhere, tmp_path / "gone"):
        target.parent.mkdir(exist_ok=True)
        elsewhere.mkdir(exist_ok=True)
        (elsewhere / "old").touch()
        target.symlink_to(stored)
        with pytest.raises(WriterError), atomic_folder(target, replace=True) as folder:
            fail_half_way(folder / "new")
        assert target.readlink() == stored
        with atomic_folder(target, replace=True) as folder:
            (folder / "new").touch()
        assert (names(target.parent), names(target), names(elsewhere)) == (["day"], ["new"], ["old"])
        delete(target)


def test_a_leftover_that_is_a_link_is_removed_and_its_target_stays(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "old").touch()
    (tmp_path / "feed").mkdir()
    (tmp_path / "feed" / "day").mkdir()
    (tmp_path / "feed" / ".day.0123456789abcdef.replaced.tmp").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "feed" / ".rows.0123.tmp").symlink_to("nowhere")
    remove_leftovers(tmp_path / "feed")
    assert (names(tmp_path / "feed"), names(tmp_path / "elsewhere")) == (["day"], ["old"])


def test_hidden_folders_of_killed_writers_are_removed_beside_their_target() -> None:
    store = fsspec.filesystem("memory")
    first, second = (hidden_beside("memory://hidden/day-7") for _ in range(2))
    assert first != second
    others = ("memory://hidden/.day-77.0123456789abcdef.tmp", "memory://hidden/.day-7.tmp", "memory://hidden/day-7")
    for place in (first, second, *others):
        write_text(f"{place}/part", "")
    remove_hidden_beside("memory://hidden/day-7")
    assert sorted(store.find("/hidden")) == sorted(f"{place.removeprefix('memory:/')}/part" for place in others)
    with pytest.raises(ValueError, match=r"^s3://KEY:…@bucket/\?region=eu-west-1: it is a bucket; name a"):
        hidden_beside("s3://KEY:SECRET@bucket/?region=eu-west-1")


def test_an_object_store_gets_complete_files_alone() -> None:
    store = fsspec.filesystem("memory")
    write_text("memory://files/run/summary.json", "{}")
    with atomic_file("memory://files/run/rows", scratch="memory://files/scratch") as path, path.open("wb") as file:
        file.write(b"rows")
        assert not store.exists("/files/run/rows")
    with pytest.raises(WriterError), atomic_file("memory://files/run/broken") as path:
        fail_half_way(path)
    assert sorted(store.find("/files")) == ["/files/run/rows", "/files/run/summary.json"]
    assert store.cat("/files/run/rows") == b"rows"


def test_an_object_store_gets_a_folder_when_it_is_complete() -> None:
    store = fsspec.filesystem("memory")
    with pytest.raises(WriterError), atomic_folder("memory://folders/7") as folder:
        fail_half_way(folder / "w")
    assert not store.exists("/folders/7")
    for replace, file in ((False, "w"), (True, "v")):
        with atomic_folder("memory://folders/7", replace=replace, last="saved_model.pb") as folder:
            for name in ("saved_model.pb", file):
                (folder / name).write_text(name)
        assert sorted(store.find("/folders/7")) == sorted(["/folders/7/saved_model.pb", f"/folders/7/{file}"])
    with pytest.raises(FileExistsError), atomic_folder("memory://folders/7"):
        pytest.fail("nothing is to be written")


def test_a_folder_of_an_object_store_that_is_removed_in_part_looks_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    store = fsspec.filesystem("memory")
    for name in ("saved_model.pb", "weights"):
        write_text(f"memory://removed/7/{name}", name)
    remove = type(store).rm

    def killed(self: Any, path: str, recursive: bool = False, maxdepth: int | None = None) -> None:
        if recursive:
            raise WriterError
        remove(self, path, recursive, maxdepth)

    with (
        monkeypatch.context() as patched,
        pytest.raises(WriterError),
        atomic_folder("memory://removed/7", replace=True, last="saved_model.pb"),
    ):
        patched.setattr(type(store), "rm", killed)
    assert store.find("/removed/7") == ["/removed/7/weights"]
    remove_folder("memory://removed/7", "saved_model.pb")
    assert not store.exists("/removed/7")
