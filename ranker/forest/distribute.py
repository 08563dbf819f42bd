"""Growing one forest on the workers of a Dask cluster.

Dask starts one task on each worker. Each task reads its own share of the rows and runs `train_forest`. XGBoost's
communicator sums the gradient histograms, so that all workers grow the same trees. `xgboost.dask` does the same for
Dask collections, which are kept in the workers' memory. Here the rows are spooled to disk, as on one machine.
"""

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import xgboost as xgb
from xgboost import collective
from xgboost.tracker import RabitTracker

from ranker.config.forest import Dask
from ranker.config.forest import Forest as ForestConfig
from ranker.forest.curve import TrainingCurve
from ranker.forest.model import Forest
from ranker.forest.together import OtherShareError
from ranker.forest.train import ForestBatch, WeightedForestBatch, train_forest

ReadShare = Callable[[int, int], Iterable[ForestBatch | WeightedForestBatch]]

_START_TIMEOUT_S = 120
_LOG = logging.getLogger(__name__)


def train_forest_on_dask(
    read: ReadShare, config: ForestConfig, dask: Dask, feature_names: Sequence[str], objective_names: Sequence[str]
) -> tuple[Forest, TrainingCurve]:
    """Fits the forest as `train_forest` does, each worker on its share.

    The trees differ from those of one process: bins come from merged sketches, and each worker samples its own rows.

    Args:
        read: (number of the share, number of shares) -> the batches of the share. It is pickled and called on the
            workers.
        config: the forest's settings.
        dask: the workers.
        feature_names: one per column of the features.
        objective_names: one per column of the labels.

    Raises:
        ValueError: `train_forest` raised it on any worker; the cluster does not answer, or has too few workers.
        ModuleNotFoundError: Dask is not installed.
    """
    distributed = _distributed()
    with _client(distributed, dask) as client:
        workers = sorted(client.scheduler_info(n_workers=-1)["workers"])[: dask.workers]
        host = distributed.comm.get_address_host(client.scheduler.address)
        arguments = client.run_on_scheduler(_start_tracker, len(workers), host)
        _LOG.info("growing the forest on %d workers of %s", len(workers), client.scheduler.address)
        tasks = [
            client.submit(
                _grow_share,
                (share, len(workers)),
                arguments,
                read,
                (config, tuple(feature_names), tuple(objective_names)),
                workers=[worker],
                allow_other_workers=False,
                pure=False,
                retries=0,
            )
            for share, worker in enumerate(workers)
        ]
        _wait(distributed, tasks)
        forest, curve = tasks[0].result()
    return forest, curve


def _grow_share(
    share: tuple[int, int],
    arguments: dict[str, Any],
    read: ReadShare,
    what: tuple[ForestConfig, Sequence[str], Sequence[str]],
) -> tuple[Forest, TrainingCurve] | None:
    """Runs on each worker. Every worker ends up with the same forest; only the one of rank 0 returns it."""
    threads = _distributed().get_worker().state.nthreads
    # The communicator ranks its members by task id, compared as text: hence the leading zeros.
    with (
        collective.CommunicatorContext(**arguments, dmlc_task_id=f"{share[0]:06d}"),
        xgb.config_context(nthread=threads),
    ):
        grown = train_forest(read(*share), *what)
        return grown if collective.get_rank() == 0 else None


def _start_tracker(workers: int, host: str) -> dict[str, Any]:
    """Starts the tracker, through which the workers find each other, on the scheduler's machine."""
    tracker = RabitTracker(workers, host_ip=host, sortby="task")
    tracker.start()
    threading.Thread(target=tracker.wait_for, daemon=True).start()
    return dict(tracker.worker_args())


def _wait(distributed: Any, tasks: Sequence[Any]) -> None:
    """Waits for all tasks; raises the error of the first one that fails.

    An `OtherShareError` is raised only if no task failed with another error.
    """
    others: OtherShareError | None = None
    for task in distributed.as_completed(tasks):
        if task.status == "finished":
            continue
        error = task.exception()
        if not isinstance(error, OtherShareError):
            raise error
        others = error
    if others:
        raise others


@contextlib.contextmanager
def _client(distributed: Any, dask: Dask) -> Iterator[Any]:
    with contextlib.ExitStack() as stack:
        if dask.scheduler:
            try:
                client = stack.enter_context(distributed.Client(dask.scheduler, timeout=_START_TIMEOUT_S))
            except OSError as error:
                raise ValueError(f"forest.dask.scheduler: {dask.scheduler} does not answer: {error}") from None
        else:
            cluster = distributed.LocalCluster(
                n_workers=dask.workers,
                threads_per_worker=max(1, (os.cpu_count() or 1) // dask.workers),
                processes=True,
                dashboard_address=None,
                silence_logs=logging.ERROR,
            )
            client = stack.enter_context(distributed.Client(stack.enter_context(cluster)))
        try:
            client.wait_for_workers(dask.workers, timeout=_START_TIMEOUT_S)
        except TimeoutError:
            found = len(client.scheduler_info(n_workers=-1)["workers"])
            where = dask.scheduler or "this machine"
            raise ValueError(f"forest.dask.workers: {dask.workers} are needed, {where} has {found}") from None
        yield client


def _distributed() -> Any:
    try:
        import distributed
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "forest.dask: the package `distributed` is not installed; `uv sync --extra dask` brings it, as does "
            "`uv sync` without options"
        ) from None
    return distributed
