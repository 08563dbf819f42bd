"""Reads a push destination: which versions there are, what their manifests say, and which one is serving."""

import logging

from pyarrow import fs

from ranker.registry.layout import MANIFEST, SAVED_MODEL
from ranker.registry.manifest import Manifest, ManifestError
from ranker.storage import filesystem_of

_logger = logging.getLogger(__name__)


def whole_versions(push_destination: str) -> list[str]:
    """The versions at a push destination, the newest first, as TF Serving orders them: by number.

    Folders with another name than a number, and versions without a `saved_model.pb`, are passed over with a warning;
    hidden ones silently, as the Pusher copies there.

    Args:
        push_destination: path or URI of the folder of versions; it need not exist.
    """
    filesystem, root = filesystem_of(push_destination)
    selector = fs.FileSelector(root, allow_not_found=True)
    versions = []
    for info in filesystem.get_file_info(selector):
        if info.type == fs.FileType.Directory and not info.base_name.startswith("."):
            if info.base_name.isascii() and info.base_name.isdecimal():
                versions.append(info.base_name)
            else:
                _logger.warning("%s/%s: passed over, as its name is not a number", push_destination, info.base_name)
    whole = []
    for version in sorted(versions, key=int, reverse=True):
        if filesystem.get_file_info(f"{root}/{version}/{SAVED_MODEL}").type == fs.FileType.File:
            whole.append(version)
        else:
            _logger.warning("%s/%s: passed over, as it has no %s", push_destination, version, SAVED_MODEL)
    return whole


def read_manifest(push_destination: str, version: str) -> Manifest | None:
    """What a version's manifest says, or None where there is no manifest, or one that is not of this project."""
    filesystem, root = filesystem_of(push_destination)
    path = f"{root}/{version}/{MANIFEST}"
    if filesystem.get_file_info(path).type != fs.FileType.File:
        return None
    with filesystem.open_input_file(path) as file:
        try:
            return Manifest.from_json(file.read())
        except ManifestError as error:
            _logger.warning("%s/%s/%s: not a manifest: %s", push_destination, version, MANIFEST, error)
            return None


def find_serving_version(push_destination: str, exclude_training_fingerprint: str = "") -> str | None:
    """The newest version at a push destination, or None where there is none.

    Args:
        push_destination: path or URI of the folder of versions; it need not exist.
        exclude_training_fingerprint: a version whose manifest has this `training_fingerprint` is passed over, so that a
            run which pushed a model finds the same predecessor when it is started again; "" excludes none.
    """
    for version in whole_versions(push_destination):
        if not exclude_training_fingerprint:
            return version
        manifest = read_manifest(push_destination, version) or Manifest()
        if manifest.training_fingerprint != exclude_training_fingerprint:
            return version
    return None


def find_training(push_destination: str, training_fingerprint: str) -> str | None:
    """The newest version whose model comes from this training, or None where there is none."""
    for version in whole_versions(push_destination):
        manifest = read_manifest(push_destination, version)
        if manifest is not None and manifest.training_fingerprint == training_fingerprint:
            return version
    return None
