"""Updates the random effects of the serving model with the newest impressions: a clock of its own, without a training.

The update is judged on the newest hours before it is fitted on them. If it is not significantly worse there, it is
published as a new version with the same graph and weights.
"""

import json
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf
import tensorflow_transform as tft
from rich.console import Console

from pipeline.local.run_summary import DONE, NOT_BLESSED
from pipeline.local.workdir import Workdir
from ranker.command_line import UsageError, in_markup
from ranker.config.documents import from_json, to_json
from ranker.config.effects import Effects
from ranker.config.pipeline import PipelineConfig
from ranker.documents import write_json
from ranker.effects.gate import LossGate, LossVerdict
from ranker.effects.levels import settings_of
from ranker.effects.settings import effect_settings
from ranker.effects.state import EffectState
from ranker.effects.table import EffectTable
from ranker.export.effect_rows import BATCH_ROWS, RowReader, offsets_of
from ranker.export.fitted_effects import DayRows, FittedState, fit_effects, install_effects
from ranker.export.names import SERVING_DEFAULT
from ranker.export.raw_features import RawFeatures
from ranker.feed_log.columns import LogColumns, columns_of
from ranker.feed_log.layout import list_days
from ranker.feed_log.planning import plan_day
from ranker.feed_log.reading import read_unit
from ranker.feed_log.tf_example import encode_examples
from ranker.files import write_text
from ranker.identity.digest import short_digest
from ranker.plain_text import without_secrets
from ranker.registry.layout import EFFECT_STATE, STATE, TRANSFORM_GRAPH
from ranker.registry.manifest import Manifest
from ranker.registry.publishing import publish
from ranker.registry.retention import remove_old_versions
from ranker.registry.same_model import StoredModel
from ranker.registry.versions import find_serving_version, read_manifest
from ranker.registry.withdrawal import read_withdrawals
from ranker.storage import copy_folder, join

SUMMARY_FILE = "effects.json"

_MS_PER_HOUR = 3_600_000
_COMPARED_ROWS = 4096

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class EffectsSummary:
    """One update of the effects.

    Attributes:
        config: name of the config.
        feed_log: path of the feed log.
        serving: the version that was serving before.
        impressions: that the update was fitted on.
        judged: impressions of the newest hours, on which it was judged before.
        judged_from: when these hours begin, in UTC.
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


def update_effects(
    config: PipelineConfig, workdir: Workdir, feed_log: str | Path, run_id: str, console: Console
) -> int:
    """Updates the effects of the serving model, and writes the summary `effects.json` into the run's folder.

    Only days that the serving model was not trained on are read: its log-odds are out of sample there.

    Args:
        config: the pipeline's.
        workdir: the working folder, locked.
        feed_log: path or URI of the feed log.
        run_id: name of the folder for the summary.
        console: shows the outcome.

    Returns:
        The exit status: 0 published, or nothing new to learn from; 3 not published, because a gate failed or a rollback
        withdrew the update.

    Raises:
        UsageError: the config has no effects, no model serves, or it was exported with other effects.
        FeedLogError: a new day of the feed log is invalid.
    """
    if config.effects is None:
        raise UsageError(f"--effects: the config {config.name!r} has no effects; set PipelineConfig.effects")
    destination = workdir.push_destination
    version = find_serving_version(destination)
    if version is None:
        raise UsageError(f"--effects: {destination}: no model has been pushed whose effects could be updated")
    manifest = read_manifest(destination, version) or Manifest()
    settings = effect_settings(config.effects, config.objective_names)
    if settings != _exported_settings(manifest):
        raise UsageError(
            f"--effects: version {version} was exported with other effects or objectives than the config has; a run "
            "without --effects trains a model with these"
        )
    with tempfile.TemporaryDirectory(prefix=".effects-", dir=workdir.root) as scratch:
        copy_folder(join(destination, version), Path(scratch, "model"))
        before = None
        if manifest.effects is not None and manifest.effects.settings == settings:
            before = EffectState.load(str(Path(scratch, "model", STATE, EFFECT_STATE)))
        update = _Update(config, config.effects, Path(scratch), feed_log, manifest, before)
        summary = update.run(EffectsSummary(config.name, str(feed_log), version), destination)
    folder = workdir.run(run_id)
    write_text(folder / SUMMARY_FILE, write_json(summary, indent=2) + "\n")
    _print(summary, console)
    console.print(f"summary: {in_markup(folder / SUMMARY_FILE)}", soft_wrap=True, highlight=False)
    return NOT_BLESSED if summary.not_pushed is not None and summary.judged else DONE


class _Update:
    """An update of a copy of the serving model, in `scratch`/model."""

    def __init__(
        self,
        config: PipelineConfig,
        effects: Effects,
        scratch: Path,
        feed_log: str | Path,
        manifest: Manifest,
        before: EffectState | None,
    ) -> None:
        self._config, self._effects, self._scratch, self._feed_log = config, effects, scratch, feed_log
        self._manifest, self._before = manifest, before
        self._model = scratch / "model"
        graph = str(self._model / STATE / TRANSFORM_GRAPH)
        raw = RawFeatures(config.features, tft.TFTransformOutput(graph).raw_metadata.schema, effects.columns)
        self._reader = RowReader(
            effects, config.features, raw, config.objective_names, config.example_keys.timestamp, graph
        )
        self._columns = columns_of(
            config.objectives, config.features, config.keys, config.timestamps, ids=config.id_columns
        )

    def run(self, summary: EffectsSummary, destination: str) -> EffectsSummary:
        """Fits, judges and publishes."""
        since = self._before.through if self._before is not None else 0
        days = [day for day in list_days(self._feed_log) if day.isoformat() >= self._manifest.eval_day]
        found = {day: span for day in days if (span := self._times(day, since)) is not None}
        if not found:
            return replace(summary, not_pushed="the feed log has no impressions that are not in the effects already")
        first, last = min(span[0] for span in found.values()), max(span[1] for span in found.values())
        # Where there are fewer new hours than the gate wants, half of them are for fitting.
        judged_from = last + 1 - min(int(self._effects.gate_hours * _MS_PER_HOUR), (last + 1 - first) // 2)
        offsets = offsets_of(str(self._model), self._config.objective_names)
        rows = {day.isoformat(): DayRows(partial(self._batches, day), offsets) for day in found}
        candidate = self._fit(rows, self._before, judged_from)
        gate, judged = self._judge(rows, candidate.state, judged_from)
        verdicts = tuple(gate.verdicts(self._config.objective_names, self._effects.max_loss_growth))
        final = self._fit(rows, candidate.state)
        summary = replace(
            summary,
            impressions=candidate.rows + final.rows,
            judged=judged,
            judged_from=datetime.fromtimestamp(judged_from / 1000, UTC).isoformat(timespec="minutes"),
            through=final.state.through,
            verdicts=verdicts,
        )
        if refused := [verdict.text for verdict in verdicts if verdict.outcome == "refused"]:
            return replace(summary, not_pushed=f"a gate failed: {'; '.join(refused)}")
        if gate.changed_without_effect:
            problem = f"{gate.changed_without_effect} impressions of entities without an effect have other log-odds"
            return replace(summary, not_pushed=problem)
        sample = self._without_ids(next(iter(found)))
        expected = self._probabilities(sample)
        record = install_effects(
            self._model,
            self._effects,
            self._config.features,
            replace(final, rows=candidate.rows + final.rows),
            prior=summary.serving,
            update=self._identity(final.state, candidate.data, final.data),
        )
        summary = replace(summary, entities=record.entities)
        if not np.array_equal(expected, self._probabilities(sample)):
            return replace(summary, not_pushed="impressions without ids do not have the same probabilities as before")
        withdrawal = read_withdrawals(destination).of(StoredModel(str(self._model)))
        if withdrawal is not None:
            return replace(summary, not_pushed=f"a rollback withdrew this update, version {withdrawal.version}")
        pushed = publish(str(self._model), destination)
        try:
            remove_old_versions(destination, self._config.retention.models)
        except OSError as error:
            # The update is published; the next push removes the old versions.
            _LOG.warning("%s: old versions could not be removed: %s", destination, error)
        return replace(summary, pushed_model=without_secrets(join(destination, pushed)))

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
        return short_digest((self._manifest.training_fingerprint, *known, to_json(self._effects), through, *data))

    def _times(self, day: date, since: int) -> tuple[int, int] | None:
        """The first and the last time of a day's impressions from `since` on, in milliseconds since 1970."""
        timestamp = LogColumns(
            tuple(column for column in self._columns.columns if column.name == self._config.example_keys.timestamp),
            self._columns.timestamps,
        )
        first, last = None, None
        for unit in plan_day(self._feed_log, day, timestamp):
            for batch in read_unit(unit, timestamp.columns):
                times = batch.column(0).flatten().to_numpy()
                new = times[times >= since]
                if len(new):
                    first = min(int(new.min()), first if first is not None else int(new.min()))
                    last = max(int(new.max()), last if last is not None else int(new.max()))
        return (first, last) if first is not None and last is not None else None

    def _tables(self, day: date) -> Iterator[pa.RecordBatch]:
        for unit in plan_day(self._feed_log, day, self._columns):
            yield from read_unit(unit, self._columns.columns, BATCH_ROWS)

    def _batches(self, day: date) -> Iterator[tf.Tensor]:
        for batch in self._tables(day):
            yield tf.constant(encode_examples(batch).to_numpy(zero_copy_only=False))

    def _without_ids(self, day: date) -> tf.Tensor:
        """Examples of a day's first impressions, without the ids of effects."""
        batch = next(self._tables(day)).slice(0, min(_COMPARED_ROWS, self._config.serving.max_rows))
        kept = [name for name in batch.schema.names if name not in self._effects.columns]
        return tf.constant(encode_examples(batch.select(kept)).to_numpy(zero_copy_only=False))

    def _probabilities(self, examples: tf.Tensor) -> Any:
        """[objectives, rows], of the copy as it is now."""
        scores = tf.saved_model.load(str(self._model)).signatures[SERVING_DEFAULT](examples=examples)
        return np.stack([scores[name].numpy() for name in self._config.objective_names])


def _exported_settings(manifest: Manifest) -> str | None:
    """The settings of the effects that a model was exported with; None if it has none."""
    exported = manifest.config.get("effects")
    if exported is None:
        return None
    return effect_settings(from_json(Effects, json.dumps(exported)), manifest.objectives)


def _print(summary: EffectsSummary, console: Console) -> None:
    if summary.judged:
        console.print(
            f"effects of version {summary.serving}: {summary.impressions:,} new impressions; judged on the "
            f"{summary.judged:,} from {summary.judged_from} on before they were fitted",
            soft_wrap=True,
            highlight=False,
        )
        for verdict in summary.verdicts:
            if verdict.part == "all" or verdict.outcome == "refused":
                console.print(in_markup(verdict.text), soft_wrap=True, highlight=False)
    if summary.pushed_model is not None:
        console.print(f"effects updated, pushed to {in_markup(summary.pushed_model)}", soft_wrap=True, highlight=False)
    else:
        console.print(
            f"nothing was published: {in_markup(str(summary.not_pushed))}; version {in_markup(summary.serving)} "
            "continues to serve",
            soft_wrap=True,
            highlight=False,
        )
