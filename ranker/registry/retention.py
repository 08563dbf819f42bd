"""Removes old versions from a push destination."""

import os
import shutil
import time

from pyarrow import fs

from ranker.registry.layout import SAVED_MODEL
from ranker.registry.publishing import ASIDE
from ranker.registry.versions import whole_versions
from ranker.storage import filesystem_of

_REMOVING = ".removing-"
_ABANDONED_AFTER_S = 24 * 3600.0


def remove_old_versions(destination: str, keep: int) -> list[str]:
    """Keeps the `keep` newest whole versions, and removes older ones and what pushes that were killed left behind.

    A version is hidden before it is emptied, or on an object store loses first what makes it load, so that no half of
    one can be taken for a model.

    Args:
        destination: path or URI of the folder of versions.
        keep: at least 1; the newest, which is serving, is always kept.

    Returns:
        The versions removed.
    """
    if keep < 1:
        raise ValueError(f"keep: at least the version now serving has to stay, got {keep}")
    filesystem, root = filesystem_of(destination)
    removed = whole_versions(destination)[keep:]
    for version in removed:
        if isinstance(filesystem, fs.LocalFileSystem):
            os.rename(f"{root}/{version}", f"{root}/{_REMOVING}{version}")
        else:
            filesystem.delete_file(f"{root}/{version}/{SAVED_MODEL}")
            filesystem.delete_dir(f"{root}/{version}")
    if isinstance(filesystem, fs.LocalFileSystem):
        _clear_away(root)
    return removed


def _clear_away(root: str) -> None:
    with os.scandir(root) as entries:
        for entry in entries:
            abandoned = entry.name.startswith(ASIDE) and entry.stat().st_mtime < time.time() - _ABANDONED_AFTER_S
            if abandoned or entry.name.startswith(_REMOVING):
                shutil.rmtree(entry.path)
