"""Copies a SavedModel to where models serve from, so that nobody ever sees half of one."""

import hashlib
import os
import time
from dataclasses import replace
from pathlib import Path

from pyarrow import fs

from ranker.registry.layout import MANIFEST, SAVED_MODEL
from ranker.registry.manifest import Manifest, Republished
from ranker.registry.versions import read_manifest, whole_versions
from ranker.storage import copy_folder, exists, filesystem_of

ASIDE = ".pushing-"


def publish(model_path: str, destination: str, rollback: Republished | None = None) -> str:
    """Copies a model to the next version below `destination` and returns the version.

    A version is the time in seconds since 1970, or one more than the highest version there, whichever is larger. So
    versions only grow, even within a second or after the clock was set back.

    On a local file system the copy is made in a hidden folder, which TF Serving does not look at, and renamed. Object
    stores cannot rename a folder in one step; there `saved_model.pb`, without which a version does not load, is copied
    last.

    Args:
        model_path: path or URI of the SavedModel's folder.
        destination: path or URI of the folder of versions; made where it does not exist.
        rollback: written into the copy's manifest, where the model has one.

    Raises:
        FileNotFoundError: there is no SavedModel at `model_path`.
    """
    if not exists(f"{model_path}/{SAVED_MODEL}"):
        raise FileNotFoundError(f"{model_path}: a model is to be pushed, and there is no {SAVED_MODEL}")
    filesystem, root = filesystem_of(destination)
    filesystem.create_dir(root, recursive=True)
    noted = {MANIFEST: replace(_manifest(model_path), rollback=rollback).to_json().encode()} if rollback else {}
    if not isinstance(filesystem, fs.LocalFileSystem):
        version = _next_version(root, filesystem)
        copy_folder(model_path, f"{destination}/{version}", SAVED_MODEL, noted)
        return version
    # The same name for the same model: a push that was cut short is cleared away when it is tried again.
    aside = f"{root}/{ASIDE}{hashlib.sha256(model_path.encode()).hexdigest()[:16]}"
    if Path(aside).exists():
        filesystem.delete_dir(aside)
    copy_folder(model_path, aside, SAVED_MODEL, noted)
    return _rename_to_next_version(aside, root)


def find_published(model_path: str, destination: str) -> str | None:
    """The version now serving if it is this very model, which a run pushed that was stopped before it could say so."""
    manifest = _manifest(model_path)
    if not manifest.training_fingerprint:
        return None
    newest = next(iter(whole_versions(destination)), None)
    return newest if newest and read_manifest(destination, newest) == manifest else None


def _manifest(model_path: str) -> Manifest:
    return read_manifest(*os.path.split(model_path.rstrip("/"))) or Manifest()


def _rename_to_next_version(aside: str, root: str) -> str:
    while True:
        version = _next_version(root, fs.LocalFileSystem())
        target = Path(root, version)
        try:
            # A folder that is not empty is never replaced: where another push took the version, this fails.
            os.rename(aside, target)
        except OSError:
            if not target.exists():
                raise
        else:
            return version


def _next_version(root: str, filesystem: fs.FileSystem) -> str:
    names = [info.base_name for info in filesystem.get_file_info(fs.FileSelector(root, allow_not_found=True))]
    newest = max((int(name) for name in names if name.isascii() and name.isdecimal()), default=0)
    return str(max(int(time.time()), newest + 1))
