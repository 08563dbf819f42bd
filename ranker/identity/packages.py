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

    Folders inside of others are left out: they are what a package brings for itself, and whether Python imports from
    them depends on what has been imported before (setuptools adds its `_vendor` to `sys.path`).

    Args:
        folders: where to look; None looks where Python imports from.

    Returns:
        16 hexadecimal digits.
    """
    searched = {Path(folder).absolute() for folder in (sys.path if folders is None else folders)}
    distributions = {folder: found for folder in searched if (found := list(folder.glob("*.dist-info")))}
    installed = (
        f"{found}:{found.stat().st_mtime_ns}"
        for folder, in_folder in distributions.items()
        if distributions.keys().isdisjoint(folder.parents)
        for found in in_folder
    )
    return short_digest((sys.version, *sorted(installed)))
