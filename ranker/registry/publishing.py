"""Copies a SavedModel to where models are served from, atomically."""

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
from ranker.registry.versions import read_manifest, whole_versions
from ranker.storage import copy_folder, exists, filesystem_of, join, parent_and_name

PUSHING = ".pushing-"
"""What the name of a version starts with while it is being copied; TF Serving does not look at hidden folders."""


def publish(model_path: str, destination: str, rollback: Republished | None = None) -> str:
    """Copies a model to the next version below `destination` and returns the version.

    A version is the time in seconds since 1970, or the highest existing version plus one, whichever is larger. So
    versions only increase, even within one second or after the clock was set back.

    On a local file system the copy is made in a hidden folder, flushed to disk, and renamed: a version that is there is
    complete, also after a loss of power. Object stores cannot rename a folder in one step; there `saved_model.pb`,
    without which a version does not load, is copied last.

    Args:
        model_path: path or URI of the SavedModel's folder.
        destination: path or URI of the folder of versions; created if it does not exist.
        rollback: if given, written into the copy's manifest.

    Raises:
        FileNotFoundError: there is no SavedModel at `model_path`.
    """
    if not exists(join(model_path, SAVED_MODEL)):
        raise FileNotFoundError(f"{model_path}: a model is to be pushed, and there is no {SAVED_MODEL}")
    filesystem, root = filesystem_of(destination)
    filesystem.create_dir(root, recursive=True)
    replaced = {MANIFEST: replace(_manifest(model_path), rollback=rollback).to_json().encode()} if rollback else {}
    if not isinstance(filesystem, fs.LocalFileSystem):
        version = _next_version(root, filesystem)
        copy_folder(model_path, join(destination, version), SAVED_MODEL, noted)
        return version
    # Two pushes at once, even of one model, must not share a folder. Retention removes those of killed pushes.
    hidden = Path(root, f"{PUSHING}{uuid.uuid4().hex[:16]}")
    try:
        copy_folder(model_path, hidden, SAVED_MODEL, noted)
        flush_folder(hidden)
        version = _rename_to_next_version(hidden, root)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
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


def _rename_to_next_version(hidden: Path, root: str) -> str:
    while True:
        version = _next_version(root, fs.LocalFileSystem())
        target = Path(root, version)
        try:
            # A folder that is not empty is never replaced: where another push took the version, this fails.
            os.rename(hidden, target)
        except OSError:
            if not target.exists():
                raise
        else:
            return version


def _next_version(root: str, filesystem: fs.FileSystem) -> str:
    names = [info.base_name for info in filesystem.get_file_info(fs.FileSelector(root, allow_not_found=True))]
    newest = max((int(name) for name in names if name.isascii() and name.isdecimal()), default=0)
    return str(max(int(time.time()), newest + 1))
