"""Whether a model reads the histories that the Examples of a config hold."""

from typing import Any

from ranker.config.columns import AnyHistory, Features
from ranker.registry.manifest import Manifest


def redefined_histories(manifest: Manifest, features: Features) -> tuple[str, ...]:
    """The histories that a model knows by the same name and with another definition.

    Such a model finds the column, and reads it as something that it does not hold.

    Args:
        manifest: of the model; one without a config knows no histories.
        features: of the config that the column comes from.
    """
    theirs = {history["name"]: history for history in manifest.config.get("features", {}).get("history", ())}
    return tuple(
        history.name
        for history in features.history
        if history.name in theirs and _definition(theirs[history.name]) != _of(history)
    )


def _definition(history: dict[str, Any]) -> tuple[Any, ...]:
    return history.get("of"), tuple(history.get("actions", ())), history.get("size", 0)


def _of(history: AnyHistory) -> tuple[Any, ...]:
    return history.of, history.actions, history.kept_size
