"""Makes the run summary from what the components left, and copies the report into the folder of the run."""

import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from components.artifacts import (
    EVALUATION_FILE,
    FEED_LOG_WARNINGS,
    HISTORY_FILE,
    MISSING_DAYS,
    NOT_PUSHED,
    REPORT_FILE,
    ROWS_PER_DAY,
    TENSORBOARD_FOLDER,
    TRAINING_CURVE_FILE,
    days_of,
    rows_of,
    rows_property,
)
from pipeline.local.dag_runner import ComponentRun, OutputArtifact, State
from pipeline.local.run_summary import ComponentSummary, Failure, RunSummary, TrainingLength
from pipeline.local.summarising import summarise_gates, summarise_objectives, summarise_utility
from ranker.config.pipeline import PipelineConfig
from ranker.evaluation.evaluation import Evaluation
from ranker.files import write_bytes
from ranker.forest.curve import TrainingCurve
from ranker.identity.recipe import judging_fingerprint
from ranker.identity.training import TrainingIdentity
from ranker.plain_text import without_secrets
from ranker.registry.plan import StartPlan
from ranker.towers.history import TrainingHistory

# The split or splits whose rows a component goes through.
_ROWS = {
    "FeedLogGen": ("replay", "train", "eval"),
    "StatisticsGen": ("train", "eval"),
    "Transform": ("replay", "train", "eval"),
    "ForestTrainer": ("replay", "train"),
    "LeafEncoder": ("replay", "train", "eval"),
    "TowerTrainer": ("replay", "train"),
    "Evaluator": ("eval",),
}


def rows_read(component: str, rows: dict[str, int]) -> int | None:
    """Rows that the component goes through, by the split sizes `rows`; None where it reads none."""
    splits = _ROWS.get(component)
    return sum(rows.get(split, 0) for split in splits) if splits and rows else None


def split_rows(runs: Sequence[ComponentRun]) -> dict[str, int]:
    """Rows per split, as FeedLogGen counted them, `replay` only where days were replayed; empty before it has run."""
    artifact = _output(runs, "FeedLogGen", "examples")
    if artifact is None:
        return {}
    counted = {split: artifact.properties.get(rows_property(split)) for split in ("replay", "train", "eval")}
    return {split: int(rows) for split, rows in counted.items() if rows is not None}


def summarise(
    run_id: str,
    config: PipelineConfig,
    day: date,
    feed_log: str | Path,
    runs: Sequence[ComponentRun],
    report: Path | None = None,
    start: StartPlan | None = None,
    training: TrainingIdentity | None = None,
) -> RunSummary:
    """The summary of a run, without the health of its day, which is added once it is known.

    Args:
        report: where the run's calibration report was put.
        start: what the training started from.
        training: the identity of the training.
    """
    failed = next((run for run in runs if run.state is State.FAILED), None)
    rows = split_rows(runs)
    examples = _output(runs, "FeedLogGen", "examples")
    evaluation = evaluation_of(runs)
    return RunSummary(
        run_id=run_id,
        config=config.name,
        day=day.isoformat(),
        feed_log=without_secrets(str(feed_log)),
        status="failed" if failed else "complete",
        training_fingerprint=training.fingerprint if training else "",
        training=training,
        start=start,
        failure=Failure(failed.component, failed.error) if failed else None,
        rows=rows,
        rows_per_day=rows_of(str(examples.properties.get(ROWS_PER_DAY, ""))) if examples else {},
        missing_days=_missing_days(examples),
        feed_log_warnings=tuple(str(examples.properties.get(FEED_LOG_WARNINGS, "")).splitlines()) if examples else (),
        training_length=training_length(runs),
        training_notes=training_notes(runs),
        objectives=summarise_objectives(evaluation) if evaluation else {},
        utility=summarise_utility(evaluation) if evaluation else None,
        gates=summarise_gates(evaluation.verdicts) if evaluation else (),
        slice_gates=evaluation.slice_verdicts if evaluation else {},
        slices_dropped=tuple(evaluation.slices_dropped) if evaluation else (),
        held_out_day=evaluation.day if evaluation else None,
        leaks=evaluation.leaks if evaluation else (),
        baseline=evaluation.baseline if evaluation else None,
        report=str(report) if report else None,
        blessed=evaluation.blessed if evaluation else None,
        pushed_model=_pushed_model(runs),
        not_pushed=_not_pushed(runs),
        judging=judging_fingerprint(config),
        components=tuple(
            ComponentSummary(
                component=run.component,
                state=run.state.value,
                cached=run.state is State.CACHED,
                seconds=round(run.seconds, 3),
                rows=rows_read(run.component, rows),
                cpu_seconds=round(run.cpu_seconds, 3),
                peak_memory=None if run.state is State.CACHED else run.peak_memory,
            )
            for run in runs
        ),
    )


def copy_report(folder: Path, runs: Sequence[ComponentRun]) -> Path | None:
    """Copies the calibration report to a run's folder as `report.html`; None where the run has none."""
    artifact = _output(runs, "CalibrationReport", "report")
    if artifact is None:
        return None
    copy = folder / REPORT_FILE
    write_bytes(copy, (Path(artifact.uri) / REPORT_FILE).read_bytes())
    return copy


def copy_tensorboard(folder: Path, runs: Sequence[ComponentRun]) -> Path | None:
    """Copies the event files of the towers' training to a run's folder; None where the run has none.

    Artifacts of old runs are removed; what a summary names stays.
    """
    artifact = _output(runs, "TowerTrainer", "model_run")
    events = Path(artifact.uri) / TENSORBOARD_FOLDER if artifact is not None else None
    if events is None or not events.is_dir():
        return None
    copy = folder / TENSORBOARD_FOLDER
    shutil.copytree(events, copy, dirs_exist_ok=True)
    return copy


def _output(runs: Sequence[ComponentRun], component: str, key: str) -> OutputArtifact | None:
    for run in runs:
        if run.component == component and run.outputs.get(key):
            return run.outputs[key][0]
    return None


def _missing_days(examples: OutputArtifact | None) -> tuple[str, ...]:
    listed = str(examples.properties.get(MISSING_DAYS, "")) if examples else ""
    return days_of(listed)


def evaluation_of(runs: Sequence[ComponentRun]) -> Evaluation | None:
    """What the Evaluator found; None where it has not run.

    Raises:
        DocumentError: its file is damaged.
    """
    artifact = _output(runs, "Evaluator", "evaluation")
    if artifact is None:
        return None
    path = Path(artifact.uri) / EVALUATION_FILE
    return Evaluation.from_json(path.read_text(), str(path))


def training_notes(runs: Sequence[ComponentRun]) -> tuple[str, ...]:
    """The notes of the forest's training; none where the forest is that of an earlier day.

    Raises:
        DocumentError: its file is damaged.
    """
    artifact = _output(runs, "ForestTrainer", "forest")
    path = Path(artifact.uri) / TRAINING_CURVE_FILE if artifact else None
    if path is None or not path.exists():
        return ()
    return TrainingCurve.from_json(path.read_text(), str(path)).notes()


def training_length(runs: Sequence[ComponentRun]) -> TrainingLength | None:
    """How long the towers were trained; None if they were not.

    Raises:
        DocumentError: its file is damaged.
    """
    artifact = _output(runs, "TowerTrainer", "model_run")
    path = Path(artifact.uri) / HISTORY_FILE if artifact else None
    if path is None or not path.exists():
        return None
    history = TrainingHistory.from_json(path.read_text(), str(path))
    return TrainingLength(history.steps, history.epochs, history.batch_size)


def _pushed_model(runs: Sequence[ComponentRun]) -> str | None:
    artifact = _output(runs, "Pusher", "pushed_model")
    if artifact is None or artifact.properties.get("pushed") != 1:
        return None
    return without_secrets(str(artifact.properties["pushed_destination"]))


def _not_pushed(runs: Sequence[ComponentRun]) -> str | None:
    artifact = _output(runs, "Pusher", "pushed_model")
    return str(artifact.properties.get(NOT_PUSHED) or "") or None if artifact is not None else None
