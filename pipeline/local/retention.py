"""Removes the artifacts of old runs from a working folder."""

import logging
from collections.abc import Iterator
from pathlib import Path

from ml_metadata.metadata_store import ListOptions, MetadataStore, OrderByField
from ml_metadata.proto import metadata_store_pb2

from ranker.files import delete

_RUN_CONTEXT = "pipeline_run"
_LOG = logging.getLogger(__name__)


def remove_old_artifacts(connection: metadata_store_pb2.ConnectionConfig, artifacts: Path, keep: int) -> int:
    """Keeps the artifacts that the newest `keep` runs wrote or reused from the cache, and removes all others.

    Removed artifacts are first marked as deleted in the metadata, so that the cache no longer uses them. Summaries,
    logs, reports and pushed models are stored elsewhere and are kept. Must not be called during a run.

    Args:
        connection: the ML Metadata database.
        artifacts: TFX's pipeline root.
        keep: at least 1; failed and stopped runs count too, so that they can continue.

    Returns:
        The number of removed folders.
    """
    store = MetadataStore(connection)
    # By their numbers, as clocks are put back.
    runs = sorted(store.get_contexts_by_type(_RUN_CONTEXT), key=lambda run: run.id)
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
        # A folder with a number after the first kept run may be of a component that was stopped before it registered.
        if int(folder.name) < oldest_kept and folder not in kept_folders:
            delete(folder)
            removed += 1
    _LOG.info("removed %d folders of runs before the newest %d", removed, keep)
    return removed


def remove_unregistered_artifacts(connection: metadata_store_pb2.ConnectionConfig, artifacts: Path) -> int:
    """Removes the folders of executions that are newer than all in the metadata.

    There are some after somebody removed the database or put an older one in its place. A new execution would get the
    same number, and what it writes would be mixed with what is there. Must not be called during a run.

    Args:
        connection: the ML Metadata database; made if it does not exist.
        artifacts: TFX's pipeline root; it need not exist.

    Returns:
        The number of removed folders.
    """
    newest_first = ListOptions(limit=1, order_by=OrderByField.ID, is_asc=False)
    newest = max((run.id for run in MetadataStore(connection).get_executions(list_options=newest_first)), default=0)
    unregistered = [folder for folder in _execution_folders(artifacts) if int(folder.name) > newest]
    for folder in unregistered:
        delete(folder)
    if unregistered:
        _LOG.warning("removed %d folders of executions that the metadata does not have", len(unregistered))
    return len(unregistered)


def _execution_folders(artifacts: Path) -> Iterator[Path]:
    """The folders with an execution's number as name: `<component>/<output>/<number>`, and TFX's own."""
    for pattern in ("*/*/*", "*/.system/*/*"):
        for folder in artifacts.glob(pattern):
            if folder.name.isdecimal() and folder.is_dir():
                yield folder
