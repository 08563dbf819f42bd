"""Whether two models are the same: by their training, or by the content of what is served.

The version does not identify a model: a push that is retried, and a rollback, publish the same model under another one.
"""

import hashlib
from functools import cached_property
from typing import Protocol

from google.protobuf import empty_pb2, unknown_fields
from google.protobuf.message import DecodeError
from pyarrow import fs

from ranker.identity.digest import short_digest
from ranker.registry.layout import MANIFEST, SAVED_MODEL
from ranker.registry.manifest import Manifest
from ranker.registry.versions import read_manifest
from ranker.storage import filesystem_of, parent_and_name

_NOT_SERVED = MANIFEST.partition("/")[0] + "/"
_FINGERPRINT = "fingerprint.pb"
_GRAPH, _SIGNATURES = 2, 3
"""Fields of TensorFlow's `FingerprintDef`: the hashes of the graph and of the signatures."""
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
        """Fingerprint of its training, or "" if it is unknown.

        A model whose random effects were updated after the training is another one.
        """
        training, effects = self.manifest.training_fingerprint, self.manifest.effects
        return short_digest((training, effects.update)) if training and effects and effects.update else training

    @cached_property
    def content(self) -> str:
        """Digest of the files that are served."""
        return content_digest(self._location)


def same_model(one: Model, other: Model) -> bool:
    """Whether two models come from the same training or have the same content."""
    return (one.training != "" and one.training == other.training) or one.content == other.content


def content_digest(location: str) -> str:
    """A hash of all that a server reads, in hexadecimal digits.

    Every file counts by its name and bytes, except `saved_model.pb`. There TensorFlow numbers functions in the order in
    which the process traced them, so equal models differ in bytes. It counts by the hashes in `fingerprint.pb`, which
    ignore these numbers, or by its bytes if there are none. `assets.extra`, with the manifest and training state, is
    not served and does not count.

    Args:
        location: path or URI of a SavedModel's folder.
    """
    filesystem, root = filesystem_of(location)
    # Paths come back with the root in front, but not always spelt as it was requested.
    depth = len(root.strip("/").split("/"))
    digest = hashlib.sha256()
    names = [
        "/".join(info.path.strip("/").split("/")[depth:])
        for info in filesystem.get_file_info(fs.FileSelector(root, recursive=True))
        if info.type == fs.FileType.File
    ]
    graph = _graph_hashes(filesystem, f"{root}/{_FINGERPRINT}") if _FINGERPRINT in names else None
    digest.update(f"{graph}\0".encode())
    for name in sorted(names):
        if name == _FINGERPRINT or name.startswith(_NOT_SERVED) or (name == SAVED_MODEL and graph is not None):
            continue
        own = hashlib.sha256()
        with filesystem.open_input_stream(f"{root}/{name}") as file:
            while chunk := file.read(_CHUNK):
                own.update(chunk)
        digest.update(f"{name}\0{own.hexdigest()}\0".encode())
    return digest.hexdigest()


def _graph_hashes(filesystem: fs.FileSystem, path: str) -> str | None:
    """The hashes of graph and signatures in a `fingerprint.pb`, read without TensorFlow; None if it has none."""
    with filesystem.open_input_stream(path) as file:
        content = file.read()
    try:
        message = empty_pb2.Empty.FromString(content)
    except DecodeError:
        return None
    fields = {field.field_number: field.data for field in unknown_fields.UnknownFieldSet(message)}
    if _GRAPH not in fields or _SIGNATURES not in fields:
        return None
    return f"{fields[_GRAPH]} {fields[_SIGNATURES]}"
