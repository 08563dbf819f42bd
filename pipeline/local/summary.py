"""The run summary: one JSON file that says what was trained on what, how good it is, and whether it was published."""

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from components.artifacts import EVALUATION_FILE, REPORT_FILE
from pipeline.local.dag_runner import ComponentRun, OutputArtifact, State
from ranker.config.pipeline import PipelineConfig
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.gates import Verdict
from ranker.evaluation.intervals import Estimate
from ranker.evaluation.summary import ObjectiveMetrics
from ranker.identity.training import TrainingIdentity
from ranker.registry.start import StartPlan

# The split or splits whose rows a component goes through.
_ROWS = {
    "FeedLogGen": ("replay", "train", "eval"),
    "StatisticsGen": ("train", "eval"),
    "Transform": ("replay", "train", "eval"),
    "ForestTrainer": ("train",),
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
    counted = {split: artifact.properties.get(f"{split}_rows") for split in ("replay", "train", "eval")}
    return {split: int(rows) for split, rows in counted.items() if rows is not None}


def summarise(
    run_id: str,
    config: PipelineConfig,
    day: date,
    feed_log: Path,
    runs: Sequence[ComponentRun],
    report: Path | None = None,
    start: StartPlan | None = None,
    training: TrainingIdentity | None = None,
) -> dict[str, Any]:
    """The summary of a run.

    Args:
        report: where the run's calibration report was put.
        start: what the training started from.
        training: the identity of the training.

    Returns:
        JSON-ready: `run_id`, `config`, `day`, `feed_log`, `training_fingerprint`, the
        `training` that it is made of, `start` (how the training started and why, and the `parent` that it continued
        from), `status` (`complete` or `failed`), `failure` (component and error,
        or None), `rows` and `rows_per_day`, `missing_days`, `objectives` (per objective `impressions`, `positives`,
        `auc`, `o_over_e`, `normalized_entropy`, their intervals and the `gate`), `gates` (every verdict over all
        impressions, and those on slices that failed), `slice_gates` (how many slice gates ended how), `slices_dropped`
        (kinds of slices with too many values), `baseline` (the model compared with: its `version`, or why it was
        `dropped`), `report` (a path, or None where there is none), `blessed`, `pushed_model` (a path, or None where
        nothing was pushed), `monitoring` (None; `run_day` fills in the `page`, the `alarms` and the `error`), and
        `components` (state, seconds, rows and whether cached, in order).
    """
    failed = next((run for run in runs if run.state is State.FAILED), None)
    rows = split_rows(runs)
    examples = _output(runs, "FeedLogGen", "examples")
    evaluation = evaluation_of(runs)
    return {
        "run_id": run_id,
        "config": config.name,
        "day": day.isoformat(),
        "feed_log": str(feed_log),
        "training_fingerprint": training.fingerprint if training else "",
        "training": asdict(training) if training else None,
        "start": asdict(start) if start else None,
        "status": "failed" if failed else "complete",
        "failure": {"component": failed.component, "error": failed.error} if failed else None,
        "rows": rows,
        "rows_per_day": json.loads(str(examples.properties.get("rows_per_day", "{}"))) if examples else {},
        "missing_days": _missing_days(examples),
        "objectives": _objectives(evaluation) if evaluation else {},
        "gates": [_verdict(verdict) for verdict in evaluation.verdicts] if evaluation else [],
        "slice_gates": evaluation.slice_verdicts if evaluation else {},
        "slices_dropped": [list(columns) for columns in evaluation.slices_dropped] if evaluation else [],
        "baseline": asdict(evaluation.baseline) if evaluation else None,
        "report": str(report) if report else None,
        "blessed": evaluation.blessed if evaluation else None,
        "pushed_model": _pushed_model(runs),
        "monitoring": None,
        "components": [
            {
                "component": run.component,
                "state": run.state.value,
                "cached": run.state is State.CACHED,
                "seconds": round(run.seconds, 3),
                "rows": rows_read(run.component, rows),
            }
            for run in runs
        ],
    }


def write_summary(folder: Path, summary: dict[str, Any]) -> Path:
    """Writes `summary.json` into a run's folder and returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "summary.json"
    aside = folder / ".summary.json.tmp"
    aside.write_text(json.dumps(summary, indent=2) + "\n")
    aside.replace(path)
    return path


def copy_report(folder: Path, runs: Sequence[ComponentRun]) -> Path | None:
    """Copies the calibration report to a run's folder as `report.html`; None where the run has none."""
    artifact = _output(runs, "CalibrationReport", "report")
    if artifact is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f".{REPORT_FILE}.tmp"
    shutil.copyfile(Path(artifact.uri) / REPORT_FILE, aside)
    return aside.replace(folder / REPORT_FILE)


def _output(runs: Sequence[ComponentRun], component: str, key: str) -> OutputArtifact | None:
    for run in runs:
        if run.component == component and run.outputs.get(key):
            return run.outputs[key][0]
    return None


def _missing_days(examples: OutputArtifact | None) -> list[str]:
    listed = str(examples.properties.get("missing_days", "")) if examples else ""
    return [day for day in listed.split(",") if day]


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


def _objectives(evaluation: Evaluation) -> dict[str, dict[str, Any]]:
    objectives = {}
    for name, evaluated in evaluation.objectives.items():
        values = _metrics(evaluated.candidate)
        if evaluated.baseline is not None and evaluated.comparison is not None:
            values["baseline"] = _metrics(evaluated.baseline)
            values |= _bounded("auc_drop", evaluated.comparison.auc_drop)
            values |= _bounded("calibration_worsening", evaluated.comparison.calibration_worsening)
        objectives[name] = {**values, "gate": evaluation.gate(name)}
    return objectives


def _metrics(metrics: ObjectiveMetrics) -> dict[str, Any]:
    return {
        "impressions": metrics.impressions,
        "positives": metrics.positives,
        **_bounded("auc", metrics.auc),
        **_bounded("o_over_e", metrics.o_over_e),
        "o_over_e_variance": _number(metrics.o_over_e_variance),
        "viewer_groups": metrics.viewer_groups,
        "mean_prediction": _number(metrics.mean_prediction),
        "normalized_entropy": _number(metrics.normalized_entropy),
        "log_loss": _number(metrics.log_loss),
        "expected_calibration_error": _number(metrics.expected_calibration_error),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "objective": verdict.objective,
        "slice": verdict.slice,
        "metric": verdict.metric,
        "value": _number(verdict.value),
        "lower": _number(verdict.lower),
        "upper": _number(verdict.upper),
        "limit": list(verdict.limit),
        "outcome": verdict.outcome,
        "passed": verdict.passed,
        "blocking": verdict.blocking,
        "text": verdict.text,
    }


def _bounded(name: str, estimate: Estimate) -> dict[str, float | None]:
    return {
        name: _number(estimate.value),
        f"{name}_lower": _number(estimate.lower),
        f"{name}_upper": _number(estimate.upper),
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _pushed_model(runs: Sequence[ComponentRun]) -> str | None:
    artifact = _output(runs, "Pusher", "pushed_model")
    if artifact is None or artifact.properties.get("pushed") != 1:
        return None
    return str(artifact.properties["pushed_destination"])
