"""Removes old versions from a push destination."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from pyarrow import fs

from ranker.files import delete
from ranker.registry.layout import SAVED_MODEL, is_version
from ranker.registry.manifest import Manifest
from ranker.registry.numbering import CLAIMS
from ranker.registry.publishing import TEMPORARY_PREFIX
from ranker.registry.versions import complete_versions, read_manifest
from ranker.storage import filesystem_of

_REMOVING = ".removing-"
_ABANDONED_AFTER_S = 24 * 3600.0


def remove_old_versions(destination: str, keep: int) -> list[str]:
    """Keeps the newest complete versions; removes older ones and what killed pushes and removals left behind.

    The `keep` newest versions stay. So does the model of each of the `keep` newest trainings as it was trained: updates
    of its effects are versions too, and have learnt from days that a later candidate is compared on. However often
    effects are updated, there is a model to compare with, to continue from and to roll back to.

    A version is renamed to a hidden folder before its files are deleted. On an object store `saved_model.pb` is deleted
    first. So a server never loads a partly deleted version.

    Args:
        destination: path or URI of the folder of versions.
        keep: number of versions, and of trainings; at least 1, as the newest version is serving.

    Returns:
        The removed versions.
    """
    if keep < 1:
        raise ValueError(f"keep: at least the serving version has to be kept, got {keep}")
    filesystem, root = filesystem_of(destination)
    versions = complete_versions(destination)
    kept = {*versions[:keep], *_as_trained(destination, versions, keep)} if len(versions) > keep else {*versions}
    removed = [version for version in versions if version not in kept]
    for version in removed:
        if isinstance(filesystem, fs.LocalFileSystem):
            os.rename(f"{root}/{version}", f"{root}/{_REMOVING}{version}")
        else:
            filesystem.delete_file(f"{root}/{version}/{SAVED_MODEL}")
            filesystem.delete_dir(f"{root}/{version}")
    if isinstance(filesystem, fs.LocalFileSystem):
        _delete_leftovers(root)
    else:
        _delete_abandoned_claims(root, filesystem)
        if kept:
            _delete_incomplete(root, filesystem, min(map(int, kept)))
    return removed


def _as_trained(destination: str, versions: Sequence[str], trainings: int) -> list[str]:
    """The newest version of each of the newest trainings whose effects were not updated."""
    found: dict[str, str] = {}
    for version in versions:
        if len(found) == trainings:
            break
        manifest = read_manifest(destination, version) or Manifest()
        if manifest.effects is None or not manifest.effects.update:
            found.setdefault(manifest.training_fingerprint or f"version {version}", version)
    return list(found.values())


def _delete_incomplete(root: str, filesystem: fs.FileSystem, oldest_kept: int) -> None:
    """Deletes what a killed removal, or a failed push, left of versions older than all that are kept."""
    claims = filesystem.get_file_info(fs.FileSelector(f"{root}/{CLAIMS}", allow_not_found=True))
    claimed = {info.base_name.partition("-")[0] for info in claims}
    for info in filesystem.get_file_info(fs.FileSelector(root, allow_not_found=True)):
        if is_version(info.base_name) and int(info.base_name) < oldest_kept and info.base_name not in claimed:
            filesystem.delete_dir(info.path)


def _delete_abandoned_claims(root: str, filesystem: fs.FileSystem) -> None:
    """Deletes the claims of killed pushes, and the incomplete versions that they had claimed."""
    abandoned_before = time.time() - _ABANDONED_AFTER_S
    for info in filesystem.get_file_info(fs.FileSelector(f"{root}/{CLAIMS}", allow_not_found=True)):
        # Not every store says when a file was written.
        if info.mtime is not None and info.mtime.timestamp() < abandoned_before:
            version = f"{root}/{info.base_name.partition('-')[0]}"
            complete = filesystem.get_file_info(f"{version}/{SAVED_MODEL}").type == fs.FileType.File
            if not complete and filesystem.get_file_info(version).type == fs.FileType.Directory:
                filesystem.delete_dir(version)
            filesystem.delete_file(info.path)


def _delete_leftovers(root: str) -> None:
    abandoned_before = time.time() - _ABANDONED_AFTER_S
    with os.scandir(root) as entries:
        for entry in entries:
            abandoned = entry.name.startswith(TEMPORARY_PREFIX) and entry.stat().st_mtime < abandoned_before
            if not abandoned and not entry.name.startswith(_REMOVING):
                continue
            delete(Path(entry.path))  # may be a link to a version that somebody had stored elsewhere
