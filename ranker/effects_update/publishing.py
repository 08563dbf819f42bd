"""Publishes a model with updated effects, if it still continues what serves."""

import logging

from ranker.plain_text import without_secrets
from ranker.registry.numbering import SupersededError
from ranker.registry.publishing import publish
from ranker.registry.retention import remove_old_versions
from ranker.registry.same_model import StoredModel
from ranker.registry.withdrawal import read_withdrawals
from ranker.storage import join

_LOG = logging.getLogger(__name__)


class NotPublishedError(Exception):
    """The update must not be published; the message is the reason."""


def publish_update(model: str, destination: str, serving: str, keep: int) -> str:
    """Publishes the model as a new version and returns the version's location.

    Args:
        model: path of the model's folder.
        destination: path or URI of the folder of versions.
        serving: the version whose effects were updated.
        keep: number of newest versions that are kept.

    Raises:
        NotPublishedError: a rollback withdrew the update, or another version was pushed since it was begun.
    """
    withdrawal = read_withdrawals(destination).of(StoredModel(model))
    if withdrawal is not None:
        raise NotPublishedError(f"a rollback withdrew this update, version {withdrawal.version}")
    try:
        # On a cluster a training may push meanwhile. The older model must not replace it.
        pushed = publish(model, destination, after=serving)
    except SupersededError as error:
        raise NotPublishedError(f"the effects of version {serving} were updated, but meanwhile: {error}") from None
    try:
        remove_old_versions(destination, keep)
    except OSError as error:
        # The update is published; the next push removes the old versions.
        _LOG.warning("%s: old versions could not be removed: %s", destination, error)
    return without_secrets(join(destination, pushed))
