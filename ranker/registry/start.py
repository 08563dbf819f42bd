"""Decides whether a day is a cold start or continues from a pushed model, and from which one.

The decision depends only on the day, the config and the manifests at the push destination. So every orchestrator makes
the same decision, and so does a run that is restarted.
"""

from collections.abc import Mapping
from datetime import date

from pydantic.dataclasses import dataclass

from ranker.config.retraining import Retraining, Start
from ranker.documents import read_json, write_json
from ranker.files import write_text
from ranker.registry.manifest import Manifest
from ranker.registry.same_model import StoredModel
from ranker.registry.versions import complete_versions, read_manifest
from ranker.registry.withdrawal import read_withdrawals
from ranker.storage import filesystem_of, join

PLAN_FILE = "plan.json"
STATE_FOLDER = "state"
NO_VERSION = "none"


@dataclass(frozen=True)
class StartPlan:
    """What one training starts from.

    Attributes:
        start: `cold`, `warm` or `incremental`.
        reason: why, as text.
        parent: the version that it continues from; "" for a cold start.
        train_days: number of newest days to train on, which the parent has not seen; None for the full window.
        forest_day: the held-out day of the training that grew the parent's forest; "" for a cold start.
        refresh_forest: whether the parent's forest is refreshed with the rows of `train_days`.
        replay_days: number of days before `train_days` that the towers train on again.
        parent_training: fingerprint of the parent's training; unlike the version, it does not change in a rollback.
        parent_days: every day that the parent was trained on, YYYY-MM-DD; empty for a cold start or if unknown.
    """

    start: Start
    reason: str
    parent: str = ""
    train_days: int | None = None
    forest_day: str = ""
    refresh_forest: bool = False
    replay_days: int = 0
    parent_training: str = ""
    parent_days: tuple[str, ...] = ()

    @property
    def is_cold(self) -> bool:
        """Whether Transform graph, forest and towers are all fitted from scratch."""
        return self.start == "cold"


REQUESTED_COLD_START = StartPlan("cold", "a cold start was requested")
"""The plan for the version "none"."""


def find_parent(push_destination: str, day: date) -> str | None:
    """The newest version that was trained for a day before `day` and was not withdrawn, or None.

    So a day that runs again, for example with another config, has the same parent again, and not the model that its
    first run pushed.
    """
    withdrawn = read_withdrawals(push_destination)
    for version in complete_versions(push_destination):
        model = StoredModel(join(push_destination, version))
        trained_for = _day(model.manifest)
        if trained_for is not None and trained_for < day and withdrawn.of(model) is None:
            return version
    return None


def make_plan(
    push_destination: str, day: date, retraining: Retraining, parts: Mapping[str, str], version: str = ""
) -> StartPlan:
    """Decides what the training for `day` starts from.

    Args:
        push_destination: path or URI of the folder of versions.
        day: the held-out day; the newest training day is the day before.
        retraining: the config.
        parts: readable name → digest of everything that a warm start requires to be unchanged.
        version: the version to continue from; "none" requests a cold start, "" searches for a parent.
    """
    if version == NO_VERSION:
        return REQUESTED_COLD_START
    if retraining.start == "cold":
        return StartPlan("cold", "retraining.start is cold")
    version = version or find_parent(push_destination, day) or ""
    if not version:
        return StartPlan("cold", f"no model has been pushed for a day before {day}")
    return _from_parent(version, read_manifest(push_destination, version) or Manifest(), day, retraining, parts)


def write_plan(folder: str, plan: StartPlan) -> None:
    """Writes the plan into a folder, a path or URI, atomically."""
    write_text(join(folder, PLAN_FILE), write_json(plan))


def read_plan(folder: str) -> StartPlan:
    """Reads what `write_plan` wrote; raises DocumentError where the file is damaged."""
    file = join(folder, PLAN_FILE)
    filesystem, path = filesystem_of(file)
    with filesystem.open_input_file(path) as opened:
        return read_json(StartPlan, opened.read().decode("utf-8", "replace"), file)


def _from_parent(
    version: str, manifest: Manifest, day: date, retraining: Retraining, parts: Mapping[str, str]
) -> StartPlan:
    parent_day, lineage = _day(manifest), manifest.lineage
    forest_day = _date(lineage.forest_day) if lineage is not None else None
    if lineage is None or forest_day is None:
        return StartPlan("cold", f"version {version} has no state to continue training from")
    if parent_day is None or parent_day >= day:
        return StartPlan("cold", f"version {version} was trained for {parent_day}, which is not before {day}")
    if changed := sorted(name for name in {*parts, *lineage.parts} if parts.get(name) != lineage.parts.get(name)):
        return StartPlan("cold", f"changed since version {version}: {', '.join(changed)}")
    age, unseen = (day - forest_day).days, (day - parent_day).days
    if age >= retraining.refit_forest_days:
        return StartPlan("cold", f"the forest of version {version} is {age} days old, and is due to be refitted")
    if unseen > retraining.most_unseen_days:
        return StartPlan("cold", f"version {version} of {parent_day} is {unseen} days behind")
    if retraining.start == "incremental" and not lineage.fisher:
        return StartPlan("cold", f"version {version} has no Fisher information")
    return StartPlan(
        retraining.start,
        f"continues from version {version} of {parent_day}, on the forest of {forest_day}",
        version,
        unseen,
        lineage.forest_day,
        retraining.refresh_forest,
        retraining.replay_days,
        manifest.training_fingerprint,
        tuple(manifest.trained_days),
    )


def _day(manifest: Manifest) -> date | None:
    """The day that a model was trained for, or None if its manifest does not say so."""
    return _date(manifest.eval_day)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
