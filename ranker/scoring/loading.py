"""Loads a model from a version's folder or from a push destination."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from pyarrow import fs
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from ranker.command_line import explained
from ranker.documents import DocumentError
from ranker.export.loading import LOAD_ERRORS, load_problem
from ranker.export.names import SERVING_DEFAULT
from ranker.plain_text import sentence
from ranker.registry.layout import MANIFEST, SAVED_MODEL, is_version
from ranker.registry.manifest import Manifest
from ranker.registry.versions import complete_versions
from ranker.scoring.description import Description, ModelError
from ranker.scoring.scorer import Scorer
from ranker.storage import copy_folder, exists, filesystem_of, join, local_path


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model in memory.

    Attributes:
        location: the version's folder, a path or URI.
        folder: the same as a local folder: itself, or a copy.
        description: what its manifest tells.
        scorer: calls it.
        temporary: the folder of the copy, which is deleted together with this object; None for a local folder.
    """

    location: str
    folder: Path
    description: Description
    scorer: Scorer
    temporary: Any = None


def version_folder(location: str | Path) -> str:
    """The folder of the model that a path or URI names.

    Args:
        location: a version, which has a `saved_model.pb`, or a push destination, whose newest version is meant.

    Raises:
        ModelError: it is neither.
    """
    try:
        if exists(join(location, SAVED_MODEL)):
            return str(location)
        if not exists(location):
            raise ModelError(f"{location}: there is no such folder")
        versions = complete_versions(str(location)) if _has_versions(location) else []
    except (ValueError, ImportError, OSError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{location}: cannot be read: {explained(error)}") from None
    if not versions:
        raise ModelError(
            f"{location}: it is no model, as it has no {SAVED_MODEL}, and no push destination, as it has no folder "
            "of a version"
        )
    return join(location, versions[0])


def _has_versions(location: str | Path) -> bool:
    """Whether a folder has a folder that is named as a version is; in others, every name would be worth a warning."""
    filesystem, path = filesystem_of(location)
    return any(is_version(info.base_name) for info in filesystem.get_file_info(fs.FileSelector(path)))


def load_model(location: str | Path) -> LoadedModel:
    """Loads a model.

    Args:
        location: as in `version_folder`.

    Raises:
        ModelError: it is no model, or one that cannot be loaded; the message says why in one sentence.
    """
    place = version_folder(location)
    temporary = None
    folder = local_path(place)
    try:
        if folder is None:
            temporary = tempfile.TemporaryDirectory(prefix="feed-ranker-")
            folder = Path(temporary.name)
            copy_folder(place, folder)
        manifest = _manifest(folder, place)
        description = Description.of(manifest, place)
        signatures = _signatures(folder)
        if SERVING_DEFAULT not in signatures:
            raise ModelError(f"{place}: it has no signature {SERVING_DEFAULT}")
        scorer = Scorer(tf.saved_model.load(str(folder)), description, signatures)
    except ModelError:
        raise
    except LOAD_ERRORS as error:
        raise ModelError(f"{place}: it cannot be loaded: {load_problem(error)}") from error
    return LoadedModel(place, folder, description, scorer, temporary)


def _manifest(folder: Path, place: str) -> Manifest:
    file = folder / MANIFEST
    if not file.is_file():
        raise ModelError(f"{place}: it is no model of this project, as it has no {MANIFEST}")
    try:
        return Manifest.from_json(file.read_text(), str(file))
    except (DocumentError, UnicodeDecodeError) as error:
        raise ModelError(sentence(str(error))) from None


def _signatures(folder: Path) -> dict[str, meta_graph_pb2.SignatureDef]:
    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString((folder / SAVED_MODEL).read_bytes())
    except DecodeError as error:
        raise ModelError(f"{folder / SAVED_MODEL}: it is damaged: {error}") from None
    return {name: signature for graph in saved.meta_graphs for name, signature in graph.signature_def.items()}
