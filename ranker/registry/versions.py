"""Reads a push destination: its versions, their manifests, and which version is serving."""

import logging

from pyarrow import fs

from ranker.documents import DocumentError
from ranker.registry.layout import MANIFEST, SAVED_MODEL, is_version
from ranker.registry.manifest import Manifest
from ranker.storage import filesystem_of, join, read_bytes

_logger = logging.getLogger(__name__)


def complete_versions(push_destination: str) -> list[str]:
    """The complete versions at a push destination, newest first, ordered by number as in TF Serving.

    Folders whose name is not the number of a version and versions without `saved_model.pb` are skipped with a warning.
    Hidden folders are skipped silently, as they are the Pusher's temporary folders.

    Args:
        push_destination: path or URI of the folder of versions; it need not exist.
    """
    filesystem, root = filesystem_of(push_destination)
    selector = fs.FileSelector(root, allow_not_found=True)
    versions = []
    for info in filesystem.get_file_info(selector):
        if info.type == fs.FileType.Directory and not info.base_name.startswith("."):
            if is_version(info.base_name):
                versions.append(info.base_name)
            else:
                _logger.warning("%s: skipped, as its name is no version number", join(push_destination, info.base_name))
    complete = []
    for version in sorted(versions, key=int, reverse=True):
        if filesystem.get_file_info(f"{root}/{version}/{SAVED_MODEL}").type == fs.FileType.File:
            complete.append(version)
        else:
            _logger.warning("%s: skipped, as it has no %s", join(push_destination, version), SAVED_MODEL)
    return complete


def read_manifest(push_destination: str, version: str) -> Manifest | None:
    """The manifest of a version, or None if there is none or it is not a manifest of this project."""
    filesystem, root = filesystem_of(push_destination)
    path = f"{root}/{version}/{MANIFEST}"
    if filesystem.get_file_info(path).type != fs.FileType.File:
        return None
    try:
        content = read_bytes(join(push_destination, version, MANIFEST))
    except FileNotFoundError:
        return None  # the version was removed just now
    try:
        return Manifest.from_json(content.decode("utf-8", "replace"), join(push_destination, version, MANIFEST))
    except DocumentError as error:
        _logger.warning("not a manifest: %s", error)
        return None


def find_serving_version(push_destination: str, exclude_training_fingerprint: str = "") -> str | None:
    """The newest version at a push destination, or None if there is none.

    Args:
        push_destination: path or URI of the folder of versions; it need not exist.
        exclude_training_fingerprint: versions whose manifest has this `training_fingerprint` are skipped; "" skips
            none. So a restarted run that has already pushed its model finds the same version as before.
    """
    for version in complete_versions(push_destination):
        if not exclude_training_fingerprint:
            return version
        manifest = read_manifest(push_destination, version) or Manifest()
        if manifest.training_fingerprint != exclude_training_fingerprint:
            return version
    return None


def find_training(push_destination: str, training_fingerprint: str) -> str | None:
    """The newest version whose model comes from this training, or None if there is none."""
    for version in complete_versions(push_destination):
        manifest = read_manifest(push_destination, version)
        if manifest is not None and manifest.training_fingerprint == training_fingerprint:
            return version
    return None
