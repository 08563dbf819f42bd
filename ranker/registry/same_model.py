"""Whether two models are the same: by their training, or by the content of what is served.

The version does not identify a model: a push that is retried, and a rollback, publish the same model under another one.
"""

import hashlib
from functools import cached_property
from typing import Protocol

from pyarrow import fs

from ranker.registry.layout import MANIFEST
from ranker.registry.manifest import Manifest
from ranker.registry.versions import read_manifest
from ranker.storage import filesystem_of, parent_and_name

_NOT_SERVED = MANIFEST.partition("/")[0] + "/"
# TensorFlow writes a random identifier into this file.
_RANDOM = "fingerprint.pb"
_CHUNK = 1 << 20  # bytes


class Model(Protocol):
    """What identifies a model."""

    @property
    def training(self) -> str:
        """Fingerprint of its training, or "" if it is unknown."""

    @property
    def content(self) -> str:
        """Digest of the files that are served."""


class StoredModel:
    """A SavedModel in a folder. Its files are read only if the fingerprints of trainings do not decide.

    Args:
        location: path or URI of the SavedModel's folder.
    """

    def __init__(self, location: str) -> None:
        self._location = location

    @cached_property
    def manifest(self) -> Manifest:
        """Its manifest; an empty one if it has none."""
        return read_manifest(*parent_and_name(self._location)) or Manifest()

    @property
    def training(self) -> str:
        """Fingerprint of its training, or "" if it is unknown."""
        return self.manifest.training_fingerprint

    @cached_property
    def content(self) -> str:
        """Digest of the files that are served."""
        return content_digest(self._location)


def same_model(one: Model, other: Model) -> bool:
    """Whether two models come from the same training or have the same content."""
    return (one.training != "" and one.training == other.training) or one.content == other.content


def content_digest(location: str) -> str:
    """A hash of the names and bytes of all files that a server reads, in hexadecimal digits.

    `assets.extra`, with the manifest and the training state, is not served and does not count.

    Args:
        location: path or URI of a SavedModel's folder.
    """
    filesystem, root = filesystem_of(location)
    # Paths come back with the root in front, but not always spelt as it was requested.
    depth = len(root.strip("/").split("/"))
    digest = hashlib.sha256()
    files = [
        ("/".join(info.path.strip("/").split("/")[depth:]), info)
        for info in filesystem.get_file_info(fs.FileSelector(root, recursive=True))
        if info.type == fs.FileType.File
    ]
    for name, _ in sorted(files, key=lambda file: file[0]):
        if name == _RANDOM or name.startswith(_NOT_SERVED):
            continue
        own = hashlib.sha256()
        with filesystem.open_input_stream(f"{root}/{name}") as file:
            while chunk := file.read(_CHUNK):
                own.update(chunk)
        digest.update(f"{name}\0{own.hexdigest()}\0".encode())
    return digest.hexdigest()
