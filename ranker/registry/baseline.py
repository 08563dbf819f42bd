"""Decides which pushed model a day's candidate is compared with."""

from dataclasses import dataclass
from datetime import date

from ranker.registry.manifest import Manifest
from ranker.registry.same_model import StoredModel
from ranker.registry.versions import complete_versions
from ranker.registry.withdrawal import read_withdrawals
from ranker.storage import join


@dataclass(frozen=True)
class BaselineChoice:
    """The version to compare with.

    Attributes:
        version: the version, or None if there is none.
        reason: why it is not the serving version, or why there is none although a model serves; otherwise "".
    """

    version: str | None = None
    reason: str = ""


def choose_baseline(push_destination: str, day: date, own_training: str = "") -> BaselineChoice:
    """The serving version if it was not trained on `day`, else the newest version that was not, or none.

    A model that was trained on the held-out day knows its outcomes, so no candidate could keep up with it. Versions of
    withdrawn models are skipped, and so are those of the candidate's own training: a restarted run that has already
    pushed its model has the same baseline as before.

    Args:
        push_destination: path or URI of the folder of versions; it need not exist.
        day: the held-out day.
        own_training: the fingerprint of the candidate's training; "" skips none.
    """
    withdrawn = read_withdrawals(push_destination)
    serving = ""
    for version in complete_versions(push_destination):
        model = StoredModel(join(push_destination, version))
        own = own_training != "" and model.manifest.training_fingerprint == own_training
        if own or withdrawn.of(model) is not None:
            continue
        serving = serving or version
        if not trained_on(model.manifest, day):
            if version == serving:
                return BaselineChoice(version)
            return BaselineChoice(version, f"version {serving}, which is newer, was trained on {day}")
    if not serving:
        return BaselineChoice()
    return BaselineChoice(None, f"version {serving} was trained on {day}, and there is no earlier version that was not")


def trained_on(manifest: Manifest, day: date) -> bool:
    """Whether a model was trained on a day.

    A manifest that does not list its days only tells the day that was held out: every day before it may have been
    trained on. Without a manifest nothing is known, and the model counts as not trained on the day.
    """
    if manifest.effects is not None and day.isoformat() in manifest.effects.days:
        return True
    if manifest.trained_days:
        return day.isoformat() in manifest.trained_days
    return manifest.eval_day != "" and day.isoformat() < manifest.eval_day
