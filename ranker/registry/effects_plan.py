"""Decides which pushed models a fit of random effects reads: for offsets, and to continue from.

The offset of an impression must not come from a model that was trained on it. Such a model has learnt part of what the
entity did there, and too little would be left for its effect.
"""

from collections.abc import Collection, Iterable
from datetime import date

from pydantic.dataclasses import dataclass

from ranker.config.columns import Features
from ranker.registry.histories import redefined_histories
from ranker.registry.manifest import Manifest
from ranker.registry.same_model import StoredModel
from ranker.registry.versions import complete_versions
from ranker.registry.withdrawal import read_withdrawals
from ranker.storage import join


@dataclass(frozen=True)
class EffectsPlan:
    """The pushed versions that a fit reads.

    Attributes:
        offsets: day, YYYY-MM-DD → the version whose log-odds are the offsets of the day's impressions; days before any
            pushed model are left out.
        prior: the version whose effects are continued; "" starts from none.
    """

    offsets: dict[str, str]
    prior: str = ""


def plan_effects(
    push_destination: str,
    held_out: date,
    days: Iterable[date],
    settings: str,
    objectives: Collection[str],
    columns: Collection[str],
    features: Features,
) -> EffectsPlan:
    """Plans the fit for a training.

    A day's offsets are those of the newest model that was trained for that day or an earlier one: its training days end
    before. A model that lacks an objective, reads a column that is not there any more, or a history with
    another definition, gives none. The effects continued are the newest ones that no impression of the held-out day has
    entered.

    Args:
        push_destination: path or URI of the folder of versions; it need not exist.
        held_out: the day that the training holds out.
        days: the days whose impressions are fitted.
        settings: fingerprint of the settings that coefficients depend on.
        objectives: of the training.
        columns: that the training's impressions have.
        features: of the training; they define its histories.
    """
    withdrawn = read_withdrawals(push_destination)
    models = {
        version: model
        for version in complete_versions(push_destination)
        if (model := StoredModel(join(push_destination, version))).manifest.eval_day and withdrawn.of(model) is None
    }
    scoring = {
        version: model.manifest.eval_day
        for version, model in models.items()
        if set(objectives) <= set(model.manifest.objectives)
        and _read(model.manifest) <= set(columns)
        and not redefined_histories(model.manifest, features)
    }
    offsets = {}
    for day in sorted(days):
        before = (version for version, eval_day in scoring.items() if eval_day <= day.isoformat())
        if (found := next(before, None)) is not None:
            offsets[day.isoformat()] = found
    prior = ""
    for version, model in models.items():
        effects = model.manifest.effects
        if effects is None or effects.settings != settings or model.manifest.eval_day >= held_out.isoformat():
            continue
        if max(effects.days, default="") < held_out.isoformat():
            prior = version
            break
    return EffectsPlan(offsets, prior)


def _read(manifest: Manifest) -> set[str]:
    """The columns that a model reads for its log-odds without effects."""
    levels = manifest.config.get("effects", {}).get("levels", [])
    return set(manifest.input_names) - {level["column"] for level in levels}
