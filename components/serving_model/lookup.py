"""Finds the model now serving, as TF Serving would: the highest numbered folder that holds a whole SavedModel."""

import json
import logging

from pyarrow import fs

from components.storage import filesystem_of

MANIFEST = "assets.extra/feed_ranker.json"
_SAVED_MODEL = "saved_model.pb"

_logger = logging.getLogger(__name__)


def find_serving_version(push_destination: str, exclude_training_fingerprint: str = "") -> str | None:
    """The newest version at a push destination, or None where there is none.

    Folders with another name than a number, and versions without a `saved_model.pb`, are passed over with a warning;
    hidden ones silently, as the Pusher copies there.

    Args:
        push_destination: path or URI of the folder of versions; it need not exist.
        exclude_training_fingerprint: a version whose manifest has this `training_fingerprint` is passed over, so that a
            run which pushed a model finds the same predecessor when it is started again; "" excludes none.
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
    for version in sorted(versions, key=int, reverse=True):
        if filesystem.get_file_info(f"{root}/{version}/{_SAVED_MODEL}").type != fs.FileType.File:
            _logger.warning("%s/%s: passed over, as it has no %s", push_destination, version, _SAVED_MODEL)
        elif not exclude_training_fingerprint or exclude_training_fingerprint != _training_fingerprint(
            filesystem, f"{root}/{version}/{MANIFEST}"
        ):
            return version
    return None


def _training_fingerprint(filesystem: fs.FileSystem, manifest: str) -> str | None:
    """What a manifest says, or None where there is no manifest, or one that is not of this project."""
    if filesystem.get_file_info(manifest).type != fs.FileType.File:
        return None
    with filesystem.open_input_file(manifest) as file:
        try:
            content = json.loads(file.read())
        except ValueError as error:
            _logger.warning("%s: not a manifest: %s", manifest, error)
            return None
    return content.get("training_fingerprint") if isinstance(content, dict) else None
