"""Writes a file or a folder atomically: readers see all of it or nothing of it.

On a local file system the content is written to a temporary file beside the target, flushed to disk, and renamed; a
rename replaces the target in one step, also across a loss of power. An object store has no rename, but a put there is
atomic by itself: the content is written to a local temporary file and uploaded when it is complete. Where a put is not
atomic, as on HDFS, the upload has a hidden name until it is complete.

Every temporary name is unique, so that concurrent writers do not share one. It starts with `.` and ends in `.tmp`; a
reader of a folder skips such names, so what a killed process leaves behind is never taken for data.

A folder that is not empty cannot be replaced by one rename: the former one is renamed away first. A process that is
killed before the second rename leaves nothing under the name. The former folder is then beside it, in a name that ends
in `.replaced.tmp`: the next writer of the same folder, and `remove_leftovers`, put it back. Readers that would take the
missing folder for one that never was look for it by `interrupted`.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyarrow import fs

from ranker.plain_text import without_secrets
from ranker.storage import (
    TEMPORARY,
    copy_folder,
    exists,
    filesystem_of,
    hidden_name,
    join,
    local_path,
    parent_and_name,
    shown_when_complete,
)

_REPLACED = ".replaced" + TEMPORARY
_REPLACED_NAME = re.compile(rf"\.(?P<name>.+)\.[0-9a-f]{{16}}{re.escape(_REPLACED)}")


def write_text(target: str | Path, text: str) -> None:
    """Writes a file as UTF-8; as `write_bytes`."""
    write_bytes(target, text.encode())


def write_bytes(target: str | Path, content: bytes) -> None:
    """Writes a file atomically, in place of the one that is there; folders that are missing are made.

    Args:
        target: path or URI of the file.
        content: the complete content.
    """
    if local_path(target) is not None:
        with atomic_file(target) as path:
            path.write_bytes(content)
        return
    filesystem, inner = _with_parent(target)
    with shown_when_complete(filesystem, inner) as shown, filesystem.open_output_stream(shown) as file:
        file.write(content)


@contextmanager
def atomic_file(target: str | Path, *, scratch: str | Path | None = None, durable: bool = True) -> Iterator[Path]:
    """A local path to write a file at, which becomes the target when the block ends.

    Where the block raises, the target stays as it was and the temporary file is removed.

    Args:
        target: path or URI of the file; folders that are missing are made, a file that is there is replaced.
        scratch: folder of the temporary file, on the same file system as the target. Name one where the readers of the
            target's folder do not skip hidden files. Without effect for a target on an object store.
        durable: flush to disk before the rename. Without it a loss of power can leave an empty file.

    Example:
        >>> with atomic_file("rates.npy") as path, path.open("wb") as file:
        ...     np.save(file, rates)
    """
    local = local_path(target)
    if local is None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "file"
            yield path
            filesystem, inner = _with_parent(target)
            with shown_when_complete(filesystem, inner) as shown:
                fs.copy_files(
                    str(path), shown, source_filesystem=fs.LocalFileSystem(), destination_filesystem=filesystem
                )
        return
    make_folders(local.parent, durable=durable)
    temporary = _temporary_name(local, (scratch and local_path(scratch)) or local.parent)
    try:
        yield temporary
        if durable:
            flush(temporary)
        temporary.replace(local)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        flush(local.parent)


@contextmanager
def atomic_folder(target: str | Path, *, replace: bool = False, last: str = "", durable: bool = True) -> Iterator[Path]:
    """An empty local folder to fill, which becomes the target when the block ends.

    Where the block raises, the target stays as it was and the temporary folder is removed.

    Args:
        target: path or URI of the folder. An object store has no atomic step for a folder; its files are uploaded when
            all are complete.
        replace: whether a folder that is there already is replaced; what a link leads to stays. Between two renames
            there is none under the name; a process that is killed there loses nothing, as the next writer puts the
            former folder back.
        last: a file, relative to the folder, without which readers ignore the folder; it is uploaded last.
        durable: flush all files to disk before the rename.

    Raises:
        FileExistsError: the target is there and `replace` is false.
    """
    local = local_path(target)
    if local is not None:
        _put_back(local.parent, local.name)
    if not replace and exists(target):
        raise FileExistsError(f"{target} is already there")
    if local is None:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
            if replace and exists(target):
                remove_folder(target, last)
            copy_folder(folder, target, last)
        return
    temporary, replaced = _temporary_name(local, local.parent), _temporary_name(local, local.parent, _REPLACED)
    make_folders(local.parent, durable=durable)
    temporary.mkdir()
    try:
        yield temporary
        if durable:
            flush_folder(temporary)
        if replace and os.path.lexists(local):
            local.rename(replaced)
        # Where a concurrent writer was first, its folder is not empty and the rename fails.
        temporary.rename(local)
    except BaseException:
        if os.path.lexists(replaced) and not os.path.lexists(local):
            replaced.rename(local)
        for left in (temporary, replaced):
            delete(left, ignore_errors=True)
        raise
    if durable:
        flush(local.parent)
    delete(replaced, ignore_errors=True)


def make_folders(folder: Path, *, durable: bool = True) -> None:
    """Makes a local folder and its missing parents; `durable` waits until the name of each is on disk."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    if durable:
        for made in reversed(missing):
            flush(made.parent)


def delete(path: Path, *, ignore_errors: bool = False) -> None:
    """Deletes a local file or folder; of a link the link alone, never what it leads to.

    Args:
        path: the file, folder or link.
        ignore_errors: leave what cannot be deleted, and do nothing where nothing is.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=ignore_errors)
    else:
        path.unlink(missing_ok=ignore_errors)


def remove_folder(target: str | Path, first: str = "") -> None:
    """Deletes a folder.

    Args:
        target: path or URI of the folder.
        first: a file, relative to the folder, without which readers ignore the folder. It is deleted first, so that a
            folder that is deleted in part is not taken for a complete one.
    """
    filesystem, inner = filesystem_of(target)
    if first and filesystem.get_file_info(f"{inner}/{first}").type == fs.FileType.File:
        filesystem.delete_file(f"{inner}/{first}")
    filesystem.delete_dir(inner)


def remove_leftovers(folder: Path) -> None:
    """Deletes what killed writers left behind in a folder; call it only where nothing else is writing there.

    A folder whose replacement was interrupted is put back instead.
    """
    _put_back(folder)
    for path in folder.glob(f".*{TEMPORARY}"):
        delete(path)


def hidden_beside(target: str | Path) -> str:
    """A new hidden name beside a folder, under which several machines can fill it before it is moved into place.

    Args:
        target: path or URI of the folder.

    Raises:
        ValueError: a bucket has nothing beside it.

    Example:
        >>> hidden_beside("s3://bucket/scores?region=eu-west-1")  # doctest: +SKIP
        's3://bucket/.scores.0b54c3a1f7d92e68.tmp?region=eu-west-1'
    """
    parent, name = _parent_and_name(target)
    return join(parent, hidden_name(name))


def remove_hidden_beside(target: str | Path) -> None:
    """Deletes all that is there under names of `hidden_beside(target)`, as their writers were killed."""
    parent, name = _parent_and_name(target)
    filesystem, inner = filesystem_of(parent)
    ours = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{16}}{re.escape(TEMPORARY)}")
    for info in filesystem.get_file_info(fs.FileSelector(inner)):
        if ours.fullmatch(info.base_name):
            filesystem.delete_dir(info.path)


def interrupted(folder: Path) -> dict[str, Path]:
    """The folders inside a local folder whose replacement was interrupted, by the kill of the writer.

    Returns:
        Name, under which nothing is there → the former folder, under its temporary name. While a writer replaces a
        folder, it is among them for a moment.
    """
    found: dict[str, Path] = {}
    if folder.is_dir():
        for entry in os.scandir(folder):
            match = _REPLACED_NAME.fullmatch(entry.name)
            if match and not (folder / match["name"]).exists():
                found[match["name"]] = Path(entry.path)
    return found


def flush(path: Path) -> None:
    """Waits until a local file, or the list of names in a local folder, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_folder(folder: Path) -> None:
    """Waits until everything in a local folder is on disk."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            flush(Path(parent, name))
        flush(Path(parent))


def _put_back(folder: Path, name: str = "") -> None:
    """Puts a folder whose replacement was interrupted back under its name, or all of them."""
    for missing, former in interrupted(folder).items():
        if name in ("", missing):
            former.rename(folder / missing)


def _temporary_name(target: Path, folder: Path, ending: str = TEMPORARY) -> Path:
    return folder / hidden_name(target.name, ending)


def _parent_and_name(target: str | Path) -> tuple[str, str]:
    parent, name = parent_and_name(target)
    if "://" in str(target) and "://" not in parent:
        raise ValueError(f"{without_secrets(str(target))}: it is a bucket; name a folder in it")
    return parent, name


def _with_parent(target: str | Path) -> tuple[fs.FileSystem, str]:
    """The file system and the path of a remote file, the folder that it lies in made."""
    filesystem, inner = filesystem_of(target)
    filesystem.create_dir(inner.rpartition("/")[0], recursive=True)
    return filesystem, inner
