"""Publishes a SavedModel to the push destination, so that a server never sees an incomplete version."""

import os
import shutil
import time
import uuid
from dataclasses import replace
from pathlib import Path

from pyarrow import fs

from ranker.files import flush, flush_folder
from ranker.registry.layout import MANIFEST, SAVED_MODEL
from ranker.registry.manifest import Manifest, Republished
from ranker.registry.versions import complete_versions, read_manifest
from ranker.storage import copy_folder, exists, filesystem_of, join, parent_and_name

TEMPORARY_PREFIX = ".pushing-"


def publish(model_path: str, destination: str, rollback: Republished | None = None) -> str:
    """Copies a model to the next version below `destination` and returns the version.

    A version is the time in seconds since 1970, or the highest existing version plus one, whichever is larger. So
    versions only increase, even within one second or after the clock was set back.

    On a local file system the model is copied to a hidden temporary folder, which TF Serving ignores, flushed to disk,
    and then renamed atomically: a version that exists is complete, also after a loss of power. Object stores cannot
    rename a folder atomically; there `saved_model.pb`, without which a version does not load, is copied last.

    Args:
        model_path: path or URI of the SavedModel's folder.
        destination: path or URI of the folder of versions; created if it does not exist.
        rollback: if given, written into the copy's manifest.

    Raises:
        FileNotFoundError: there is no SavedModel at `model_path`.
    """
    if not exists(join(model_path, SAVED_MODEL)):
        raise FileNotFoundError(f"{model_path}: no model to push, as there is no {SAVED_MODEL}")
    filesystem, root = filesystem_of(destination)
    filesystem.create_dir(root, recursive=True)
    replaced = {MANIFEST: replace(_manifest(model_path), rollback=rollback).to_json().encode()} if rollback else {}
    if not isinstance(filesystem, fs.LocalFileSystem):
        version = _next_version(root, filesystem)
        copy_folder(model_path, join(destination, version), SAVED_MODEL, replaced)
        return version
    # Two pushes at once, even of one model, must not share a folder. Retention removes those of killed pushes.
    temporary = Path(root, f"{TEMPORARY_PREFIX}{uuid.uuid4().hex[:16]}")
    try:
        copy_folder(model_path, temporary, SAVED_MODEL, replaced)
        flush_folder(temporary)
        version = _rename_to_next_version(temporary, root)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    flush(Path(root))
    return version


def find_published(model_path: str, destination: str) -> str | None:
    """The serving version if it is this model: an earlier run was stopped after the push and did not record it."""
    manifest = _manifest(model_path)
    if not manifest.training_fingerprint:
        return None
    newest = next(iter(complete_versions(destination)), None)
    return newest if newest and read_manifest(destination, newest) == manifest else None


def _manifest(model_path: str) -> Manifest:
    return read_manifest(*parent_and_name(model_path)) or Manifest()


def _rename_to_next_version(temporary: Path, root: str) -> str:
    while True:
        version = _next_version(root, fs.LocalFileSystem())
        target = Path(root, version)
        try:
            # Renaming never replaces a non-empty folder: it fails if another push has taken the version.
            os.rename(temporary, target)
        except OSError:
            if not target.exists():
                raise
        else:
            return version


def _next_version(root: str, filesystem: fs.FileSystem) -> str:
    names = [info.base_name for info in filesystem.get_file_info(fs.FileSelector(root, allow_not_found=True))]
    newest = max((int(name) for name in names if name.isascii() and name.isdecimal()), default=0)
    return str(max(int(time.time()), newest + 1))
