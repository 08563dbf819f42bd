"""Copies a SavedModel to where models serve from, so that nobody ever sees half of one."""

import hashlib
import os
import time

from tfx.dsl.io import fileio
from tfx.utils import io_utils

_ASIDE = ".pushing-"
_SAVED_MODEL = "saved_model.pb"


def publish(model_path: str, destination: str) -> str:
    """Copies a model to the next version below `destination` and returns the version.

    A version is the time in seconds since 1970, or one more than the highest version there, whichever is larger. So
    versions only grow, even within a second or after the clock was set back.

    On a local file system the copy is made in a hidden folder, which TF Serving does not look at, and renamed. Object
    stores cannot rename a folder in one step; there `saved_model.pb`, without which a version does not load, is copied
    last.

    Args:
        model_path: folder of the SavedModel.
        destination: path or URI of the folder of versions; made where it does not exist.

    Raises:
        FileNotFoundError: there is no SavedModel at `model_path`.
    """
    if not fileio.exists(os.path.join(model_path, _SAVED_MODEL)):
        raise FileNotFoundError(f"{model_path}: a model is to be pushed, and there is no {_SAVED_MODEL}")
    fileio.makedirs(destination)
    if "://" in destination:
        version = _next_version(destination)
        target = os.path.join(destination, version)
        io_utils.copy_dir(model_path, target, deny_regex_patterns=[rf"/{_SAVED_MODEL}$"])
        io_utils.copy_file(os.path.join(model_path, _SAVED_MODEL), os.path.join(target, _SAVED_MODEL))
        return version
    # The same name for the same model: a push that was cut short is cleared away when it is tried again.
    aside = os.path.join(destination, _ASIDE + hashlib.sha256(model_path.encode()).hexdigest()[:16])
    io_utils.copy_dir(model_path, aside)
    return _rename_to_next_version(aside, destination)


def _rename_to_next_version(aside: str, destination: str) -> str:
    while True:
        version = _next_version(destination)
        target = os.path.join(destination, version)
        try:
            # A folder that is not empty is never replaced: where another push took the version, this fails.
            os.rename(aside, target)
        except OSError:
            if not os.path.exists(target):
                raise
        else:
            return version


def _next_version(destination: str) -> str:
    names = (str(name).rstrip("/") for name in fileio.listdir(destination))
    newest = max((int(name) for name in names if name.isascii() and name.isdecimal()), default=0)
    return str(max(int(time.time()), newest + 1))
