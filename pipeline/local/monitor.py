"""The health of a day, recorded by every run and by `--monitor`; needs no TFX."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from rich.console import Console

from pipeline.local.console import print_alarms
from pipeline.local.day_reading import ModelError, profile_day, score_day
from pipeline.local.run_summary import RunSummary
from pipeline.local.workdir import Workdir
from ranker.command_line import in_markup
from ranker.config.documents import to_json
from ranker.config.pipeline import PipelineConfig
from ranker.config.rows import Rows
from ranker.evaluation.baseline import Baseline
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.printed import observed_notes
from ranker.evaluation.scores import ScoreHistogram
from ranker.evaluation.sessions import session_notes
from ranker.evaluation.summary import BASELINE, CANDIDATE, Model
from ranker.feed_log.fingerprint import KnownDigests, source_fingerprint
from ranker.feed_log.layout import FeedLogError, day_files, parse_day, reference_days, window_days
from ranker.identity.digest import short_digest
from ranker.monitoring.drift import feature_health
from ranker.monitoring.history import HealthHistory, HistoryError
from ranker.monitoring.outcomes import outcome_health, score_health
from ranker.monitoring.profile import DayProfile
from ranker.monitoring.rankings import day_rankings
from ranker.monitoring.record import DayRecord, Source
from ranker.registry.manifest import Manifest
from ranker.registry.versions import find_serving_version, read_manifest
from ranker.reports.monitor.page import monitor_page
from ranker.storage import join, parent_and_name

__all__ = ["ALARM", "DONE", "FeedLogError", "HistoryError", "ModelError", "monitor_day", "record_run"]

DONE, ALARM = 0, 4

_NO_SCORES = "the scores are not compared: no earlier day of the serving model is recorded"


def monitor_day(config: PipelineConfig, workdir: Workdir, feed_log: str | Path, day: date, console: Console) -> int:
    """Scores a logged day with the serving model, records its health and renders the page. Trains nothing.

    Returns:
        The exit status: 0 if everything is within its limits, 4 if not; then a line per alarm is printed.

    Raises:
        FeedLogError: the day is missing in the feed log, or invalid.
        ModelError: no model is serving, or it does not match the config.
        HistoryError: a file of the history is damaged.
    """
    version = find_serving_version(workdir.push_destination)
    if version is None:
        raise ModelError(f"{workdir.push_destination}: no model is serving yet; run without --monitor to train one")
    history = HealthHistory(workdir.monitoring)
    manifest = read_manifest(workdir.push_destination, version)
    if manifest is None or not (manifest.eval_day and manifest.training_fingerprint):
        raise ModelError(f"{join(workdir.push_destination, version)}: there is no manifest with its day and training")
    try:
        evaluated_on = parse_day(manifest.eval_day)
    except FeedLogError as error:
        raise ModelError(f"{join(workdir.push_destination, version)}: eval_day of its manifest: {error}") from None
    with console.status(f"scoring {day} with version {version}"):
        warnings: list[str] = []
        profile, evaluation = score_day(config, feed_log, day, join(workdir.push_destination, version), warnings.append)
        digests = KnownDigests.load(workdir.digests)
        history.write_profile(day, profile, _content(config, feed_log, day, digests))
        window = _window(config, history, feed_log, digests, evaluated_on, day)
    seen = f"the model was evaluated on {evaluated_on}, so it may have seen {day}" if day < evaluated_on else ""
    if seen:
        warnings.append(seen)
    notes = list(warnings)
    usual = history.scores(manifest.training_fingerprint)
    if usual is None:
        notes.append(_NO_SCORES)
    record = _record(config, day, "monitor", version, (evaluation, CANDIDATE), profile, window, usual, notes)
    _keep(config, history, record)
    print_alarms(record.day, record.alarms, console)
    for warning in warnings:
        console.print(f"[yellow]warning:[/] {in_markup(warning)}", soft_wrap=True, highlight=False)
    if not record.alarms:
        console.print(f"[green]in order:[/] {day}, {record.rows:,} impressions, version {version}", highlight=False)
    console.print(f"monitor: {in_markup(history.page)}", soft_wrap=True, highlight=False)
    return ALARM if record.alarms else DONE


def record_run(
    config: PipelineConfig,
    workdir: Workdir,
    feed_log: str | Path,
    day: date,
    summary: RunSummary,
    evaluation: Evaluation,
) -> DayRecord:
    """Records the health of the day that a run evaluated on, for the model that served on that day.

    That is the model that served before the run, also if the run pushed a new one: its probabilities were the ones that
    viewers' candidates were ranked by, and its scores are compared with those on the day that it was evaluated on. So
    the series continue across daily pushes. The first model, and one without a comparison with the model that served,
    is recorded itself, and its scores are compared with none.

    Args:
        summary: the run summary.
        evaluation: the Evaluator's document.

    Raises:
        FeedLogError: a day of the reference window is invalid.
        HistoryError: a file of the history is damaged.
    """
    history = HealthHistory(workdir.monitoring)
    baseline = summary.baseline or Baseline()
    before = baseline.version or ""
    # The baseline is not always the model that serves; see `ranker.registry.baseline`.
    served = evaluation.compared and baseline.reason is None
    model = BASELINE if served else CANDIDATE
    pushed = parent_and_name(summary.pushed_model)[1] if summary.pushed_model else ""
    digests = KnownDigests.load(workdir.digests)
    profile = _profile(config, history, feed_log, digests, day)
    # As in FeedLogGen, whose profiles the run was validated with: only days that the feed log has.
    days = reference_days(day, config.train_days)
    window = [_profile(config, history, feed_log, digests, d) for d in days if day_files(feed_log, d)]
    if model == CANDIDATE:
        version, usual = pushed, None
        notes = [f"the scores are not compared: the model is new, and {day} is the day it was evaluated on"]
    else:
        manifest = read_manifest(workdir.push_destination, before) or Manifest()
        version, usual = before, history.scores(manifest.training_fingerprint)
        notes = [] if usual else [_NO_SCORES]
    record = _record(config, day, "run", version, (evaluation, model), profile, window, usual, notes)
    if pushed:
        history.write_scores(
            summary.training_fingerprint,
            {name: curves.candidate.scores for name, curves in evaluation.curves.items()},
        )
    _keep(config, history, record)
    return record


def _record(
    config: PipelineConfig,
    day: date,
    source: Source,
    version: str,
    evaluated: tuple[Evaluation, Model],
    profile: DayProfile,
    window: Sequence[DayProfile],
    usual_scores: Mapping[str, ScoreHistogram] | None,
    notes: Sequence[str],
) -> DayRecord:
    evaluation, model = evaluated
    limits = config.monitoring
    missing = []
    if len(window) < 2:
        missing.append(f"drift has no limits: they need two days of the reference window, and there are {len(window)}")
    missing += [f"slices by {' × '.join(s)} were left out: too many values" for s in evaluation.slices_dropped]
    missing += observed_notes({name: evaluation.observed(name) for name in evaluation.objectives})
    missing += session_notes(evaluation.sessions.share, evaluation.sessions.impressions_without)
    return DayRecord(
        day=day.isoformat(),
        source=source,
        version=version,
        rows=profile.rows,
        confidence=evaluation.confidence,
        outcomes=tuple(outcome_health(evaluation, model, limits)),
        features=tuple(feature_health(profile, window, limits)) if window else (),
        scores=tuple(score_health(evaluation, model, usual_scores, limits)),
        rankings=tuple(day_rankings(evaluation, model)),
        notes=(*notes, *missing),
    )


def _keep(config: PipelineConfig, history: HealthHistory, record: DayRecord) -> None:
    history.write_day(record)
    history.write_page(monitor_page(config.name, history.days()))


def _window(
    config: PipelineConfig,
    history: HealthHistory,
    feed_log: str | Path,
    digests: KnownDigests,
    evaluated_on: date,
    day: date,
) -> list[DayProfile]:
    """The profiles of the reference window of a model evaluated on a day, without days that are neither logged nor
    recorded.
    """
    profiles = []
    for training_day in reference_days(evaluated_on, config.train_days):
        if training_day != day and (profile := _known(config, history, feed_log, digests, training_day)) is not None:
            profiles.append(profile)
    return profiles


def _known(
    config: PipelineConfig, history: HealthHistory, feed_log: str | Path, digests: KnownDigests, day: date
) -> DayProfile | None:
    """A day's profile; if the day was removed from the log, the recorded one, or None."""
    if day_files(feed_log, day) is not None:
        return _profile(config, history, feed_log, digests, day)
    return history.profile(day, config.features)


def _profile(
    config: PipelineConfig, history: HealthHistory, feed_log: str | Path, digests: KnownDigests, day: date
) -> DayProfile:
    content = _content(config, feed_log, day, digests)
    found = history.profile(day, config.features, content)
    if found is None:
        found = profile_day(config, feed_log, day)
        history.write_profile(day, found, content)
    return found


def _read_for(config: PipelineConfig, day: date) -> list[date]:
    """The days that a day's profile depends on: itself, and those of its histories."""
    return window_days(day, config.features.history_days)


def _content(config: PipelineConfig, feed_log: str | Path, day: date, digests: KnownDigests) -> str:
    """A fingerprint of what a day's profile follows from: data, conditions on rows, and columns of other names."""
    data = source_fingerprint(feed_log, _read_for(config, day), digests)
    renamed = {column.name: column.source for column in config.features.columns if column.source != column.name}
    if not config.rows.where and not renamed:
        return data
    return short_digest((data, to_json(Rows(where=config.rows.where)), json.dumps(renamed, sort_keys=True)))
