"""Whether a config's model would replace the serving model of another config, which happens only on request.

A server takes the highest version, whatever config it is of. So two configs that share a push destination by mistake
would serve in turns, each with other inputs.
"""

from dataclasses import dataclass

from ranker.plain_text import without_secrets
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
