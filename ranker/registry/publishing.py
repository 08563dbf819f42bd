"""Publishes a SavedModel to the push destination, so that a server never sees an incomplete version."""

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from pyarrow import fs

from ranker.files import flush, flush_folder, make_folders
from ranker.registry.layout import MANIFEST, SAVED_MODEL
from ranker.registry.manifest import Manifest, Republished
from ranker.registry.numbering import SupersededError, claimed_version, following_version, next_version
from ranker.registry.same_model import StoredModel, same_model
from ranker.registry.versions import complete_versions
from ranker.storage import copy_folder, exists, filesystem_of, join, read_bytes

TEMPORARY_PREFIX = ".pushing-"


def publish(model_path: str, destination: str, rollback: Republished | None = None, after: str | None = None) -> str:
    """Copies a model to the next version below `destination` and returns the version.

    A version is the time in seconds since 1970, or the highest existing version plus one, whichever is larger. So
    versions only increase, even within one second or after the clock was set back.

    On a local file system the model is copied to a hidden temporary folder, which TF Serving ignores, flushed to disk,
    and then renamed atomically: a version that exists is complete, also after a loss of power. Object stores cannot
    rename a folder atomically; there `saved_model.pb`, without which a version does not load, is copied last. Either
    way, concurrent pushes get different versions.

    Args:
        model_path: path or URI of the SavedModel's folder.
        destination: path or URI of the folder of versions; created if it does not exist.
        rollback: if given, written into the copy's manifest.
        after: the version that must still be serving, for a copy of an earlier model, which must not replace what was
            pushed meanwhile. It then gets the highest existing version plus one, whatever the time is.

    Raises:
        FileNotFoundError: there is no SavedModel at `model_path`.
        SupersededError: another version than `after` serves, or another push is under way on an object store.
    """
    if not exists(join(model_path, SAVED_MODEL)):
        raise FileNotFoundError(f"{model_path}: no model to push, as there is no {SAVED_MODEL}")
    filesystem, root = filesystem_of(destination)
    replaced = {MANIFEST: _manifest_with(rollback, model_path)} if rollback else {}
    if isinstance(filesystem, fs.LocalFileSystem):
        return _publish_by_rename(model_path, Path(root), replaced, after)
    with claimed_version(root, filesystem, alone=after is not None) as version:
        _check_serving(destination, after)
        try:
            copy_folder(model_path, join(destination, version), SAVED_MODEL, replaced)
        except BaseException:
            # The claim makes the folder this push's own. The original error is the one to report.
            with contextlib.suppress(OSError):
                filesystem.delete_dir(f"{root}/{version}")
            raise
    return version


def find_published(model_path: str, destination: str) -> str | None:
    """The serving version if it is this model, or this model with random effects that were updated since.

    So a push that was stopped before it was recorded is not repeated, nor is the push of a model that a rollback
    published again.
    """
    newest = next(iter(complete_versions(destination)), None)
    if newest is None:
        return None
    own, serving = StoredModel(model_path), StoredModel(join(destination, newest))
    effects = serving.manifest.effects
    updated = bool(effects and effects.update) and own.training == serving.manifest.training_fingerprint != ""
    return newest if updated or same_model(own, serving) else None


def _manifest_with(rollback: Republished, model_path: str) -> bytes:
    """A model's manifest with the record of a rollback, and everything else as it is.

    A newer version of this project may have written fields, or a format, that this one does not know.
    """
    path = join(model_path, MANIFEST)
    try:
        content = json.loads(read_bytes(path)) if exists(path) else None
    except ValueError:
        content = None
    if not isinstance(content, dict):
        return Manifest(rollback=rollback).to_json().encode()
    return json.dumps({**content, "rollback": asdict(rollback)}, indent=1).encode()


def _check_serving(destination: str, after: str | None) -> None:
    if after is None:
        return
    newest = next(iter(complete_versions(destination)), None)
    if newest != after:
        now = f"version {newest} serves now, instead of {after}" if newest else f"version {after} is not there any more"
        raise SupersededError(now)


def _publish_by_rename(model_path: str, root: Path, replaced: Mapping[str, bytes], after: str | None) -> str:
    make_folders(root)
    # Two pushes at once, even of one model, must not share a folder. Retention removes those of killed pushes.
    temporary = root / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex[:16]}"
    try:
        copy_folder(model_path, temporary, SAVED_MODEL, replaced)
        flush_folder(temporary)
        version = _rename_to_next_version(temporary, root, after)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    flush(root)
    return version


def _rename_to_next_version(temporary: Path, root: Path, after: str | None) -> str:
    number = next_version if after is None else following_version
    while True:
        version = number(str(root), fs.LocalFileSystem())
        # After the number was taken: a push between the two is seen here, and one after this gets no lower number.
        _check_serving(str(root), after)
        target = root / version
        try:
            # Renaming never replaces a non-empty folder: it fails if another push has taken the version.
            os.rename(temporary, target)
        except OSError:
            if not target.exists():
                raise
        else:
            return version
