"""Rolls back to the model that was serving before.

TF Serving serves the highest version. So a rollback publishes the earlier model again as a new version. The replaced
version stays in place, and the manifest of the new one records the rollback.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from ranker.registry.manifest import Republished
from ranker.registry.publishing import publish
from ranker.registry.versions import complete_versions, read_manifest
from ranker.storage import join


class RollbackError(RuntimeError):
    """There is no version to roll back to; the message says why."""


@dataclass(frozen=True)
class Rollback:
    """The result of a rollback.

    Attributes:
        version: the new version.
        republishes: the version that it is a copy of.
        instead_of: the version that was serving before.
    """

    version: str
    republishes: str
    instead_of: str


def roll_back(destination: str) -> Rollback:
    """Publishes the version before the serving one again.

    Every version at a push destination was blessed. A second rollback goes back one version further; it does not return
    to the version that the first one replaced.

    Args:
        destination: path or URI of the folder of versions.

    Raises:
        RollbackError: there is no earlier version.

    Example:
        >>> done = roll_back("workdir/feed/serving_model")  # doctest: +SKIP
        >>> f"{done.version} is a copy of {done.republishes} and replaces {done.instead_of}"  # doctest: +SKIP
        '1773187201 is a copy of 1773014400 and replaces 1773100800'
    """
    versions = complete_versions(destination)
    if not versions:
        raise RollbackError(f"{destination}: no model has been pushed here")
    serving = versions[0]
    first_pushed = _origin(destination, serving)
    earlier = next((version for version in versions if int(version) < int(first_pushed)), None)
    if earlier is None:
        copy = f", a copy of {first_pushed}," if first_pushed != serving else ""
        raise RollbackError(f"{destination}: version {serving}{copy} is serving, and there is none before it")
    republishes = _origin(destination, earlier)
    version = publish(join(destination, earlier), destination, Republished(republishes, serving))
    return Rollback(version, republishes, serving)


def main(arguments: Sequence[str] | None = None) -> int:
    """Rolls back a push destination without a local workdir, such as that of a cluster."""
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
    """The version under which a version's model was first pushed."""
    manifest = read_manifest(destination, version)
    return manifest.rollback.republishes if manifest is not None and manifest.rollback is not None else version


if __name__ == "__main__":
    sys.exit(main())
