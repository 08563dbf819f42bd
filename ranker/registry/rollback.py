"""Rolls back to the model that was serving before.

TF Serving serves the highest version. So a rollback publishes the earlier model again as a new version. The replaced
version stays in place, and the manifest of the new one records the rollback. The model of the replaced version is
withdrawn: a later run of the same training does not publish it again unless that is requested.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from ranker.command_line import exit_with, print_error
from ranker.documents import DocumentError
from ranker.registry.manifest import Republished
from ranker.registry.numbering import SupersededError
from ranker.registry.publishing import publish
from ranker.registry.same_model import StoredModel, same_model
from ranker.registry.versions import complete_versions
from ranker.registry.withdrawal import read_withdrawals, reinstate, withdraw
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
    """Withdraws the serving model, and publishes the model that was serving before it again.

    That is the newest version before the one under which the serving model was first pushed, unless it was withdrawn.
    Models are compared by content, so a push that was retried does not count as a version of its own. Every version at
    a push destination was blessed. A second rollback goes back one model further; it does not return to the model that
    the first one replaced.

    Args:
        destination: path or URI of the folder of versions.

    Raises:
        RollbackError: there is no earlier model, or another one was pushed meanwhile.
        DocumentError: the record of a withdrawal is damaged.

    Example:
        >>> done = roll_back("workdir/feed/serving_model")  # doctest: +SKIP
        >>> f"{done.version} is a copy of {done.republishes} and replaces {done.instead_of}"  # doctest: +SKIP
        '1773187201 is a copy of 1773014400 and replaces 1773100800'
    """
    versions = complete_versions(destination)
    if not versions:
        raise RollbackError(f"{destination}: no model has been pushed here")
    models = {version: StoredModel(join(destination, version)) for version in versions}
    serving = versions[0]
    own = [version for version in versions if same_model(models[version], models[serving])]
    first_pushed = min((_origin(version, models[version]) for version in own), key=int)
    before = [version for version in versions if int(version) < int(first_pushed)]
    withdrawn = read_withdrawals(destination)
    earlier = next((version for version in before if withdrawn.of(models[version]) is None), None)
    if earlier is None:
        copy = f", a copy of {first_pushed}," if first_pushed != serving else ""
        there = "none before it" if not before else "no model before it that was not withdrawn"
        raise RollbackError(f"{destination}: version {serving}{copy} is serving, and there is {there}")
    republishes = _origin(earlier, models[earlier])
    # In this order a rollback that is killed in between is completed by repeating it.
    withdraw(destination, serving)
    try:
        version = publish(join(destination, earlier), destination, Republished(republishes, serving), after=serving)
    except SupersededError as error:
        reinstate(destination, models[serving])
        raise RollbackError(f"{destination}: nothing was rolled back: {error}") from None
    except BaseException:
        reinstate(destination, models[serving])
        raise
    return Rollback(version, republishes, serving)


def main(arguments: Sequence[str] | None = None) -> int:
    """Rolls back a push destination without a local workdir, such as that of a cluster."""
    parser = argparse.ArgumentParser(prog="python -m ranker.registry.rollback", description=main.__doc__)
    parser.add_argument("destination", help="path or URI of the folder of versions")
    destination = parser.parse_args(arguments).destination
    if not destination.strip():
        parser.error("destination: an empty path; name the folder of versions")
    try:
        done = roll_back(destination)
    except (RollbackError, DocumentError, ValueError, ImportError, OSError) as error:
        print_error(error)
        return 1
    print(f"version {done.version} serves, a copy of {done.republishes}, instead of {done.instead_of}")
    return 0


def _origin(version: str, model: StoredModel) -> str:
    """The version under which a version's model was first pushed."""
    rollback = model.manifest.rollback
    return rollback.republishes if rollback is not None else version


if __name__ == "__main__":
    exit_with(main)
