"""Records runs in MLflow's tracking: parameters, metrics, report and model, for those who compare runs there.

MLflow is an extra. The run is complete when it is recorded, so that whatever fails here changes neither the model nor
the exit status.
"""

import contextlib
import importlib.util
import json
import logging
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.local.run_summary import SUMMARY_FILE, RunSummary
from ranker.command_line import explained
from ranker.config.documents import to_json
from ranker.config.names import UTILITY
from ranker.config.pipeline import PipelineConfig
from ranker.plain_text import sentence
from ranker.storage import local_path

MISSING = "MLflow is not installed, so the run was not recorded there; install it with `uv sync --extra mlflow`"

_FILE_STORE = "MLFLOW_ALLOW_FILE_STORE"
_LONGEST_VALUE = 6_000  # characters of a parameter
_LOG = logging.getLogger(__name__)


def record_in_mlflow(place: Path | str, config: PipelineConfig, summary: RunSummary, folder: Path) -> str:
    """Records a run, and says how that went in one sentence; raises nothing.

    Args:
        place: a folder, for MLflow's file store, or the URI of a tracking server.
        config: of the run.
        summary: of the run; a failed run is recorded as one.
        folder: of the run, with its summary and report.
    """
    if importlib.util.find_spec("mlflow") is None:
        return MISSING
    try:
        with _file_store_allowed():
            run_id = _record(place, config, summary, folder)
    except Exception as error:
        _LOG.exception("the run could not be recorded in MLflow")
        return f"the run could not be recorded in MLflow: {sentence(explained(error), 300)}"
    return f"MLflow run {run_id} of experiment {config.name}: {place}"


def parameters_of(config: PipelineConfig, summary: RunSummary) -> dict[str, str]:
    """The config's values by dotted name, and what the training started from."""
    found = {"day": summary.day, "training_fingerprint": summary.training_fingerprint}
    if summary.start is not None:
        found["start"] = summary.start.start
    found.update(_flat("", json.loads(to_json(config))))
    return {name: value[:_LONGEST_VALUE] for name, value in found.items()}


def metrics_of(summary: RunSummary) -> dict[str, float]:
    """Every number that the summary has of the model, by `objective.metric`, and of the run."""
    found: dict[str, Any] = {f"rows.{split}": rows for split, rows in summary.rows.items()}
    for name, objective in summary.objectives.items():
        found.update({f"{_metric_name(name)}.{metric}": value for metric, value in asdict(objective).items()})
    if summary.utility is not None:
        found.update({f"{UTILITY}.{metric}": value for metric, value in asdict(summary.utility).items()})
    found["seconds"] = sum(ran.seconds for ran in summary.components)
    numbers = {name: value for name, value in found.items() if isinstance(value, int | float)}
    return {name: float(value) for name, value in numbers.items() if math.isfinite(value)}


def _record(place: Path | str, config: PipelineConfig, summary: RunSummary, folder: Path) -> str:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=place if isinstance(place, str) else place.resolve().as_uri())
    experiment = client.get_experiment_by_name(config.name)
    experiment_id = experiment.experiment_id if experiment is not None else client.create_experiment(config.name)
    run_id: str = client.create_run(experiment_id, run_name=summary.run_id).info.run_id
    status = "FAILED"
    try:
        for name, value in parameters_of(config, summary).items():
            client.log_param(run_id, name, value)
        for name, number in metrics_of(summary).items():
            client.log_metric(run_id, name, number)
        for name, tag in _tags(summary).items():
            client.set_tag(run_id, name, tag)
        for file in (folder / SUMMARY_FILE, *([Path(summary.report)] if summary.report else [])):
            client.log_artifact(run_id, str(file))
        if summary.tensorboard is not None:
            client.log_artifacts(run_id, summary.tensorboard, "tensorboard")
        model = local_path(summary.pushed_model) if summary.pushed_model is not None else None
        if model is not None:
            client.log_artifacts(run_id, str(model), "model")
        status = "FINISHED" if summary.status == "complete" else "FAILED"
    finally:
        client.set_terminated(run_id, status)
    return run_id


def _tags(summary: RunSummary) -> dict[str, str]:
    tags: dict[str, Any] = {
        "feed_log": summary.feed_log,
        "blessed": summary.blessed,
        "pushed_model": summary.pushed_model,
        "not_pushed": summary.not_pushed,
        "failure": summary.failure.error if summary.failure is not None else None,
        "baseline": summary.baseline.version if summary.baseline is not None else None,
    }
    return {name: str(value) for name, value in tags.items() if value is not None}


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flat(f"{prefix}.{name}" if prefix else str(name), inner)
    else:
        yield _metric_name(prefix), value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _metric_name(text: str) -> str:
    """The text with the characters that MLflow allows in names: letters, digits, and `_-./ :`."""
    return "".join(character if character.isalnum() or character in "_-./ :" else "_" for character in text)


@contextlib.contextmanager
def _file_store_allowed() -> Iterator[None]:
    """Lets MLflow open a file store: since MLflow 3 it refuses one unless this variable is set."""
    before = os.environ.get(_FILE_STORE)
    os.environ[_FILE_STORE] = "true"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_FILE_STORE]
        else:
            os.environ[_FILE_STORE] = before
