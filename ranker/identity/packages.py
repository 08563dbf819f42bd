"""A hash of the installed packages, which neither the project's code nor its config shows."""

import sys
from collections.abc import Iterable
from pathlib import Path

from ranker.identity.digest import short_digest


def package_fingerprint(folders: Iterable[str] | None = None) -> str:
    """A hash of Python's version, and of name, version and time of installation of every installed distribution.

    They are read from the names of the folders `NAME-VERSION.dist-info`, in which installers record a distribution
    (https://packaging.python.org/en/latest/specifications/recording-installed-packages/). Parsing the metadata inside
    of some three hundred folders would take a hundred times longer.

    Args:
        folders: where to look; None looks where Python imports from.

    Returns:
        16 hexadecimal digits.
    """
    installed = (
        f"{folder}/{found.name}:{found.stat().st_mtime_ns}"
        for folder in dict.fromkeys(sys.path if folders is None else folders)
        for found in Path(folder).glob("*.dist-info")
    )
    return short_digest((sys.version, *sorted(installed)))
