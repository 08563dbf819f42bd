"""Whether a model would replace the serving model of another config, or of a later day, which happens only on request.

A server takes the highest version, whatever config and day it is of. So two configs that share a push destination by
mistake would serve in turns, each with other inputs; and a run that was retried after the next day's would bring its
older model back.
"""

from dataclasses import dataclass

from ranker.plain_text import without_secrets
from ranker.registry.manifest import Manifest
from ranker.registry.versions import find_serving_version, read_manifest


class ReplacementError(ValueError):
    """A run would replace the serving model of another config; the message says which, and what to do."""


@dataclass(frozen=True)
class Replaced:
    """The serving model of another config.

    Attributes:
        destination: path or URI of the folder of versions, without secrets.
        version: the serving version.
        config: the name of its config.
        by: the name of the config whose model would replace it.
    """

    destination: str
    version: str
    config: str
    by: str

    def __str__(self) -> str:
        """As a clause."""
        return (
            f"version {self.version} at {self.destination} is a model of the config {self.config!r}, which a model of "
            f"{self.by!r} would replace"
        )


@dataclass(frozen=True)
class LaterModel:
    """The serving model of a later day.

    Attributes:
        destination: path or URI of the folder of versions, without secrets.
        version: the serving version.
        trained_for: its held-out day, YYYY-MM-DD.
        day: the held-out day of the model that would replace it.
    """

    destination: str
    version: str
    trained_for: str
    day: str

    def __str__(self) -> str:
        """As a clause."""
        return (
            f"version {self.version} at {self.destination} was trained for {self.trained_for}, and a model for "
            f"{self.day} would replace it"
        )


def find_later(destination: str, day: str, known: str = "") -> LaterModel | None:
    """The serving model if it is of a later day.

    Args:
        destination: path or URI of the folder of versions; it need not exist.
        day: the held-out day of the model that is to be pushed, YYYY-MM-DD; "" if unknown.
        known: a version that may be replaced all the same, as it served when the run was planned; "" for none.

    Example:
        >>> find_later("workdir/shop/serving_model", "2026-03-01") is None
        True
    """
    version = find_serving_version(destination)
    if version is None or version == known or day == "":
        return None
    trained_for = (read_manifest(destination, version) or Manifest()).eval_day
    return LaterModel(without_secrets(destination), version, trained_for, day) if trained_for > day else None


def find_replaced(destination: str, config: str, requested: str = "") -> Replaced | None:
    """The serving model if it is one of another config, and must not be replaced.

    Only the serving version counts. A manifest without a config's name, as an earlier version of this project wrote it,
    may be of any config, and so may a model without a manifest.

    Args:
        destination: path or URI of the folder of versions; it need not exist.
        config: name of the config whose model is to be pushed; "" if unknown.
        requested: name of a config whose model may be replaced; "" for none.

    Example:
        >>> find_replaced("workdir/shop/serving_model", "shop") is None
        True
    """
    version = find_serving_version(destination)
    manifest = read_manifest(destination, version) if version is not None else None
    if version is None or manifest is None or config == "" or manifest.may_be_of(config):
        return None
    if manifest.config_name == requested:
        return None
    return Replaced(without_secrets(destination), version, manifest.config_name, config)
