"""An update of the serving model's random effects, from the newest impressions to a published version.

The update is judged on the newest hours before it is fitted on them. If it is not significantly worse there, it is
published as a new version with the same graph and weights.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from ranker.config.documents import from_json, to_json
from ranker.config.effects import Effects
from ranker.config.pipeline import PipelineConfig
from ranker.effects.gate import LossGate, LossVerdict
from ranker.effects.levels import settings_of
from ranker.effects.settings import effect_settings
from ranker.effects.state import EffectState
from ranker.effects.table import EffectTable
from ranker.effects_update.impressions import NewImpressions
from ranker.effects_update.publishing import NotPublishedError, publish_update
from ranker.export.effect_rows import RowReader, offsets_of
from ranker.export.fitted_effects import DayRows, FittedState, fit_effects, install_effects
from ranker.export.loading import LOAD_ERRORS, load_problem
from ranker.export.names import SERVING_DEFAULT
from ranker.export.raw_features import RawFeatures
from ranker.identity.digest import short_digest
from ranker.plain_text import without_secrets
from ranker.registry.layout import EFFECT_STATE, STATE, TRANSFORM_GRAPH
from ranker.registry.manifest import Manifest
from ranker.registry.versions import find_serving_version, read_manifest
from ranker.scoring.calling import errors_of
from ranker.storage import copy_folder, join

SUMMARY_FILE = "effects.json"
SCRATCH_PREFIX = ".effects-"
"""Begins the name of the folder with the copy of the model; a killed update leaves it behind."""

_MS_PER_HOUR = 3_600_000
_COMPARED_ROWS = 4096


class EffectsUpdateError(ValueError):
    """There is nothing to update: no effects in the config, no model, or a model with other effects."""


@dataclass(frozen=True)
class EffectsSummary:
    """One update of the effects.

    Attributes:
        config: name of the config.
        feed_log: path of the feed log.
        serving: the version that was serving before.
        impressions: that the update was fitted on.
        judged: impressions of the newest hours, on which it was judged before.
        judged_from: when these hours begin, in UTC; "" if there are no new impressions.
        through: milliseconds since 1970; all impressions before are in the effects.
        entities: id column → number of entities with an effect.
        verdicts: on every objective and part of the impressions.
        pushed_model: path of the new version, or None if nothing was published.
        not_pushed: why nothing was published, or None.
    """

    config: str
    feed_log: str
    serving: str
    impressions: int = 0
    judged: int = 0
    judged_from: str = ""
    through: int = 0
    entities: dict[str, int] | None = None
    verdicts: tuple[LossVerdict, ...] = ()
    pushed_model: str | None = None
    not_pushed: str | None = None

    @property
    def refused(self) -> bool:
        """Whether there was something new to learn from, and it was not published."""
        return self.not_pushed is not None and self.judged_from != ""


def update_serving_effects(
    config: PipelineConfig, feed_log: str, destination: str, scratch: Path | None = None
) -> EffectsSummary:
    """Updates the effects of the model that serves, and publishes it.

    Only days that the serving model was not trained on are read: its log-odds are out of sample there.

    Args:
        config: the pipeline's.
        feed_log: path or URI of the feed log.
        destination: path or URI of the folder of versions.
        scratch: an existing folder for the copy of the model; None uses the system's.

    Raises:
        EffectsUpdateError: the config has no effects, no model serves, it is of another config or was exported with
            other effects, or a file of it is missing or damaged.
        FeedLogError: a new day of the feed log is invalid, or the model cannot score a row.
        NotConvergedError: the regression of an entity did not converge.
    """
    if config.effects is None:
        raise EffectsUpdateError(f"the config {config.name!r} has no effects; set PipelineConfig.effects")
    version = find_serving_version(destination)
    if version is None:
        raise EffectsUpdateError(f"{destination}: no model has been pushed whose effects could be updated")
    manifest = read_manifest(destination, version) or Manifest()
    if not manifest.may_be_of(config.name):
        raise EffectsUpdateError(
            f"version {version} at {without_secrets(destination)} is a model of the config {manifest.config_name!r}, "
            f"and not of {config.name!r}"
        )
    settings = effect_settings(config.effects, config.objective_names)
    if settings != _exported_settings(manifest):
        raise EffectsUpdateError(
            f"version {version} was exported with other effects or objectives than the config has; a run of the "
            "complete pipeline trains a model with these"
        )
    with tempfile.TemporaryDirectory(prefix=SCRATCH_PREFIX, dir=scratch) as folder:
        copy_folder(join(destination, version), Path(folder, "model"))
        before = None
        with _complete(version):
            if manifest.effects is not None and manifest.effects.settings == settings:
                before = EffectState.load(str(Path(folder, "model", STATE, EFFECT_STATE)))
            update = _Update(config, config.effects, Path(folder), feed_log, manifest, before)
        return update.run(EffectsSummary(config.name, without_secrets(feed_log), version), destination)


class _Update:
    """An update of a copy of the serving model, in `scratch`/model."""

    def __init__(
        self,
        config: PipelineConfig,
        effects: Effects,
        scratch: Path,
        feed_log: str,
        manifest: Manifest,
        before: EffectState | None,
    ) -> None:
        self._config, self._effects, self._scratch = config, effects, scratch
        self._manifest, self._before = manifest, before
        self._model = scratch / "model"
        graph = str(self._model / STATE / TRANSFORM_GRAPH)
        raw = RawFeatures(config.features, tft.TFTransformOutput(graph).raw_metadata.schema, effects.columns)
        self._reader = RowReader(
            effects, config.features, raw, config.objective_names, config.example_keys.timestamp, graph
        )
        self._impressions = NewImpressions(config, feed_log)

    def run(self, summary: EffectsSummary, destination: str) -> EffectsSummary:
        """Fits, judges and publishes."""
        since = self._before.through if self._before is not None else 0
        found = self._impressions.times(self._manifest.eval_day, since)
        if not found:
            return replace(summary, not_pushed="the feed log has no impressions that are not in the effects already")
        first, last = min(span[0] for span in found.values()), max(span[1] for span in found.values())
        judged_from = _judged_from(first, last, self._effects.gate_hours)
        summary = replace(summary, judged_from=_shown_time(judged_from))
        if judged_from <= first:
            alike = f"all new impressions have the time {_shown_time(first)}, so none can be judged before it is fitted"
            return replace(summary, not_pushed=f"{alike}; log times to the second, or update after more of them")
        with _complete(summary.serving):
            offsets = offsets_of(str(self._model), self._config.objective_names)
        rows = {day.isoformat(): self._impressions.of_day(day, offsets) for day in found}
        candidate = self._fit(rows, self._before, judged_from)
        gate, judged = self._judge(rows, candidate.state, judged_from)
        verdicts = tuple(gate.verdicts(self._config.objective_names, self._effects.max_loss_growth))
        final = self._fit(rows, candidate.state)
        summary = replace(
            summary,
            impressions=candidate.rows + final.rows,
            judged=judged,
            through=final.state.through,
            verdicts=verdicts,
        )
        if refused := [verdict.text for verdict in verdicts if verdict.outcome == "refused"]:
            return replace(summary, not_pushed=f"a gate failed: {'; '.join(refused)}")
        if gate.changed_without_effect:
            problem = f"{gate.changed_without_effect} impressions of entities without an effect have other log-odds"
            return replace(summary, not_pushed=problem)
        rows_compared = min(_COMPARED_ROWS, self._config.serving.max_rows)
        sample = self._impressions.without_ids(next(iter(found)), rows_compared)
        expected = self._probabilities(*sample)
        record = install_effects(
            self._model,
            self._effects,
            self._config.features,
            replace(final, rows=candidate.rows + final.rows),
            prior=summary.serving,
            update=self._identity(final.state, candidate.data, final.data),
        )
        summary = replace(summary, entities=record.entities)
        if not np.array_equal(expected, self._probabilities(*sample)):
            return replace(summary, not_pushed="impressions without ids do not have the same probabilities as before")
        try:
            pushed = publish_update(str(self._model), destination, summary.serving, self._config.retention.models)
        except NotPublishedError as reason:
            return replace(summary, not_pushed=str(reason))
        return replace(summary, pushed_model=pushed)

    def _fit(self, rows: Mapping[str, DayRows], before: EffectState | None, until: int | None = None) -> FittedState:
        names = self._config.objective_names
        fitted = fit_effects(self._reader, self._effects, names, rows, before, self._scratch, until)
        assert fitted is not None, "there are days"
        return fitted

    def _judge(self, rows: Mapping[str, DayRows], candidate: EffectState, since: int) -> tuple[LossGate, int]:
        """The gate with the impressions from `since` on, and their number."""
        layout = self._reader.layout
        served: Sequence[EffectTable] = (
            self._before.tables
            if self._before is not None
            else [EffectTable.empty(len(self._config.objectives), 1 + len(own)) for own in layout.of_level]
        )
        settings = settings_of(self._effects.levels, layout.of_level)
        gate, judged = LossGate(self._effects.levels, settings, served, candidate.tables), 0
        for day in rows.values():
            for examples in day.batches():
                found, _ = self._reader.rows(examples, day.offsets, since)
                if len(found):
                    gate.add(found)
                    judged += len(found)
        return gate, judged

    def _identity(self, state: EffectState, *data: str) -> str:
        """Identifies the update by what it follows from: the model, the effects before, settings and impressions."""
        before = self._manifest.effects
        known = (before.update, str(before.through)) if before is not None else ()
        through = str(state.through)
        return short_digest(
            (self._manifest.training_fingerprint, *known, to_json(self._effects.in_one_process), through, *data)
        )

    def _probabilities(self, place: str, examples: tf.Tensor) -> Any:
        """[objectives, rows], of the copy as it is now."""
        model = tf.saved_model.load(str(self._model))
        with errors_of(place):
            scores = model.signatures[SERVING_DEFAULT](examples=examples)
        return np.stack([scores[name].numpy() for name in self._config.objective_names])


def _judged_from(first: int, last: int, gate_hours: float) -> int:
    """When the hours begin that an update is judged on; all times are in milliseconds.

    Where there are fewer new hours than the gate wants, half of them are for fitting. The newest impressions are always
    judged.

    Example:
        >>> _judged_from(0, 100 * _MS_PER_HOUR - 1, gate_hours=8.0) / _MS_PER_HOUR
        92.0
        >>> _judged_from(0, 4 * _MS_PER_HOUR - 1, gate_hours=8.0) / _MS_PER_HOUR
        2.0
    """
    return last + 1 - max(1, min(int(gate_hours * _MS_PER_HOUR), (last + 1 - first) // 2))


def _shown_time(time: int) -> str:
    return datetime.fromtimestamp(time / 1000, UTC).isoformat(timespec="minutes")


@contextmanager
def _complete(version: str) -> Iterator[None]:
    """Reading a file of the version that is missing or damaged is an EffectsUpdateError."""
    try:
        yield
    except LOAD_ERRORS as error:
        raise EffectsUpdateError(
            f"the effects of version {version} cannot be updated, as it is incomplete, damaged, or has other columns "
            f"than the config: {load_problem(error)}"
        ) from error


def _exported_settings(manifest: Manifest) -> str | None:
    """The settings of the effects that a model was exported with; None if it has none that this version knows."""
    exported = manifest.config.get("effects")
    if exported is None:
        return None
    try:
        effects = from_json(Effects, json.dumps(exported))
    except ValueError:
        return None  # of another version of this project, which had other settings
    return effect_settings(effects, manifest.objectives)
