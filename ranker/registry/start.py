"""Decides whether a day is a cold start or continues from a pushed model, and from which one.

The decision depends only on the day, the config and the manifests at the push destination. So every orchestrator makes
the same decision, and so does a run that is restarted.
"""

from collections.abc import Mapping
from datetime import date

from ranker.config.retraining import Retraining
from ranker.registry.manifest import Manifest
from ranker.registry.plan import StartPlan
from ranker.registry.same_model import StoredModel
from ranker.registry.versions import complete_versions, read_manifest
from ranker.registry.withdrawal import read_withdrawals
from ranker.storage import join

NO_VERSION = "none"

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
        newest = next(iter(complete_versions(push_destination)), None)
        unread = newest is not None and read_manifest(push_destination, newest) is None
        why = f"; the manifest of version {newest} is missing, damaged or of a newer version of this project"
        return StartPlan("cold", f"no model has been pushed for a day before {day}{why if unread else ''}")
    return _from_parent(version, read_manifest(push_destination, version) or Manifest(), day, retraining, parts)


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
        retraining.added_rounds if retraining.refresh_forest else 0,
        retraining.added_learning_rate_fraction,
    )


def _day(manifest: Manifest) -> date | None:
    """The day that a model was trained for, or None if its manifest does not say so."""
    return _date(manifest.eval_day)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
