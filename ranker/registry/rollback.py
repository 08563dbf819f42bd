"""Puts the model that served before back on top.

TF Serving serves the highest version, so going back means publishing the earlier model once more, as a new version. The
one that it replaces stays where it is, and the manifest of the new one says what happened.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from ranker.registry.manifest import Republished
from ranker.registry.publishing import publish
from ranker.registry.versions import read_manifest, whole_versions


class RollbackError(RuntimeError):
    """There is nothing to go back to; the message says why."""


@dataclass(frozen=True)
class Rollback:
    """What was done.

    Attributes:
        version: the new version.
        republishes: the version that it is a copy of.
        instead_of: the version that was serving until then.
    """

    version: str
    republishes: str
    instead_of: str


def roll_back(destination: str) -> Rollback:
    """Publishes the version before the one now serving once more.

    Every version at a push destination was blessed. A second rollback goes back one further, and not forth again to
    what the first one left.

    Args:
        destination: path or URI of the folder of versions.

    Raises:
        RollbackError: there is no earlier version.
    """
    versions = whole_versions(destination)
    if not versions:
        raise RollbackError(f"{destination}: no model has been pushed here")
    serving = versions[0]
    first_pushed = _origin(destination, serving)
    earlier = next((version for version in versions if int(version) < int(first_pushed)), None)
    if earlier is None:
        copy = f", a copy of {first_pushed}," if first_pushed != serving else ""
        raise RollbackError(f"{destination}: version {serving}{copy} is serving, and there is none before it")
    republishes = _origin(destination, earlier)
    version = publish(f"{destination.rstrip('/')}/{earlier}", destination, Republished(republishes, serving))
    return Rollback(version, republishes, serving)


def main(arguments: Sequence[str] | None = None) -> int:
    """Rolls back a push destination that no local working folder belongs to, such as that of a cluster."""
    parser = argparse.ArgumentParser(prog="python -m ranker.registry.rollback", description=main.__doc__)
    parser.add_argument("destination", help="path or URI of the folder of versions")
    try:
        done = roll_back(parser.parse_args(arguments).destination)
    except RollbackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"version {done.version} serves, a copy of {done.republishes}, instead of {done.instead_of}")
    return 0


def _origin(destination: str, version: str) -> str:
    """The version as which a version's model was pushed for the first time."""
    manifest = read_manifest(destination, version)
    return manifest.rollback.republishes if manifest is not None and manifest.rollback is not None else version


if __name__ == "__main__":
    sys.exit(main())
