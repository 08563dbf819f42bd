"""The versions of a model in a folder, as TensorFlow Serving numbers them."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ranker.command_line import readable_folder, without_patterns
from ranker.export.loading import LOAD_ERRORS, load_problem
from ranker.registry.layout import is_version

Loaded = TypeVar("Loaded")


def list_versions(models: Path) -> list[Path]:
    """The numbered folders, the highest number first."""
    found = (entry for entry in models.iterdir() if is_version(entry.name) and entry.is_dir())
    return sorted(found, key=lambda entry: int(entry.name), reverse=True)


def load_newest(models: Path, load: Callable[[Path], Loaded], warn: Callable[[str], None]) -> tuple[Path, Loaded]:
    """The newest version that can be loaded, and what `load` makes of it.

    A version that is being copied, or was copied in part, has the highest number, but the one before it still serves.

    Args:
        models: the push destination, a folder of versions.
        load: loads the SavedModel of a version's folder.
        warn: called with a sentence for each newer version that cannot be loaded.

    Raises:
        UsageError: there is no such folder, or its path has characters that patterns give a meaning.
        FileNotFoundError: there is no numbered folder, or none of them can be loaded.
    """
    versions = list_versions(without_patterns("--models", readable_folder("--models", models)))
    if not versions:
        raise FileNotFoundError(f"{models}: holds no numbered model version; is it the push destination of a run?")
    for folder in versions:
        try:
            return folder, load(folder)
        except LOAD_ERRORS as error:
            warn(f"{folder}: skipped, as it is incomplete or damaged: {load_problem(error)}")
    raise FileNotFoundError(f"{models}: none of its {len(versions)} versions can be loaded")
