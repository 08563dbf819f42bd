"""Removes the artifacts of old runs from a working folder."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2

_RUN_CONTEXT = "pipeline_run"
_LOG = logging.getLogger(__name__)


def remove_old_artifacts(connection: metadata_store_pb2.ConnectionConfig, artifacts: Path, keep: int) -> int:
    """Keeps what the newest `keep` runs wrote or took from the cache, and removes everything else.

    Removed artifacts are marked as deleted in the metadata first, so that no cache offers them any more. Summaries,
    logs, reports and pushed models lie elsewhere and are not touched. Must not run beside a run.

    Args:
        connection: the ML Metadata database.
        artifacts: TFX's pipeline root.
        keep: at least 1; a run counts however it ended, so that one that was stopped can go on.

    Returns:
        How many folders were removed.
    """
    store = MetadataStore(connection)
    runs = sorted(store.get_contexts_by_type(_RUN_CONTEXT), key=lambda run: run.create_time_since_epoch)
    kept_executions = {execution.id for run in runs[-keep:] for execution in store.get_executions_by_context(run.id)}
    if len(runs) <= keep or not kept_executions:
        return 0
    kept_artifacts = {event.artifact_id for event in store.get_events_by_execution_ids(sorted(kept_executions))}
    kept = [Path(artifact.uri) for artifact in store.get_artifacts_by_id(sorted(kept_artifacts))]
    # A value artifact is a file inside its execution's folder.
    kept_folders = {folder for path in kept for folder in (path, path.parent)}
    old = [
        artifact
        for artifact in store.get_artifacts()
        if artifact.id not in kept_artifacts and artifact.state == metadata_store_pb2.Artifact.LIVE
    ]
    for artifact in old:
        artifact.state = metadata_store_pb2.Artifact.DELETED
    store.put_artifacts(old)
    oldest_kept = min(kept_executions)
    removed = 0
    for folder in _execution_folders(artifacts):
        # A number from the kept runs on may be of a component that was stopped before it could register anything.
        if int(folder.name) < oldest_kept and folder not in kept_folders:
            shutil.rmtree(folder)
            removed += 1
    _LOG.info("removed %d folders of runs before the newest %d", removed, keep)
    return removed


def _execution_folders(artifacts: Path) -> Iterator[Path]:
    """The folders named by an execution's number: `<component>/<output>/<number>`, and TFX's own beside them."""
    for pattern in ("*/*/*", "*/.system/*/*"):
        for folder in artifacts.glob(pattern):
            if folder.name.isdecimal() and folder.is_dir():
                yield folder
